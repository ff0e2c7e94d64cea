"""What the live page computes, against the definitions: tiny untrained learners, every number checked."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import numpy as np
import pytest

from dashboard.components.pad import read_place
from dashboard.scenes import scene_of
from dashboard.views.live import parts as live
from dashboard.views.live import words
from dashboard.widgets.answering import Question, answer_all
from dashboard.widgets.state import MAX_POINTS, X_DOMAIN, View
from engine import Run, Sine, make
from engine.learners import LEARNERS
from engine.networks import MLP
from engine.runs.ensembles import Ensemble
from engine.tasks import stream
from probes.tools.adaptation import Drawing, stops

FEW_STEPS = {
    "finetuning": {"network": MLP((8,)), "test_steps": 6},
    "maml": {"network": MLP((8,)), "steps": 2, "test_steps": 3},
    "lstm": {"hidden": 6, "layers": 1, "steps": 2},
}
SEEDS = 3
SCENE = scene_of(Sine())


def untrained(settings: dict[str, dict], **training: int) -> list[Ensemble]:
    """Untrained learners, three seeds each."""
    made = []
    for name, hyper_parameters in settings.items():
        learner, runs = make(name, **hyper_parameters), []
        for seed in range(SEEDS):
            params = learner.init(stream("init", seed), Sine.spec)
            record = {"seed": seed, "weights_sha256": f"{name}-{seed}", "training": training}
            runs.append(Run(Path(f"{name}-{seed}"), learner, Sine(shots=5), params, record))
        made.append(Ensemble(tuple(runs)))
    return made


@pytest.fixture(scope="module")
def ensembles() -> list[Ensemble]:
    """Three learners of three kinds."""
    return untrained(FEW_STEPS)


def pad_of(view: View, ensembles: list[Ensemble]) -> dict:
    """The pad's data for a view."""
    found = live.answers(SCENE, view, ensembles)
    return live.pad_data(SCENE, view, ensembles, found, answer=7, revision="1", message="")


def decoded(learner: dict, data: dict) -> np.ndarray:
    """The curves as the browser reads them: (stops, 3, grid)."""
    shape = (len(data["stops"]), 3, len(data["grid"]))
    return np.frombuffer(base64.b64decode(learner["curves"]), "<i2").reshape(shape) * data["unit"]


def test_the_pad_holds_every_learner_and_the_truth(ensembles: list[Ensemble]):
    view = View(points=((0.5, 1.0), (-2.0, 0.3)), step=2)
    data = pad_of(view, ensembles)
    json.dumps(data, allow_nan=False)
    assert [learner["name"] for learner in data["learners"]] == list(FEW_STEPS)
    assert data["points"] == [[0.5, 1.0], [-2.0, 0.3]]
    assert data["stops"] == [0, 1, 2, 3, 4, 5, 6]
    assert data["stops"][data["step_index"]] == 2
    assert data["answer"] == 7
    assert data["max_points"] == MAX_POINTS
    assert (data["grid"][0], data["grid"][-1]) == X_DOMAIN
    assert np.allclose(data["truth"], 3 * np.sin(np.array(data["grid"]) + 0.6), atol=6e-4)


def test_every_number_of_the_pad_is_the_mean_and_the_range_of_the_seeds(ensembles: list[Ensemble]):
    view = View(points=((0.5, 1.0), (-2.0, 0.3), (3.0, -1.0)))
    data = pad_of(view, ensembles)
    query = np.linspace(-5, 5, 50)
    for ensemble, learner in zip(ensembles, data["learners"], strict=True):
        curves = decoded(learner, data)
        for i, stop in enumerate(data["stops"]):
            grids, errors = [], []
            for run in ensemble.runs:
                x, y = SCENE.points(view)[:, :1], SCENE.points(view)[:, 1:]
                trajectory = run.adapt(x, y)
                step = min(stop, len(trajectory) - 1)
                grids.append(run.predict(trajectory, SCENE.grid[:, None], step)[:, 0].double().numpy())
                scored = run.predict(trajectory, query[:, None], step)[:, 0].double().numpy()
                errors.append(((scored - 3 * np.sin(query + 0.6)) ** 2).mean())
            expected = np.stack([np.mean(grids, 0), np.min(grids, 0), np.max(grids, 0)])
            assert np.abs(curves[i] - expected).max() < 0.0005 + 1e-5
            assert learner["errors"][i] == pytest.approx(np.mean(errors), rel=1e-3)
            assert learner["errors_lo"][i] == pytest.approx(min(errors), rel=1e-3)
            assert learner["errors_hi"][i] == pytest.approx(max(errors), rel=1e-3)


