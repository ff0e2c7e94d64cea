"""The tables and sentences with numbers of docs/, from shipped records and answers, and from the code itself.

Sentences that a page says too are said by the same function.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import cache
from typing import Any

import numpy as np

from dashboard.views.landscape import cost, learned_tables, learned_words
from dashboard.views.operations.anatomy import TASKS as SAP_TASKS
from dashboard.views.operations.anatomy import answers_sentence
from dashboard.views.rules import directions, rule, rule_tables
from dashboard.widgets.numbers import interval, number
from dashboard.widgets.twins import first_order_pairs
from docs import record
from docs.measured import ROOT, TASKS, Kept, image_rows
from engine.learners import LEARNERS
from engine.runs.ensembles import Ensemble, find_ensembles
from engine.studies import domains, report, reproduce, structure
from probes import answers, asking
from probes.tools.comparisons import Effect, of_records, sides
from probes.tools.cost import Cost

SHOTS = (5, 10, 20)
REPORTED = 75.0  # per cent of matches, in the dissertation
FAR = 3.0  # a training whose seeds' errors differ by more than this factor is named
Row = dict[str, Any]


# ---- what is kept ------------------------------------------------------------------------------------


@cache
def _rows(collection: str) -> list[Row]:
    found = report.rows(ROOT / collection, TASKS, evaluate=Kept())
    return [{**row, "collection": collection} for row in found]


@cache
def _ensembles(shots: int) -> list[Ensemble]:
    return find_ensembles(ROOT / "sine", "sine", shots)[0]


def _asked(probe: str, ensemble: Ensemble, **config: Any) -> Any:
    return answers.read(ROOT / "answers", probe, [ensemble], config)


def _one(learner: str, shots: int = 10) -> Ensemble:
    return next(one for one in _ensembles(shots) if one.learner.name == learner)


def _of(learner: str, shots: int, collection: str = "sine") -> Row | None:
    return next((r for r in _rows(collection) if (r["learner"], r["shots"]) == (learner, shots)), None)


def _title(learner: str) -> str:
    return LEARNERS[learner].title


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(cells)} |" for cells in (head, *rows)]
    return "\n".join([lines[0], "|---" * len(head) + "|", *lines[1:]])


# ---- how well they learn -----------------------------------------------------------------------------


def errors() -> str:
    """At a glance: every learner's error at 5, 10 and 20 points, the best at 10 points first."""
    order = sorted((row for row in _rows("sine") if row["shots"] == 10), key=lambda row: row["mse"])
    rows = []
    for row in order:
        found = [_of(row["learner"], k) for k in SHOTS]
        rows.append([_title(row["learner"]), *(number(one["mse"]) if one else "" for one in found)])
    return _table(["learner", *(f"{k} points" for k in SHOTS)], rows)


def zoo() -> str:
    """All learners of the one budget."""
    return report.markdown(_rows("sine"), TASKS)


def tuned() -> str:
    """The longer budgets."""
    return report.markdown(_rows("sine-tuned"), TASKS)


def images() -> str:
    """Few-shot images: every learner in classes never met and in other domains."""
    found = image_rows()
    return domains.markdown(found) if found else "No runs on images ship with this version."


def ten_steps() -> str:
    """Chapter 6's setting at T = 10."""
    return report.markdown(_rows("sine-subspace-t10"), TASKS)


def spread() -> str:
    """Trainings whose seeds lie far apart."""
    told = []
    for row in _rows("sine"):
        seeds = row["per_seed"]
        if max(seeds) > FAR * min(seeds):
            runs = _one(row["learner"], row["shots"]).runs
            best, every = runs[int(np.argmax(seeds))].record["metrics"]["best_iteration"], row["iterations"]
            told.append(
                f"{_title(row['learner'])} at {row['shots']} points ({', '.join(map(number, seeds))}; the worst one "
                f"was at its best on validation after {best:,} of {every:,} updates)"
            )
    return f"Seeds differ by more than {FAR:g} times: {'; '.join(told)}." if told else ""


