"""A mistake on the command line is one sentence, an exit code, and no file: known mistakes, and drawn ones."""

import errno
import json
from dataclasses import fields

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import EngineError
from engine.learners import LEARNERS
from engine.runs.budget import Training
from engine.tasks import TASKS
from tests.engine.cli.shell import run

MISTAKES = [
    (["train", "mamal"], "There is no learner called 'mamal'; known are"),
    (["train", "maml", "--task", "cosine"], "There is no task called 'cosine'"),
    (
        ["train", "protonet", "--task", "sine"],
        "protonet on sine: it learns classification tasks;",
    ),
    (["train", "maml", "--task", "sine-families", "--set", "task.varied=hue"], "each named once; 'hue' is unknown."),
    (["train"], "Say either which learner to train, or --all."),
    (["train", "maml", "--all"], "Say either which learner to train, or --all."),
    (["train", "maml", "--set", "depth=2"], "has no parameter 'depth'"),
    (["train", "maml", "--set", "inner_lr=fast"], "cannot take inner_lr = 'fast'"),
    (["train", "maml", "--set", "inner_lr=Infinity"], "cannot take inner_lr = inf: every number must be finite"),
    (["train", "maml", "--set", "inner_lr"], "--set takes KEY=VALUE"),
    (["train", "maml", "--set", "=3"], "--set takes KEY=VALUE"),
    (["train", "maml", "--set", "training.lr=0"], "The training cannot take lr = 0"),
    (["train", "maml", "--set", "training.speed=9"], "The training has no parameter 'speed'"),
    (["train", "maml", "--set", "task.noise=-1"], "The task sine cannot take noise = -1"),
    (["train", "maml", "--set", "task.inputs=[5,-5]"], "the lower end of a range comes first"),
    (["train", "maml", "--recipe", "secret"], "no recipe collection for sine called 'secret'"),
    (["train", "lstm", "--recipe", "published"], "no learner in the recipes 'published' called 'lstm'"),
    (["train", "maml", "--device", "tpu"], "--device must be auto, cpu or cuda"),
    (["train", "maml", "--device", "cuda"], "PyTorch finds no GPU here"),
    (["evaluate", "nowhere"], "There is no run folder at nowhere."),
    (["resume", "nowhere"], "There is no run folder at nowhere."),
    (["resume", ".", "--device", "cuda"], "PyTorch finds no GPU here"),
    (["evaluate", "."], "is not a run folder: it has no run.json"),
    (["evaluate", ".", "--device", "cuda"], "PyTorch finds no GPU here"),
    (["table", "--device", "cuda"], "PyTorch finds no GPU here"),
    (["reproduce", "--device", "cuda"], "PyTorch finds no GPU here"),
    (["structure", "--device", "cuda"], "PyTorch finds no GPU here"),
    (["train", "maml", "--seeds", "0"], "0 is not in the range 1<=x<=64. See `python -m engine train --help`."),
    (["train", "maml", "--shots", "few"], "'few' is not a valid integer"),
    (["train", "maml", "--sead", "3"], "No such option '--sead'. (Did you mean"),
    (["evaluate"], "Missing argument 'FOLDER'. See `python -m engine evaluate --help`."),
    (["evaluate", ".", "--steps"], "Option '--steps' requires an argument."),
    (["export", ".", "--format", "rar"], "'rar' is not one of"),
    (["fly"], "No such command 'fly'. See `python -m engine --help`."),
]


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """A working folder that must stay empty, on a machine without a GPU."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.chdir(tmp_path)
    yield
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("arguments", "message"), MISTAKES)
def test_a_mistake_ends_in_one_line_and_writes_nothing(capsys, empty, arguments, message):
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert err.startswith("Error: ")
    assert err.count("\n") == 1


class Accepted(EngineError):
    """A configuration that is possible."""


OWN = sorted({field.name for cls in LEARNERS.values() for field in fields(cls)})
GROUPED = [f"training.{field.name}" for field in fields(Training)]
GROUPED += sorted({f"task.{field.name}" for cls in TASKS.values() for field in fields(cls)})
WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    learner=st.sampled_from(list(LEARNERS)) | WORDS,
    task=st.sampled_from(list(TASKS)) | WORDS,
    set_=st.lists(st.tuples(st.sampled_from(OWN + GROUPED) | WORDS, JSON.map(json.dumps) | WORDS), max_size=3),
    numbers=st.dictionaries(st.sampled_from(["--shots", "--seeds", "--iterations"]), st.integers().map(str) | WORDS),
)
def test_no_configuration_does_more_than_be_refused(learner, task, set_, numbers, capsys, empty, monkeypatch):
    """Whatever is asked for is either possible, or one line and exit code 2: never another error, never a file."""

    def reached(*_, **__):
        raise Accepted("possible")

    monkeypatch.setattr("engine.training.plans.plan", reached)
    words = [f"--task={task}", *(f"{key}={value}" for key, value in numbers.items())]
    words += [f"--set={key}={value}" for key, value in set_]
    code, out, err = run(capsys, "train", *words, "--detach", "--", learner)
    assert (code, out) == (2, "")
    assert err.startswith("Error: ") and err.count("\n") == 1 and len(err) < 2000


def test_without_a_command_it_teaches(capsys, empty):
    code, out, err = run(capsys)
    assert code == 2
    assert "A first round trip" in out + err


def test_what_the_system_refuses_is_told_with_the_file_if_it_names_one(capsys, monkeypatch):
    """A full disk names none: no "None" in its place, on the command line, on pages and in records."""
    full, missing = OSError(errno.ENOSPC, "No space left on device"), FileNotFoundError(2, "No such file", b"a/b")
    for error, said in ((full, "No space left on device."), (missing, "a/b: No such file."), (OSError(), "OSError.")):
        monkeypatch.setattr("engine.learners.LEARNERS", Raises(error))
        assert run(capsys, "learners") == (2, "", f"Error: {said}\n")


class Raises:
    """Stands for anything that asks the system for something."""

    def __init__(self, error: OSError) -> None:
        self.error = error

    def __getattr__(self, name: str) -> None:
        raise self.error
