"""Asking probes: unknown names, settings, runs that cannot be asked, and answers as plain data."""

import json
import shutil
from dataclasses import dataclass

import numpy as np
import pytest
import torch

import probes
from engine.errors import BadConfig, BadInput, UnknownName
from engine.learners import make
from engine.runs.run import describe, save
from engine.tasks import Sine, stream
from probes import asking
from probes.cli import main
from probes.probe import Probe


@dataclass(frozen=True)
class Config:
    tasks: int = 3


@dataclass(frozen=True)
class Answer:
    names: list[str]
    values: np.ndarray


@pytest.fixture
def counting(monkeypatch):
    """A probe that applies to gradient learners only."""
    probe = Probe(
        "counting",
        "How many?",
        Config,
        (lambda e: None if e.learner.family == "gradient" else f"{e.learner.name} takes no gradient steps.",),
        lambda es, config, progress: Answer([e.learner.name for e in es], np.full((len(es),), config.tasks)),
    )
    monkeypatch.setitem(probes.PROBES._builtin, "counting", probe)


@pytest.fixture
def folders(tmp_path):
    for name, seed in (("maml", 0), ("maml", 1), ("lstm", 0)):
        learner = make(name)
        save(
            tmp_path / f"{name}-{seed}", learner.init(stream("init", seed), Sine.spec), describe(learner, Sine(), seed)
        )
    return sorted(tmp_path.iterdir())


def test_a_run_that_is_named_twice_or_copied_is_one(folders, tmp_path):
    copy = tmp_path / "copy" / folders[0].name
    shutil.copytree(folders[0], copy)
    once, twice = asking.gather(folders), asking.gather([*folders, folders[0], copy])
    assert [e.saved for e in once] == [e.saved for e in twice]


def test_seeds_are_gathered_and_only_what_applies_is_asked(counting, folders):
    ensembles = asking.gather(folders)
    assert sorted(len(e.runs) for e in ensembles) == [1, 2]
    got = asking.ask("counting", ensembles, {"tasks": 5})
    assert got.names == ["maml"]
    assert got.values.tolist() == [5]


def test_what_cannot_be_asked_is_said(counting, folders):
    lstm = [e for e in asking.gather(folders) if e.learner.name == "lstm"]
    with pytest.raises(BadInput, match=r"lstm takes no gradient steps\."):
        asking.ask("counting", lstm, {})
    with pytest.raises(BadConfig, match="probe counting has no parameter 'task'"):
        asking.ask("counting", lstm, {"task": 5})
    with pytest.raises(UnknownName, match="no probe called 'guessing'"):
        asking.ask("guessing", lstm, {})


def test_answers_become_plain_data():
    answer = Answer(["a"], np.array([1.5, np.nan, np.inf]))
    assert asking.plain(answer) == {"names": ["a"], "values": [1.5, None, None]}
    assert asking.plain({1: torch.tensor([[2]]), "x": np.float32(0.5)}) == {"1": [[2]], "x": 0.5}


def test_an_answer_is_written_where_it_can_be(tmp_path):
    asking.write(tmp_path / "a.json", Answer([], np.zeros(2)))
    assert json.loads((tmp_path / "a.json").read_text()) == {"names": [], "values": [0.0, 0.0]}
    with pytest.raises(BadInput, match=r"takes a \.json file"):
        asking.write(tmp_path / "a.pkl", Answer([], np.zeros(2)))


def test_the_command_line_lists_every_probe(capsys):
    assert main(["list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == list(probes.PROBES)
    assert all(row["question"].endswith("?") for row in rows)
    assert all(need.endswith(".") for row in rows for need in row["needs"])
    assert [row["name"] for row in rows if not row["needs"]] == ["behaviour"]


def test_a_wrong_probe_ends_with_code_2(capsys):
    assert main(["guessing"]) == 2
    said = capsys.readouterr().err
    assert "guessing" in said
    assert said.count("\n") == 1, "one line"