def test_without_a_true_function_the_error_is_that_of_the_points(ensembles: list[Ensemble]):
    view = View(points=((0.5, 1.0), (-2.0, 0.3)), truth=False)
    data = pad_of(view, ensembles)
    assert data["truth"] is None
    assert data["error_label"] == "support MSE"
    run = ensembles[1].runs[0]
    points = SCENE.points(view)
    trajectory = run.adapt(points[:, :1], points[:, 1:])
    expected = ((run.predict(trajectory, points[:, :1])[:, 0].double().numpy() - points[:, 1]) ** 2).mean()
    found = live.answers(SCENE, view, ensembles)[1]
    assert found.errors[-1, 0] == pytest.approx(expected, rel=1e-5)


def test_a_learner_that_is_off_has_no_numbers_and_is_not_computed(ensembles: list[Ensemble]):
    view = View(on=("finetuning", "lstm"))
    assert [a.learner for a in live.answers(SCENE, view, ensembles)] == ["finetuning", "lstm"]
    rows = {learner["name"]: learner for learner in pad_of(view, ensembles)["learners"]}
    assert rows["maml"]["on"] is False
    assert rows["maml"]["curves"] == ""
    assert set(rows["maml"]["errors"]) == {None}
    assert rows["lstm"]["on"] is True
    assert None not in rows["lstm"]["errors"]


def test_learners_chosen_among_other_runs_are_no_choice_here(ensembles: list[Ensemble]):
    assert len(live.answers(SCENE, View(on=("sap", "film")), ensembles)) == len(FEW_STEPS)
    assert [a.learner for a in live.answers(SCENE, View(on=("sap", "maml")), ensembles)] == ["maml"]
    assert live.answers(SCENE, View(on=()), ensembles) == []


def test_the_pad_says_what_is_on_at_first_and_which_switches_were_heard(ensembles: list[Ensemble]):
    found = live.answers(SCENE, View(on=("maml",)), ensembles)
    data = live.pad_data(SCENE, View(on=("maml",)), ensembles, found, answer=0, revision="1", message="", turn=3)
    assert data["turn"] == 3
    assert [(one["on"], one["first"], one["meta_trained"]) for one in data["learners"]] == [
        (False, True, True), (True, True, True), (False, True, True),
    ]  # fmt: skip


def test_a_learner_that_learned_nothing_before_is_not_said_to_have():
    untaught = untrained({"scratch": {"network": MLP((8,)), "test_steps": 3}})
    mixed = untrained({"scratch": {"network": MLP((8,)), "test_steps": 3}, "maml": {"network": MLP((8,)), "steps": 2}})
    view = View(points=((0.5, 1.0),))
    assert (
        live.pad_data(SCENE, view, mixed, [], answer=0, revision="1", message="")["learners"][0]["meta_trained"]
        is False
    )
    assert "trained" not in words.sentence(SCENE, view, untaught, live.answers(SCENE, view, untaught))
    assert "Those that were meta-trained had 5." in words.sentence(SCENE, view, mixed, live.answers(SCENE, view, mixed))
    assert words.experience("sine waves", untaught) == "From scratch learned nothing before. "
    assert (
        words.experience("sine waves", mixed)
        == "From scratch learned nothing before. The others met many sine waves in training. "
    )


