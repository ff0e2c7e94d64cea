"""Images from the shell: glyphs, a folder of the user's own, and a run tested in another domain."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.cli.main import main
from engine.evaluation import held_out_lazily
from engine.learners import LEARNERS
from engine.networks import Conv4
from engine.runs.run import load, read_record
from engine.tasks import Digits, Folders, Glyphs, Sine
from engine.training import recipes
from tests.engine.tasks.images.test_folders import fill

ROOT = Path(__file__).resolve().parents[3]
TINY = ["training.meta_batch=1", "training.validation_tasks=2", "task.queries=2", "encoder.channels=4"]
SMALL = [word for setting in TINY for word in ("--set", setting)]


def run(capsys, *arguments):
    code = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture(scope="module")
def glyphs(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    said = ["train", "protonet", "--task", "glyphs", "--shots", 1, "--iterations", 2, "--runs", root, *SMALL, "--json"]
    assert main([str(word) for word in said]) == 0
    return root / "protonet-k1-s0"


def test_a_run_on_glyphs_opens_with_the_network_of_its_recipe(glyphs):
    opened = load(glyphs)
    assert opened.learner.encoder == Conv4(channels=4, blocks=3, norm="support")
    assert opened.record["metrics"]["test_accuracy"] > 0


def test_images_are_tested_on_600_tasks_of_15_queries_each_and_waves_on_2000(glyphs, capsys):
    assert load(glyphs).record["metrics"]["test_tasks"] == 600
    for cls in (Glyphs, Digits, Folders):
        assert (cls().test_tasks, cls().queries) == (600, 15)
    assert Sine().test_tasks == 2000
    assert len(held_out_lazily(Sine()).query_y) == 2000
    code, out, _ = run(capsys, "evaluate", glyphs, "--task", "digits", "--set", "queries=1", "--json")
    found = json.loads(out)
    assert (code, found["tasks"], found["queries"]) == (0, 600, 1)


def test_the_published_tests_had_as_many_queries_as_shots(glyphs, capsys):
    said = ("evaluate", glyphs, "--published-queries", "--tasks", 4)
    assert json.loads(run(capsys, *said, "--json")[1])["queries"] == 1
    found = json.loads(run(capsys, *said, "--set", "shots=3", "--task", "digits", "--json")[1])
    assert (found["shots"], found["queries"]) == (3, 3)
    answers = 4 * 5 * 3  # of 4 tasks
    assert found["accuracy"] * answers == pytest.approx(round(found["accuracy"] * answers), abs=1e-4)
    code, _, err = run(capsys, *said, "--set", "queries=4")
    assert (code, err) == (2, "Error: Say either --published-queries or --set queries=4, not both.\n")


def test_a_run_is_tested_in_another_domain_with_the_shots_and_ways_of_its_training(glyphs, capsys):
    code, out, _ = run(capsys, "evaluate", glyphs, "--task", "digits", "--tasks", 20, "--json")
    assert code == 0
    found = json.loads(out)
    assert (found["shots"], found["tasks"]) == (1, 20)
    assert 0 < found["accuracy"] < 1
    code, _, err = run(capsys, "evaluate", glyphs, "--task", "digits", "--set", "side=28", "--tasks", 2)
    assert (code, err.count("\n")) == (2, 1)
    assert "takes inputs (1, 14, 14) and has 5 outputs; a task with (1, 28, 28) and 5 was asked for" in err


def test_a_folder_is_trained_on_and_tested_in(glyphs, tmp_path, capsys):
    there = fill(tmp_path / "mine", [f"c{i}" for i in range(34)], count=3)
    how = ["--set", "training.meta_batch=1", "--set", "training.validation_tasks=2", "--set", "encoder.channels=4"]
    small = ["--set", "task.queries=2", "--set", "task.side=8"]
    said = ("--data", there, "--shots", 1, "--iterations", 1, "--runs", tmp_path / "runs", *how, *small)
    code, _, err = run(capsys, "train", "protonet", *said, "--json")
    assert code == 0, err
    opened = load(tmp_path / "runs" / "protonet-k1-s0")
    assert (opened.record["task"], opened.record["task_parameters"]["path"]) == ("folders", str(there))
    code, out, err = run(capsys, "evaluate", glyphs, "--data", there, "--tasks", 5, "--json")
    assert code == 0, err
    assert json.loads(out)["tasks"] == 5


def test_a_training_that_cannot_be_drawn_leaves_nothing_behind(tmp_path, capsys):
    code, _, err = run(capsys, "train", "maml", "--task", "digits", "--shots", 1, "--runs", tmp_path / "runs")
    assert (code, err.count("\n")) == (2, 1)
    assert "digits is for tests" in err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("learner", [name for name, cls in LEARNERS.items() if "classification" in cls.kinds])
def test_tasks_of_images_are_trained_with_convolutions(learner):
    for task in ("glyphs", "folders"):
        found = recipes.recipe(task, "default", learner, 1)
        taking = {field for field in ("network", "encoder") if field in LEARNERS[learner].__dataclass_fields__}
        names = {key: value["name"] for key, value in found.hyper_parameters.items() if key in taking}
        assert names == dict.fromkeys(taking, "conv4")


def test_a_command_takes_one_thread(tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    tiny = ["training.meta_batch=1", "training.validation_tasks=2", "network.widths=[3]", "test_steps=1"]
    said = ["--iterations", "1", "--shots", "2", *(word for one in tiny for word in ("--set", one))]
    command = [sys.executable, "-m", "engine", "train", "maml", *said, "--runs", str(tmp_path)]
    subprocess.run(command, check=True, env=environment, cwd=ROOT, capture_output=True)
    assert read_record(tmp_path / "maml-k2-s0")["threads"] == 1
