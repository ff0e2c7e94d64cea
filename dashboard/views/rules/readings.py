"""Update rules, *What holds here*: the readings about LSTMs that learn and about OP-LSTM, and how each is decided.

The functions that decide take answers and contests, and nothing else; `readings` fetches what is shipped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import streamlit as st

from dashboard.views.rules import boxes
from dashboard.widgets import contests, page, shipped
from dashboard.widgets.contests import Contest
from dashboard.widgets.holds import FAILS, HOLDS, MIXED, UNDECIDED, Reading, decided, not_tested
from dashboard.widgets.numbers import number, percent
from engine.trees import count
from probes.claims.finding import MISSING, told
from probes.claims.op_lstm import EARLY
from probes.questions.blackbox import Box, Boxes
from probes.questions.updates import PROTOTYPES, ByLearner
from probes.tools.comparisons import Effect, compare, sides
from probes.tools.decisions import MARGIN, above, non_inferior
from probes.tools.intervals import Interval, over_seeds, over_tasks_and_seeds

SHOTS = 10  # of the default set of runs, whose answers are shipped
NO_SPREAD, SOME_SPREAD = 1e-4, 0.01  # shares of the error
ORDERS = {"tasks": 2, "shots": (1,), "steps": (), "ordered": 50, "orders": 20}  # many tasks in few orders
BOXES, DIRECTIONS = "Black boxes", shipped.IN_DIRECTIONS


@st.cache_data(show_spinner=False, ttl=600)
def readings() -> list[Reading]:
    """All of them, from records and answers that are shipped."""
    by_name = {e.learner.name: e for e in shipped.ensembles(SHOTS)}

    def known(probe: str, name: str, **config: Any) -> Any:
        return page.known(probe, [by_name[name]], **config) if name in by_name else None

    black: dict[str, Boxes] = {
        name: answer
        for name in ("lstm", "lstm-sequential", "maml")
        if (answer := known("blackbox", name, **boxes.CONFIG)) is not None
    }
    orders = {
        name: said.boxes[0] for name in ("lstm", "lstm-sequential") if (said := known("blackbox", name, **ORDERS))
    }
    updates = shipped.op_lstm_updates()
    versus_maml = contests.contests("lstm", "maml")
    sizes = {name: count(by_name[name].runs[0].params) for name in ("maml", "op-lstm", "lstm") if name in by_name}
    return [
        order_is_gone(orders),
        beats("Pooling helps the plain LSTM much", "lstm", "lstm-sequential", black),
        beats("Pooled, the plain LSTM beats MAML on sine regression", "lstm", "maml", black, sizes_of(versus_maml)),
        at_equal_size([one for one in versus_maml if one.alike]),
        not_tested("Pooled, the plain LSTM fails on images."),
        competitive(contests.contests("op-lstm", "maml")),
        smaller(sizes),
        shipped.descent(),
        to_prototypes(updates),
    ]


def order_is_gone(found: Mapping[str, Box]) -> Reading:
    """Claim 9: the sequential LSTM minds the order, the pooled one does not."""
    claim = "The plain LSTM depends on the order of the points; mean pooling removes that."
    criterion = (
        f"Holds if predictions of the pooled LSTM spread over orders by at most {NO_SPREAD:g} of its error on every "
        f"task and seed, and those of the sequential one by more than {SOME_SPREAD:g} of its own beyond the interval; "
        "does not hold if the pooled one spreads or the sequential one stays below."
    )
    if not {"lstm", "lstm-sequential"} <= set(found):
        return Reading(claim, UNDECIDED, MISSING, criterion, BOXES)
    pooled = found["lstm"].order
    share = float((pooled.spread / pooled.error).max())
    other = found["lstm-sequential"].order
    read = over_tasks_and_seeds(other.spread / other.error)
    minds = above(Effect.of(read), float(np.log(SOME_SPREAD)))
    decision = replace(minds, verdict=FAILS) if share > NO_SPREAD else minds
    evidence = (
        f"Over {read.tasks} tasks and {read.seeds} seeds, predictions spread over orders by {told(read)} of the error "
        f"if points are read one after the other, and by at most {number(share, 1)} if they are pooled."
    )
    return decided(claim, decision, evidence, criterion, BOXES)


def beats(claim: str, mine: str, other: str, black: Mapping[str, Boxes], sizes: str = "") -> Reading:
    """Claim 9: one learner has the lower error, over all sets of runs."""
    titles = {"lstm": "the pooled LSTM", "lstm-sequential": "the sequential one", "maml": "MAML"}
    pair = titles[mine], titles[other]
    also = f"{_paired(mine, other, black)} {sizes}".strip()
    return contests.reading(f"{claim}.", contests.contests(mine, other), pair, BOXES, also=also)


def sizes_of(found: Sequence[Contest]) -> str:
    """How many numbers the pooled LSTM and MAML learn in each set of runs."""
    by_size: dict[tuple[int, int], int] = {}
    for one in found:
        by_size[one.sizes] = by_size.get(one.sizes, 0) + 1
    parts = [f"{mine:,} beside {other:,} in {n}" for (mine, other), n in by_size.items()]
    return f"Not of one size: the LSTM learns {', '.join(parts)} of the sets." if parts else ""


def at_equal_size(found: Sequence[Contest]) -> Reading:
    """Claim 9 where neither learner has many more parameters."""
    also = "; ".join(
        f"{one.where.rsplit(', ', 1)[-1]} {told(one.effect)}{' (undecided)' * (side == 0)}"
        for one, side in zip(found, sides([one.effect for one in found]), strict=True)
    )
    sizes = f"The LSTM learns {found[0].sizes[0]:,} numbers there, MAML {found[0].sizes[1]:,}; " if found else ""
    titles = ("the pooled LSTM", "MAML")
    claim = f"At equal size (within {MARGIN:g} times the parameters), too, the pooled LSTM beats MAML."
    return contests.reading(claim, found, titles, BOXES, also=f"{sizes}{also}." if also else "")


def _paired(mine: str, other: str, black: Mapping[str, Boxes]) -> str:
    """The same on the same tasks, from the shipped predictions of the default runs."""
    if not {mine, other} <= set(black):
        return ""
    losses = []
    for name in (mine, other):
        at = int(np.argmin(np.abs(black[name].shots - SHOTS)))
        losses.append(np.square(black[name].boxes[0].said[at] - black[name].truth).mean(-1))  # (seeds, tasks)
    found = compare(*losses)
    return (
        f"On the same tasks (default runs, {SHOTS} points) it is {told(found.effect)} times ({found.effect.over}), and "
        f"lower on {percent(found.won)} of them."
    )


def competitive(found: Sequence[Contest]) -> Reading:
    """Claim 10: OP-LSTM's error is not much higher than MAML's."""
    return contests.reading("OP-LSTM is competitive with MAML.", found, ("OP-LSTM", "MAML"), BOXES, non_inferior)


def smaller(sizes: Mapping[str, int]) -> Reading:
    """Claim 10: with fewer parameters."""
    claim = "OP-LSTM needs fewer parameters."
    criterion = (
        "Holds if it has fewer numbers to learn than both MAML and the pooled LSTM of the default runs, does not hold "
        "if it has more than both, and is mixed in between. MAML and OP-LSTM adapt the same network here."
    )
    if not {"maml", "op-lstm", "lstm"} <= set(sizes):
        return Reading(claim, UNDECIDED, "One of the three has no shipped run.", criterion)
    mine = sizes["op-lstm"]
    fewer = [mine < sizes[name] for name in ("maml", "lstm")]
    evidence = f"It learns {mine:,} numbers, MAML {sizes['maml']:,}, the pooled LSTM {sizes['lstm']:,}."
    verdict = HOLDS if all(fewer) else MIXED if any(fewer) else FAILS
    return Reading(claim, verdict, evidence, criterion)


def to_prototypes(found: ByLearner | None) -> Reading:
    """Chapter 5: what it writes becomes more and more like a prototype classifier."""
    claim = "Through training, what OP-LSTM has written grows ever more like the prototypes."
    criterion = (
        "The cosine of the adapted head to the prototypes, last copy of the weights less the first after training "
        "began; one difference per seed. Holds if its interval over seeds lies above 0, does not hold if below."
    )
    if found is None or len(kept := [one for one in found.along if (one.iteration or 0) >= EARLY]) < 2:
        return Reading(claim, UNDECIDED, MISSING, criterion, DIRECTIONS)
    early, late = (_by_seed(one.head[PROTOTYPES].cosine[..., -1]) for one in (kept[0], kept[-1]))
    grown: Interval = over_seeds(late - early)
    evidence = (
        f"{early.mean():.2f} after {kept[0].iteration:,} updates, {late.mean():.2f} after {kept[-1].iteration:,}: "
        f"{told(grown, '+.2f')}; on miniImageNet it rose from 0.29 to 0.74."
    )
    return decided(claim, above(Effect.of(grown)), evidence, criterion, DIRECTIONS)


def _by_seed(cosines: np.ndarray) -> np.ndarray:
    return np.asarray(np.nanmean(cosines, 1))