def test_how_many_tasks_learners_met_is_read_from_their_runs():
    trained = untrained({"maml": {"network": MLP((8,))}}, iterations=5000, meta_batch=4)
    longer = untrained({"lstm": {"hidden": 6, "layers": 1}}, iterations=17_500, meta_batch=4)
    assert words.experience("sine waves", trained) == "Each learner met 20,000 sine waves in training. "
    assert (
        words.experience("sine waves", [*trained, *longer])
        == "Each learner met 20,000 to 70,000 sine waves in training. "
    )
    assert words.experience("sine waves", []) == ""


@pytest.mark.parametrize("name", LEARNERS)
def test_a_formula_is_whole_in_the_text(name: str):
    def bare(text: str) -> str:
        return text.replace("$", "").replace("&ensp;", r"\quad").replace("{", "").replace("}", "").replace(" ", "")

    text = words.inline(LEARNERS[name].formula)
    assert bare(text) == bare(LEARNERS[name].formula)
    assert text.count("$") % 2 == 0
    assert all(part.count("{") == part.count("}") for part in text.split("$")), "every equation stands alone"


def test_a_formula_breaks_between_its_equations():
    assert words.inline(r"a = b, \quad c = d") == r"${a = b,}$ &ensp;${c = d}$"
    assert words.inline(r"\text{a \quad b}") == r"$\text{a \quad b}$"
    assert words.inline("a = " + "b + " * 40 + "c").startswith("$a"), "a long equation may break within"


@pytest.mark.parametrize(
    ("points", "ideas", "says"),
    [
        (5, 8, "Five points. Eight ideas of what comes next."),
        (1, 1, "One point. One idea of what comes next."),
        (12, 19, "Twelve points. Nineteen ideas of what comes next."),
        (21, 0, "21 points. No idea of what comes next."),
    ],
)
def test_the_headline_counts_points_and_learners(points: int, ideas: int, says: str):
    assert words.headline(points, ideas) == says


def test_the_highest_point_stays_inside_the_picture(ensembles: list[Ensemble]):
    for height in (1.0, 5.0, 8.0, 12.0):
        low, high = pad_of(View(points=((0.0, height),)), ensembles)["y_domain"]
        assert low == -high
        assert height <= high


def said(view: View, ensembles: list[Ensemble]) -> str:
    return words.sentence(SCENE, view, ensembles, live.answers(SCENE, view, ensembles))


def test_the_sentence_names_the_nearest_and_the_farthest(ensembles: list[Ensemble]):
    view = View(points=((0.5, 1.0), (-2.0, 0.3), (1.0, 2.0)))
    found = live.answers(SCENE, view, ensembles)
    ends = sorted((a.errors[-1].mean(), e.learner.title) for e, a in zip(ensembles, found, strict=True))
    sentence = said(view, ensembles)
    assert sentence.startswith("3 points. These learners were trained with 5.")
    numbers = [float(number) for number in re.findall(r"(?:MSE |\()(\d[\d.e+-]*)\b", sentence)]
    assert numbers == pytest.approx([ends[0][0], ends[-1][0]], rel=0.06)
    assert sentence.index(ends[0][1]) < sentence.index(ends[-1][1])


def test_the_sentence_for_one_point_one_learner_and_none(ensembles: list[Ensemble]):
    one = said(View(points=((0.5, 1.0),), on=("finetuning",)), ensembles)
    assert one.startswith("1 point. ")
    assert "Finetuning ends at a query MSE of " in one
    assert said(View(on=()), ensembles).startswith("Every learner is switched off")
    assert "support MSE" in said(View(truth=False), ensembles)