def _pairs() -> list[tuple[int, Row, Row, Effect]]:
    """(shots, first-order, its second-order twin, the log ratio of their errors), from the records of the seeds."""
    found = []
    for shots in SHOTS:
        for pair in first_order_pairs(_ensembles(shots)):
            first, second = (_of(one.learner.name, shots) for one in pair)
            runs = [
                [(run.record["metrics"]["test_mse"], run.record["metrics"]["test_ci95"]) for run in e.runs]
                for e in pair
            ]
            if first and second:
                found.append((shots, first, second, of_records(*runs)))
    return found


def first_order() -> str:
    """What learners that were trained both ways lose without second-order terms: a table and what it shows."""
    pairs = _pairs()
    beyond = sides([effect for *_, effect in pairs])
    rows = [
        [
            _title(second["learner"]),
            str(shots),
            number(first["mse"]),
            number(second["mse"]),
            number(first["mse"] - second["mse"]),
            interval(*effect.shown),
            {1: "worse", -1: "better", 0: "undecided"}[side],
        ]
        for (shots, first, second, effect), side in zip(pairs, beyond, strict=True)
    ]
    told = [
        f"First order is worse in {sum(s > 0 for s in beyond)} of {len(pairs)} comparisons, undecided in the others."
    ]
    for shots in SHOTS:
        here = [
            (first["mse"] - second["mse"], effect.shown[0], second) for k, first, second, effect in pairs if k == shots
        ]
        if len(here) > 1:
            most, times = max(here, key=lambda one: one[0]), max(here, key=lambda one: one[1])
            told.append(
                f"At {shots} points it costs {_title(most[2]['learner'])} most by difference ({number(most[0])}) and "
                f"{_title(times[2]['learner'])} by ratio ({number(times[1])} times)."
            )
    head = ["learner", "points", "first-order", "second-order", "difference", "ratio [95 %]", "Holm"]
    return (
        f"{' '.join(told)}\n\n{_table(head, rows)}\n\n"
        "Errors and their difference are means over seeds; the ratio is that of the *geometric* means over seeds, and "
        "therefore not the quotient of the two errors beside it. Its interval is over tasks and trainings, from the "
        f"errors of {len(_one('maml').runs)} seeds each; the last column is corrected for {len(pairs)} comparisons."
    )


def budgets() -> str:
    """What longer trainings reach."""
    told = []
    for learner in ("maml", "lstm"):
        found = [_of(learner, k, "sine-tuned") for k in (5, 10)]
        told.append(f"{_title(learner)} {_listed([number(one['mse']) for one in found if one])}")
    return f"Longer budgets reach, at 5 and 10 points: {'; '.join(told)}."


# ---- against the literature --------------------------------------------------------------------------


@cache
def _references() -> list[Row]:
    return reproduce.rows(ROOT, TASKS, evaluate=Kept())


def literature() -> str:
    """References beside ours, and which rows are below, level and above."""
    told = []
    for recipe, words in (("ours", "our outer loop"), ("published", "the published outer loop, run by our code,")):
        groups: dict[str, list[str]] = {"below": [], "level": [], "above": []}
        for row in _references():
            if row["recipe"] != recipe or row["ours"] is None:
                continue
            gap, both = row["ours"] - row["reference"], row["ci95"] + row["reference_ci95"]
            side = "level" if abs(gap) <= both else "below" if gap < 0 else "above"
            groups[side].append(f"{_title(row['method'])} at {row['shots']}{_short_name(row['table'])}")
        every = sum(map(len, groups.values()))
        text = f"With {words} {len(groups['below'])} of {every} means are below the reference beyond both intervals"
        for side, word in (("level", "level (the intervals overlap)"), ("above", "above it")):
            if groups[side]:
                text += f"; {word}: {', '.join(groups[side])}"
        told.append(f"{text}.")
    return f"{reproduce.markdown(_references(), TASKS)}\n\n" + "\n\n".join(told)


