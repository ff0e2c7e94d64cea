"""Learned rules and Cost without a browser: shipped answers, every control, sentences from known numbers."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from dashboard.figures import cost as cost_figures
from dashboard.figures import panels as figures
from dashboard.views.landscape import cost, learned_tables, learned_words
from probes import answers
from probes.questions.meta_gradients import ALL, INITIALISATION, KEPT, RULE, TRAINED, UNTRAINED, Measured
from probes.tools.cost import Cost, Fit, Point
from tests.dashboard.pages import figures as charts
from tests.dashboard.pages import fine

NAMES = {"maml": "MAML", "turtle": "TURTLE", "meta-lstm": "Meta-learner LSTM"}
SCRIPT = """
import streamlit as st
from dashboard.views.landscape import cost, learned
from dashboard.widgets import library
from dashboard.widgets.choosing import Shown

shots = {shots}
found = library.ensembles("{runs}", "sine", shots)[0]
learned.show_rules(Shown("{runs}", "sine", shots, found, found))
cost.show_cost()
"""


def opened(folder: Path, runs: str = "sine", shots: int = 10) -> AppTest:
    script = folder / "script.py"
    script.write_text(SCRIPT.format(runs=runs, shots=shots))
    return fine(AppTest.from_file(str(script), default_timeout=120).run())


def constant(learner: str, moment: str = TRAINED, iteration: int = -1, block: str = ALL, **given: float) -> Measured:
    """Measurements of 3 seeds and 4 groups that are all the same, or as given; a little noise keeps intervals alive."""
    noise = 1 + 0.01 * np.random.default_rng(len(learner)).normal(size=(3, 4))
    named = {"cosine": 0.5, "ratio": 1.0, "eigenvalue": 2.0, "scaled": 2.0, "rise": 0.1} | given
    arrays = {f.name: np.full((3, 4), named.get(f.name, 1.0)) * noise for f in fields(Measured)[5:]}
    means = {"cosine_mean": np.ones(3), "ratio_mean": np.ones(3)}
    return Measured(learner, moment, iteration, block, 1761, **(arrays | means))


def everywhere(learner: str, **given: float) -> list[Measured]:
    return [constant(learner, block=block, **given) for block in (ALL, INITIALISATION)]


def test_the_shipped_answers_are_shown_at_once(tmp_path):
    at = opened(tmp_path)
    assert [title.value for title in at.subheader] == [
        "Does a learned update rule curve the meta-loss more?",
        "What does a first-order meta-gradient leave out?",
        "When do first-order gradients go astray?",
        "When does the curvature come?",
        "Does an exact meta-gradient take O(N²) time?",
        "Does it need O(N²) memory?",
    ]
    curvature, gradients, direction, curved, costs, _ = charts(at)
    rows = curvature.layout.yaxis.ticktext
    for title in ("MAML", "FOMAML", "TURTLE", "Meta-learner LSTM", "Meta-learner LSTM, enhanced"):
        assert any(f">{title}<" in row for row in rows), f"{title} is not among {rows}"
    assert [title.text for title in gradients.layout.annotations[:2]] == ["same direction?", "same length?"]
    assert len(direction.data) == len(curved.data) >= 6
    powers = [text for text in costs.layout.xaxis.ticktext if text.startswith("10<sup>")]
    assert {"10<sup>3</sup>", "10<sup>6</sup>"} <= set(powers)


@pytest.mark.parametrize("block", list(learned_tables.BLOCKS))
def test_every_block_and_form_of_curvature_draws(tmp_path, block: str):
    at = opened(tmp_path)
    at.button_group(key="landscape-block").set_value(block)
    first = block == next(iter(learned_tables.BLOCKS))
    for field in list(learned_tables.CURVATURES)[: None if first else 2]:  # every block, and every form
        at.button_group(key="landscape-measure").set_value(field)
        gradients = charts(fine(at.run()))[1]
        assert gradients.layout.annotations[2].text == f"curvature: {learned_tables.CURVATURES[field].title}"
        assert ("FOMAML" in str(gradients.layout.yaxis.ticktext)) == (block != "rule"), "MAML has no rule"


def test_runs_without_an_answer_are_offered_to_be_measured_and_cost_nothing(tmp_path):
    at = opened(tmp_path, "sine-tuned", 5)
    assert [button.label for button in at.button if button.key == "landscape-rules-ask"] == ["Measure them now"]
    assert any("Not measured yet" in caption.value and "MAML" in caption.value for caption in at.caption)


def test_a_collection_without_such_learners_is_one_sentence(tmp_path):
    at = opened(tmp_path, "sine", 3)
    assert at.info[0].value == "No learner here comes in a first- and a second-order form."


def test_times_are_geometric_means_of_pairs():
    mine, other = constant("maml", eigenvalue=6.0), constant("maml", eigenvalue=-2.0)
    found = learned_tables.times(mine, other, "eigenvalue")
    assert found is not None
    assert (found.mean, found.low, found.high) == pytest.approx((3, 3, 3))


def test_a_magnitude_over_powers_of_ten_has_a_geometric_mean():
    one = replace(constant("maml"), eigenvalue=np.array([[1.0, -100.0], [1.0, -100.0]]))
    assert learned_tables.interval(one, "eigenvalue").mean == pytest.approx(10)
    single = replace(one, scaled=np.array([[1.0], [100.0], [10.0]]))
    found = learned_tables.interval(single, "scaled")
    assert found.mean == pytest.approx(10)
    assert 0 < found.low < 10 < found.high, "with one group of tasks, over seeds"


def test_what_is_said_of_curvature_follows_the_numbers():
    def said(**given: float) -> str:
        measured = everywhere("maml") + everywhere("turtle", **given)
        return learned_words.curvature_sentence(measured, {"maml": "MAML", "turtle": "TURTLE"})

    curved = said(eigenvalue=20.0, scaled=20.0)
    assert "**in every form** TURTLE (10 times) (over tasks and trainings, corrected for 3 comparisons" in curved
    assert "). But a random" in curved
    assert "**not surely in any form** TURTLE (0.50 times)" in said(eigenvalue=1.0, scaled=1.0)
    assert "**in some forms** TURTLE (1.0 to 2.0 times)" in said(eigenvalue=2.0, scaled=4.0)
    assert "only TURTLE." in said(rise=0.5)


def test_what_is_said_of_gradients_follows_the_numbers():
    def said(cosine: float) -> str:
        measured = everywhere("maml", cosine=0.6) + everywhere("turtle", cosine=cosine)
        return learned_words.gradient_sentence(measured, {"maml": "MAML", "turtle": "TURTLE"}, ALL)

    assert "the cosine is 0.60" in said(0.6)
    assert "Below MAML's: TURTLE (0.2" in said(0.2)
    assert "Above MAML's: TURTLE (0.9" in said(0.9)
    text = learned_words.gradient_sentence([constant("turtle", block=RULE)], NAMES, RULE)
    assert text.startswith("The cosine is, of learned optimisers: TURTLE (0.5"), "MAML has no rule to compare with"


def test_several_learners_beside_maml_share_one_chance_of_erring():
    base = constant("maml", cosine=0.6)
    just = replace(constant("turtle"), cosine=base.cosine - 0.2 + np.array([[-0.06], [0.0], [0.06]]))
    names = {"maml": "MAML", "turtle": "TURTLE"}
    assert "Below MAML's: TURTLE" in learned_words.gradient_sentence([base, just], names, ALL)
    rest = [replace(just, learner=name, cosine=base.cosine + 0.0) for name in ("meta-lstm", "meta-lstm-enhanced")]
    every = names | {one.learner: one.learner for one in rest}
    said = learned_words.gradient_sentence([base, just, *rest], every, ALL)
    assert "Not to be told from MAML's: TURTLE" in said
    assert said.endswith("(over tasks and trainings, corrected for 3 comparisons by Holm's method.)")


def test_a_relation_is_claimed_over_runs_and_within_learners():
    measured = [
        constant(name, cosine=c, scaled=s)
        for name, c, s in zip(NAMES, (0.9, 0.5, 0.1), (1.0, 10.0, 100.0), strict=True)
    ]
    text = learned_words.relation_sentence(measured, NAMES, ALL, "scaled")
    assert text.startswith("Over these 9 runs, cosine and this curvature have a rank correlation of −0.")
    assert learned_words.relation_sentence(measured[:2], {"maml": "MAML", "turtle": "TURTLE"}, ALL, "scaled") == ""


def test_courses_go_from_untrained_over_what_was_kept():
    measured = [constant("maml", moment, i) for moment, i in ((UNTRAINED, 0), (KEPT, 100), (KEPT, 200), (TRAINED, -1))]
    (course,) = learned_tables.courses(measured, NAMES, ALL, "cosine")
    assert course.iterations.tolist() == [0, 100, 200]
    assert learned_tables.courses(measured[:1], NAMES, ALL, "cosine") == []


@pytest.mark.parametrize("dark", [False, True])
def test_a_row_is_a_mark_with_its_interval_seeds_and_control(dark: bool):
    panel = figures.Panel("t", "x", {"maml": (2.0, 1.0, 4.0)}, {"maml": np.array([1.5, 2.5])}, {"maml": 3.0}, log=True)
    control, seeds, line, mark = figures.panels([figures.Row("maml", "MAML")], [panel], dark).data
    assert (list(control.x), list(seeds.x), list(line.x), list(mark.x)) == ([3.0], [1.5, 2.5], [1.0, 4.0], [2.0])


def test_what_is_said_of_cost_follows_the_numbers():
    def made(power: float) -> Cost:
        n = [10**3, 10**4, 10**5]
        points = [Point("maml", way, 1, k, f * 1e-6 * k**power, int(f * 8 * k**power)) for way, f in WAYS for k in n]
        fits = [
            Fit("maml", way, of, power, power - 0.1, power + 0.1, 1e-6, n[0], 3)
            for way, _ in WAYS
            for of in ("seconds", "peak_bytes")
        ]
        return Cost({}, {}, points, fits)

    WAYS = (("first-order", 1), ("exact", 3))
    text = cost.sentence(made(1.0))
    assert text.startswith("**On these networks, no: it costs a constant factor.** **MAML**'s exact")
    assert "1.00 [0.90, 1.10] in time" in text
    assert "3 times a first-order one in time, 3 times in memory" in text
    assert not cost.sentence(made(2.0)).startswith("**On these")


def test_the_fit_is_drawn_where_it_holds():
    found = answers.restored(Cost, json.loads(cost.SHIPPED.read_text()))
    lines = cost.series(found, "seconds")
    fig = cost_figures.costs("seconds", lines, dark=False)
    fits = [trace for trace in fig.data if trace.line.width == 7]
    assert len(fits) == len(lines)
    for one, trace in zip(lines, fits, strict=True):
        assert trace.x[0] == one.least
        inside = one.n >= one.least
        residual = np.log(one.cost[inside]) - np.log(one.constant * one.n[inside] ** one.exponent)
        assert residual.mean() == pytest.approx(0, abs=1e-9), "least squares on logarithms"