def test_table_and_export_agree_with_the_pad(ensembles: list[Ensemble]):
    view = SCENE.draw(View(on=("maml", "lstm")))
    found, data = live.answers(SCENE, view, ensembles), pad_of(view, ensembles)
    rows, content = live.table(ensembles, found), live.export(SCENE, view, ensembles, found)
    json.dumps(content, allow_nan=False)
    assert content["points"] == data["points"]
    assert content["view"]["on"] == ["maml", "lstm"]
    assert {row["learner"] for row in rows} == {"maml", "lstm"} == {one["learner"] for one in content["learners"]}
    by_name = {learner["name"]: learner for learner in data["learners"]}
    for one in content["learners"]:
        shown = by_name[one["learner"]]
        assert [run["weights_sha256"] for run in one["runs"]] == [f"{one['learner']}-{seed}" for seed in range(SEEDS)]
        assert np.mean(one["mse"], 1) == pytest.approx(shown["errors"], rel=1e-3)
        assert np.abs(np.mean(one["curves"], 1) - decoded(shown, data)[:, 0]).max() < 0.0006
        for row in (row for row in rows if row["learner"] == one["learner"]):
            assert row["mse"] == one["mse"][one["steps"].index(row["step"])][row["seed"]]
        taken = {row["step"] for row in rows if row["learner"] == one["learner"]}
        assert max(taken) == shown["steps"], "the table has no steps that a learner did not take"


def test_visitors_with_other_points_and_learners_are_answered_together_as_alone(ensembles: list[Ensemble]):
    views = [
        View(on=("maml", "lstm")),
        View(on=("lstm",), points=((0.0, 1.0), (1.0, 2.0), (2.0, 0.5))),
        View(on=("maml",), points=((0.0, 1.0), (1.0, 2.0), (2.0, -0.5)), truth=False),
        View(on=("maml", "lstm"), points=((0.5, 1.0), (1.0, 2.0), (2.0, -0.5))),
        View(on=()),
    ]
    steps = tuple(stops(ensembles))

    def question(view: View) -> Question:
        drawing = Drawing(SCENE.points(view), SCENE.true_function(view, SCENE.even) if view.truth else None)
        return Question(drawing, live.shown(view, ensembles), steps, None, SCENE.grid, SCENE.even)

    for view, found in zip(views, answer_all([question(view) for view in views]), strict=True):
        alone = live.answers(SCENE, view, ensembles)
        assert [a.learner for a in found] == [a.learner for a in alone]
        for one, other in zip(found, alone, strict=True):
            assert np.allclose(one.curves, other.curves, rtol=1e-4, atol=1e-5)
            assert np.allclose(one.errors, other.errors, rtol=1e-3, atol=1e-6)


def test_while_a_hand_moves_only_the_stop_on_screen_is_drawn(ensembles: list[Ensemble]):
    view = View(on=("maml", "lstm"))
    whole, some = live.answers(SCENE, view, ensembles), live.answers(SCENE, view, ensembles, 1)
    packed = {"answer": 1, "revision": "0", "message": ""}
    data, every = (live.pad_data(SCENE, view, ensembles, found, **packed) for found in (some, whole))
    assert (data["drawn"], every["drawn"]) == ([1], list(range(len(every["stops"]))))
    size = 3 * len(SCENE.grid)
    for name in view.on or ():
        curves, all_curves = (
            np.frombuffer(base64.b64decode(next(r["curves"] for r in d["learners"] if r["name"] == name)), "<i2")
            for d in (data, every)
        )
        assert curves.shape == (size,)
        assert np.abs(curves.astype(int) - all_curves[size : 2 * size]).max() <= 1
    assert live.answers(SCENE, view, ensembles, 99)[0].drawn.tolist() == data["stops"], "a place that is none draws all"


@pytest.mark.parametrize("place", [None, True, -1, 1.5, "2", 2**60, [1]])
def test_a_place_that_is_none_is_read_as_all_of_them(place: object):
    assert read_place(place) is None


def test_learners_that_the_user_trained_are_named_so(ensembles: list[Ensemble]):
    view = View(on=("maml",))
    data = live.pad_data(
        SCENE, view, ensembles, live.answers(SCENE, view, ensembles), answer=1, revision="0", message="", yours=["maml"]
    )
    labels = {row["name"]: row["label"] for row in data["learners"]}
    assert labels["maml"] == "MAML (yours)"
    assert not any("yours" in label for name, label in labels.items() if name != "maml")