def _short_name(table: str) -> str:
    return {reproduce.CHAPTER5: "", reproduce.PERMUTATION: " (order)", reproduce.CHAPTER6: " (T = 1)"}[table]


def matching() -> str:
    """Does SAP adapt what the tasks vary: all forms and ways of counting, and those that the reported share fits."""
    found = structure.read(ROOT / "structure")
    near, counts = [], 0
    for result in found:
        for protocol, counted in result["protocols"].items():
            counts += 1
            if abs(100 * counted["mean"] - REPORTED) <= 100 * counted["ci95"]:
                near.append(f"{result['form']} {protocol}")
    said = f"{REPORTED:g} % lies in the interval of {len(near)} of {counts} counts: {', '.join(near)}."
    return f"{structure.table(found)}\n\n{said}"


# ---- why they differ ---------------------------------------------------------------------------------


def curvature() -> str:
    """What *Loss landscape*, part *Learned rules* says, and its three forms as a table."""
    module = asking.find("meta-gradients")
    every = [one for one in _ensembles(10) if module.applies(one) is None]
    found = {one.learner.name: _asked("meta-gradients", one) for one in every}
    shown = [one for one in every if found[one.learner.name] is not None]
    measured = [m for one in shown for m in found[one.learner.name].measured]
    titles = {one.learner.name: one.learner.title for one in shown}
    columns = learned_tables.ratio_panels(measured, titles)
    pairs = [
        (first.learner.name, exact.learner.name)
        for first, exact in first_order_pairs(shown)
        if asdict(first.learner) | {"first_order": False} == asdict(exact.learner)
    ]
    forms = columns[:-1]
    learned = [name for name in titles if any(name in one.values for one in forms)]
    rows = [[titles[n], *(interval(*one.values[n]) if n in one.values else "" for one in forms)] for n in learned]
    said = (
        learned_words.curvature_sentence(measured, titles),
        learned_words.training_sentence(measured, titles, pairs),
    )
    head = ["times MAML's", *(one.title.replace("<br>", ", ").replace("|", "\\|") for one in forms)]
    return "\n\n".join([*filter(None, said), _table(head, rows)])


def meta_gradient_cost() -> str:
    """What *Loss landscape*, part *Cost* says."""
    return cost.sentence(answers.restored(Cost, json.loads(cost.SHIPPED.read_text())))


def op_lstm() -> str:
    """What *Update rules* says of OP-LSTM."""
    one = _one("op-lstm")
    read = _asked("rule", one, tasks=rule.TASKS).answers[0]
    moved = _asked("updates", one, tasks=directions.TASKS, tasks_along=directions.ALONG).answers
    titles = {one.learner.name: one.learner.title}
    whole = directions.whole_sentence(directions.wholes(moved, titles), moved, titles)
    return "\n\n".join([rule_tables.term_sentence(read), rule_tables.in_place_sentence(read), whole])


def sap() -> str:
    """What *SAP operations* says of the movements."""
    found = _asked("subspace", _one("sap"), tasks=SAP_TASKS, importance=True).anatomies[0]
    moving = [name for name, adapts in zip(found.operations, found.adapting, strict=True) if adapts]
    said = answers_sentence(found, moving)
    return said[0].upper() + said[1:] if said[0].isalpha() else said


BLOCKS: dict[str, Callable[[], str]] = {
    "errors": errors,
    "zoo": zoo,
    "tuned": tuned,
    "budgets": budgets,
    "spread": spread,
    "first-order": first_order,
    "literature": literature,
    "images": images,
    "ten-steps": ten_steps,
    "matching": matching,
    "curvature": curvature,
    "meta-gradient-cost": meta_gradient_cost,
    "op-lstm": op_lstm,
    "sap": sap,
    "record": record.fields,
    "record-limits": record.limits,
}
