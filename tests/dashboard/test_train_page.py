"""The page Train without a browser: its form, the command that it stands for, and what it refuses."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.views.train.fields import choices, explained
from engine.jobs import local as jobs
from engine.learners import LEARNERS, make
from engine.networks import MLP
from engine.runs.budget import Training
from engine.tasks import TASKS, Sine
from engine.training import estimates
from tests.dashboard.own_runs import SHIPPED, opened, trained

pytestmark = pytest.mark.usefixtures("own")


def command(at: AppTest) -> str:
    (code,) = [block.value for block in at.code if "engine train" in block.value]
    return code


@pytest.mark.parametrize("learner", [name for name, cls in LEARNERS.items() if cls.meta_trained])
def test_the_form_has_every_parameter_of_every_learner_with_its_explanation(learner):
    task = "sine" if "regression" in LEARNERS[learner].kinds else "gaussian classes"  # as people read it
    title = LEARNERS[learner].title
    at = opened("train", **{"train-task": task, "train-learner": title})
    assert not at.error
    assert command(at).startswith(f"python -m engine train {learner} ")
    keys = {element.key for kind in ("number_input", "text_input", "checkbox", "selectbox") for element in at.get(kind)}
    for field in (each.name for each in fields(make(learner))):
        assert f"train-{learner}-10-{field}" in keys
        assert explained(LEARNERS[learner])[field]


def test_what_is_changed_is_in_the_shell_command_and_nothing_else():
    at = opened("train")
    assert command(at) == "python -m engine train maml --shots 10 --seeds 3 --detach"
    at.number_input(key="train-maml-10-training-iterations").set_value(1000)
    at.text_input(key="train-maml-10-network-widths").set_value("20, 20")
    at.number_input(key="train-maml-10-inner_lr").set_value(0.02)
    at.number_input(key="train-task-sine-noise").set_value(0.5)
    at.text_input(key="train-folder").set_value("mine")
    said = command(at.run())
    for part in (
        "--runs runs/mine",
        "inner_lr=0.02",
        "'network.widths=[20, 20]'",
        "training.iterations=1000",
        "task.noise=0.5",
    ):
        assert part in said
    assert said.count("--set") == 4


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("train-maml-10-network-widths", "20, many", "cannot take widths"),
        ("train-maml-10-inner_clip", "-1", "cannot take inner_clip"),
        ("train-folder", "../../etc", "A folder's name takes"),
        ("train-maml-10-inner_clip", "x", "cannot take inner_clip"),
    ],
)
def test_what_is_not_possible_is_one_sentence_and_cannot_be_started(key, value, message):
    at = opened("train")
    at.text_input(key=key).set_value(value).run()
    assert not at.exception
    (error,) = at.error
    assert message in error.value
    assert "train-start" not in {button.key for button in at.button}


@pytest.mark.parametrize("task", TASKS)
def test_the_form_explains_every_parameter_of_every_task(task):
    title = task.replace("-", " ")
    learner = "MAML" if TASKS[task]().spec.kind == "regression" else "ProtoNet"
    at = opened("train", **{"train-task": title, "train-learner": learner})
    drawn = {e.key: e for kind in ("number_input", "text_input", "checkbox", "selectbox") for e in at.get(kind)}
    for field in (each.name for each in fields(TASKS[task]) if each.name != "shots"):
        assert drawn[f"train-task-{task}-{field}"].help == explained(TASKS[task])[field]


def test_a_choice_to_compile_or_to_replace_is_in_the_shell_command(own):
    at = opened("train", **{"train-maml-10-training-iterations": "100"})
    assert "compile" not in command(at)
    assert "--compile" in command(at.checkbox(key="train-maml-10-compile").check().run())
    trained(own)
    assert "--replace" not in command(at.run())
    assert command(at.checkbox(key="train-replace").check().run()).endswith(" --replace")


def test_where_own_runs_were_moved_the_shell_is_told(own, monkeypatch):
    monkeypatch.setenv("INNERLOOP_RUNS", str(own))
    said = command(opened("train", **{"train-folder": "mine"}))
    assert said.startswith(f"INNERLOOP_RUNS={own} python -m engine train maml ")
    assert f"--runs {own}/mine " in said


def test_a_device_is_asked_for_only_where_there_is_a_choice(monkeypatch):
    assert "train-device" not in opened("train").session_state
    monkeypatch.setattr(estimates, "machine", lambda: estimates.Machine(2, 10**10, "a GPU"))
    at = opened("train")
    assert "--device" not in command(at)
    at.session_state["train-device"] = "cpu"
    assert "--device cpu" in command(at.run())


@pytest.mark.parametrize(
    "query", [{"train-task": "x"}, {"train-learner": "<b>"}, {"train-shots": "-5"}, {"train-seeds": "zz"}]
)
def test_a_link_with_nonsense_opens_the_page(query):
    assert command(opened("train", **query))


def test_start_queues_the_training_that_the_command_describes(own, monkeypatch):
    planned = []
    monkeypatch.setattr(jobs, "submit", lambda plan, **how: planned.append((plan, how)))
    at = opened("train", **{"train-shots": "5", "train-seeds": "2"})
    at.button(key="train-start").click().run()
    ((plan, how),) = planned
    assert [folder.relative_to(own) for folder in plan.folders] == [Path(f"sine/maml-k5-s{s}") for s in (0, 1)]
    assert plan.training.iterations == 5000
    assert how["queue"] == own / ".queue"


def test_a_taken_name_asks_before_it_replaces(own):
    trained(own)
    at = opened("train")
    assert at.button(key="train-start").disabled
    at.checkbox(key="train-replace").check().run()
    assert not at.button(key="train-start").disabled


def test_memory_is_counted_before_it_is_tried(own):
    """More for more parameters, seeds, tasks and steps, and never more than a trial holds."""
    tiny = make("maml", network=MLP((5,)), steps=1)
    small = estimates.least_memory(tiny, Sine(), Training(meta_batch=1), (0,))
    for wider in (
        (make("maml", network=MLP((500, 500)), steps=1), Sine(), Training(meta_batch=1), (0,)),
        (make("maml", network=MLP((5,)), steps=9), Sine(), Training(meta_batch=1), (0,)),
        (tiny, Sine(), Training(meta_batch=9), (0,)),
        (tiny, Sine(), Training(meta_batch=1), (0, 1)),
    ):
        assert estimates.least_memory(*wider) > small
    assert any("At least 0.4 GB of memory." in caption.value for caption in opened("train").caption)
    trained(own, name="maml-k10-s7", memory=7 * 10**8)
    found = estimates.from_records(make("maml"), Sine(shots=10), Training(), own)
    assert found["memory"] == 7 * 10**8
    other = estimates.from_records(make("maml", network=MLP((9,))), Sine(shots=10), Training(), own)
    assert "memory" not in other and other["seconds"] > 0


def test_an_estimate_is_scaled_from_a_run_like_it():
    learner, training = make("maml"), Training(iterations=10_000, meta_batch=8)
    found = estimates.from_records(learner, Sine(shots=10), training, SHIPPED)
    assert "maml-k10" in found["run"]
    assert found["seconds"] == pytest.approx(4 * found["took"])
    assert estimates.from_records(make("protonet"), Sine(), training, SHIPPED) == {}


def test_choices_and_explanations_come_from_the_code():
    assert choices(Training, "schedule") == ("constant", "cosine", "linear")
    assert choices(Training, "lr") == ()
    assert explained(Training)["lr"] == "outer learning rate at the start."
