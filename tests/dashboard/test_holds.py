"""What holds here: every verdict is reached by constructed numbers, and the section stands on its six pages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from dashboard.views.attribution import readings as attribution
from dashboard.views.behaviour import readings as behaviour
from dashboard.views.features import readings as features_holds
from dashboard.views.landscape import readings as landscape
from dashboard.views.operations import readings as operations
from dashboard.views.operations import structure
from dashboard.views.rules import readings as rules
from dashboard.widgets import contests, holds, library
from dashboard.widgets.contests import Contest, contest
from dashboard.widgets.holds import FAILS, HOLDS, MIXED, UNDECIDED, Reading
from dashboard.widgets.library import Result
from probes.claims.finding import MISSING, NO_SETS
from probes.questions.blackbox import Box, Order
from probes.questions.shares import Shares
from probes.questions.updates import PROTOTYPES, ByLearner, Likeness, Moment
from probes.tools.comparisons import Effect
from probes.tools.decisions import ONE_SEED
from probes.tools.intervals import Interval
from tests.dashboard.pages import app, fine, said

PAGES = {
    "rules": (rules, {"rules-part": "Memory"}),
    "operations": (operations, {"sap-part": "Strengths"}),
    "attribution": (attribution, {}),
    "behaviour": (behaviour, {"on": "maml"}),
    "landscape": (landscape, {"landscape-part": "Cost"}),
    "features": (features_holds, {"on": "finetuning", "features-part": "Broadness"}),
}


def versus(*sides: int) -> list[Contest]:
    """Contests in which the first learner's error is half (1), twice (-1) or about as large (0) as the other's."""
    ratio = {1: 0.5, -1: 2.0, 0: 0.98}
    return [
        Contest(f"set {i}", 0.1, 0.2, Effect(np.log(ratio[side]), ((0.005, 4), (0.005, 4)), seeds=3, log=True))
        for i, side in enumerate(sides)
    ]


def test_an_interval_lies_above_below_or_on_a_level():
    nothing = Interval(float("nan"), float("nan"), float("nan"), 0, 0)
    ends = [Interval((low + high) / 2, low, high, 10, 3) for low, high in ((1.1, 2), (0, 0.9), (0.5, 1.5))]
    assert [holds.side(one, 1.0) for one in (*ends, nothing)] == [1, -1, 0, 0]


def test_contests_are_decided_by_the_seeds_and_name_their_set():
    few, many = (
        [Result("x", 5, s, error, 0.001) for s, error in enumerate(row)] for row in ((1, 1.1, 0.9), (2, 2.1, 2))
    )
    decided = {
        verdict: contests.verdict([contest("a", *pair)]).verdict
        for verdict, pair in ((HOLDS, (few, many)), (FAILS, (many, few)), (UNDECIDED, (few, few)))
    }
    assert all(told == verdict for verdict, told in decided.items())
    alone = contests.reading("A.", [contest("a", few[:1], many)], ("A", "B"), "")
    assert (alone.verdict, alone.needs) == (UNDECIDED, ONE_SEED)


def test_the_evidence_names_the_effect_over_what_it_is_and_single_sets():
    text = contests.evidence(versus(1, -1, 0), "A", "B")
    assert "The error of A is 0.99 [0.88, 1.12] times that of B (over tasks and trainings, 3 seeds each, 3 sets" in text
    assert "alone (Holm) lower in 1, higher in 1, undecided in 1" in text and "Set 0: 0.1 against 0.2." in text
    assert contests.table(versus(1, -1), "A", "B").count("\n") == 4
    left = [*versus(1, 1), contest("b", [Result("x", 5, 0, 1.0, 0.1)], [Result("y", 5, 0, 1.0, 0.1)])]
    assert "Left out: 1 set with a single seed" in contests.evidence(left, "A", "B")


def test_contests_come_from_the_records_of_runs_that_have_both(monkeypatch: pytest.MonkeyPatch):
    rows = [
        Result(name, k, s, e + s / 100, 0.001) for name, k, e in (("a", 5, 1), ("b", 5, 2), ("a", 9, 1)) for s in (0, 1)
    ]
    monkeypatch.setattr(library, "results", lambda collection, task: tuple(rows))
    found = contests.contests("a", "b", ["sine"])
    assert [one.where for one in found] == ["all learners, one budget, 5 points"]
    assert found[0].mine == pytest.approx(1.005) and found[0].effect.shown[0] == pytest.approx(0.5, abs=0.01)


def test_every_shipped_record_of_a_test_is_read():
    found = library.results("sine", "sine")
    assert {one.seed for one in found if one.learner == "maml" and one.shots == 10} == {0, 1, 2}
    assert all(one.error > 0 and one.half_width > 0 for one in found)


# ---- Update rules ------------------------------------------------------------------------------------


def box(spread: float) -> Box:
    noise = 1 + 0.01 * np.random.default_rng(0).random((3, 4))
    order = Order(spread * noise, np.ones((3, 4)), np.zeros((1, 2)), np.zeros((1, 1)), np.zeros(1))
    return Box("x", [0, 1, 2], 10, np.zeros((1, 3, 4, 1)), np.ones((3, 1)), {}, {}, order)


@pytest.mark.parametrize(
    ("pooled", "sequential", "verdict"),
    [(0.0, 0.5, HOLDS), (0.5, 0.5, FAILS), (0.0, 1e-4, FAILS), (0.0, 0.00995, UNDECIDED)],
)
def test_order(pooled: float, sequential: float, verdict: str):
    assert rules.order_is_gone({"lstm": box(pooled), "lstm-sequential": box(sequential)}).verdict == verdict
    assert rules.order_is_gone({"lstm": box(pooled)}).verdict == UNDECIDED


@pytest.mark.parametrize(
    "decide", [lambda found: contests.reading("a", found, ("A", "B"), ""), rules.competitive, operations.order_costs]
)
def test_contests_flip_every_verdict(decide: Callable[[list[Contest]], Reading]):
    cases = {HOLDS: (1, 0), FAILS: (-1, -1), MIXED: (1, -1)}
    assert all(decide(versus(*sides)).verdict == verdict for verdict, sides in cases.items())
    assert decide([]).verdict == UNDECIDED
    level = decide(versus(0, 0))
    assert level.verdict == (HOLDS if decide is rules.competitive else UNDECIDED), "as good is good enough to compete"
    assert all(one.criterion for one in (level, decide([])))


@pytest.mark.parametrize(("size", "verdict"), [(50, HOLDS), (150, MIXED), (500, FAILS)])
def test_parameters_are_counted(size: int, verdict: str):
    found = rules.smaller({"maml": 100, "lstm": 200, "op-lstm": size})
    assert found.verdict == verdict and f"{size} numbers" in found.evidence
    assert rules.smaller({"maml": 100}).verdict == UNDECIDED


def op_lstm(*prototypes: float, noise: float = 0.01) -> ByLearner:
    """Kept copies at 0, 500 and 5,000 updates with these cosines to the prototypes."""
    rng = np.random.default_rng(0)
    along = []
    for iteration, prototype in zip((0, 500, 5000), prototypes, strict=True):
        head = prototype + noise * rng.normal(size=(3, 6, 2))
        along.append(Moment(iteration, {}, {}, {PROTOTYPES: Likeness(head, head)}))
    return ByLearner("op-lstm", [0, 1, 2], ["all layers"], [], np.ones(3), along[-1], along[0], np.zeros(0), along)


@pytest.mark.parametrize(("last", "noise", "verdict"), [(0.7, 0.01, HOLDS), (0.1, 0.01, FAILS), (0.31, 1.0, UNDECIDED)])
def test_likeness_to_prototypes_grows_or_not(last: float, noise: float, verdict: str):
    found = op_lstm(0.0, 0.3, last, noise=noise)
    assert rules.to_prototypes(found).verdict == verdict
    assert rules.to_prototypes(replace(found, along=found.along[:2])).verdict == UNDECIDED


# ---- SAP operations ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sides", "verdict"), [((1, 1), HOLDS), ((1, 0), UNDECIDED), ((1, -1), FAILS), ((-1, -1), FAILS)]
)
def test_sap_must_beat_each_of_those_it_was_compared_with(sides: tuple[int, int], verdict: str):
    compared = {f"learner {i}": versus(side) for i, side in enumerate(sides)}
    found = operations.beats(compared)
    assert found.verdict == verdict
    left = [title for title, side in zip(compared, sides, strict=True) if side != 1]
    assert (f"Not beaten beyond the interval: {', '.join(left)}." if left else "It beats each") in found.evidence
    assert operations.beats({"a": []}).verdict == UNDECIDED


# ---- Attribution -------------------------------------------------------------------------------------


def shares(far: float = 0.5, turned: float = 0.0, carrying: float = 10.0, noise: float = 0.01) -> Shares:
    rng = np.random.default_rng(int(1000 * far + 7 * carrying))
    values = noise * rng.normal(size=(4, 3, 8))
    even, moved = np.full(8, 0.7), np.full((3, 8), turned)
    return Shares("x", [0, 1, 2], far + values[0], even, moved, carrying + values[2:], values[1])


@pytest.mark.parametrize(("pooled", "sequential", "verdict"), [(0, 0.2, HOLDS), (0.1, 0.2, FAILS), (0, 0.001, FAILS)])
def test_influence_and_order(pooled: float, sequential: float, verdict: str):
    found = {"lstm": shares(turned=pooled), "lstm-sequential": shares(turned=sequential)}
    assert attribution.order_matters(found).verdict == verdict
    assert attribution.order_matters({}).verdict == UNDECIDED


@pytest.mark.parametrize(
    ("maml", "reptile", "verdict"), [(5, 6, HOLDS), (5, 20, FAILS), (19, 20, FAILS), (10, 10, UNDECIDED)]
)
def test_carrying_units(maml: float, reptile: float, verdict: str):
    wide = shares(carrying=10, noise=0.5)
    found = {"finetuning": wide, "maml": shares(carrying=maml), "reptile": shares(carrying=reptile)}
    assert attribution.broader(found).verdict == verdict
    assert attribution.broader({"maml": shares()}).verdict == UNDECIDED


# ---- on the pages ------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
def test_the_shipped_readings_are_decided_without_asking_anybody(page: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("probes.asking.ask", lambda *_, **__: pytest.fail("a probe was asked"))
    found = PAGES[page][0].readings.__wrapped__()
    assert {one.verdict for one in found} >= {UNDECIDED}
    assert all(one.verdict in holds.VERDICTS and one.claim.endswith((".", ")")) and one.criterion for one in found)
    missing = [one.claim for one in found if one.evidence in (MISSING, NO_SETS)]
    assert not missing, "answers that ship are found"
    assert all("nan" not in one.evidence for one in found)
    assert not any(one.verdict in (HOLDS, FAILS) and one.needs for one in found)


def test_images_are_said_not_to_be_tested():
    for page in ("rules", "operations", "attribution", "features"):
        assert any(one.evidence == holds.ONLY_WAVES for one in PAGES[page][0].readings()), page


def test_one_claim_has_the_same_words_on_both_pages_that_show_it():
    ours, theirs = ({one.claim: one for one in page.readings()} for page in (attribution, rules))
    both = [claim for claim in ours if claim in theirs]
    assert len(both) == 1 and both[0].startswith("OP-LSTM's adaptation")
    assert replace(ours[both[0]], where="") == replace(theirs[both[0]], where="")


def test_sizes_are_told_where_learners_of_different_size_are_compared():
    found = {one.claim.split(",")[0]: one for one in rules.readings() if "beats MAML" in one.claim}
    whole, alike = found["Pooled"], found["At equal size (within 1.25 times the parameters)"]
    assert "the LSTM learns 20,201 beside 1,761 in 4, 20,201 beside 17,018 in 3" in whole.evidence
    assert "20 points" in alike.evidence and "(undecided)" in alike.evidence
    assert alike.detail.count("chapter 5: published training") == 3, "sets of unequal size are not among them"


def test_what_the_readings_rest_on_is_as_large_and_as_matched_as_they_say():
    """Order over 50 tasks, not 3; specialisation beside the same learner untrained; SAP beside all it can be."""
    order = next(one for one in rules.readings() if one.claim.startswith("The plain LSTM depends"))
    assert "Over 50 tasks and 3 seeds" in order.evidence
    reach = next(one for one in attribution.readings() if "wave far away" in one.claim)
    assert "untrained" in reach.evidence and "scratch" not in reach.evidence + reach.criterion
    beats = next(one for one in operations.readings() if one.claim.startswith("SAP beats"))
    assert all(title in beats.criterion for title in ("MAML", "T-Net", "MT-net", "Warp-MAML", "FiLM"))


def test_the_figure_of_counts_names_the_one_that_decides():
    text = structure.counted({"published, P1": (61.0, 5.0), "mended, P1": (78.3, 3.3), "published, P2": (70.0, 8.2)})
    assert "The count that decides is **published, P1**, the only one of cases: 61 ± 5 %." in text
    assert text.endswith("The reported 75 % lies in the interval of mended, P1, published, P2.")


@pytest.mark.parametrize("page", PAGES)
def test_the_section_and_the_line_that_leads_to_it(page: str):
    module, link = PAGES[page]
    at = app(page)
    for key, value in link.items():
        at.query_params[key] = value
    at = fine(at.run())
    assert [title.value for title in at.header] == ["What holds here"]
    text = said(at)
    for one in module.readings():
        assert f"**{one.claim}** {one.evidence}" in text
        assert holds.badge(one.verdict) in text
        assert f"**{one.claim}** {one.criterion}" in text
    line = next(m.value for m in at.markdown if m.value.startswith("[What holds here]"))
    told = sum(one.verdict == UNDECIDED for one in module.readings())
    assert f"{told} not decided" in line
