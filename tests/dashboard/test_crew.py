"""Pages show the same numbers whether helpers answer or not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from dashboard.scenes import scene_of
from dashboard.views.live import parts as live
from dashboard.widgets import crew
from dashboard.widgets.crew import CREW
from dashboard.widgets.page import answer_each
from dashboard.widgets.state import View
from engine.runs.ensembles import Ensemble, find_ensembles
from engine.tasks import Sine

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("finetuning", "maml", "lstm", "op-lstm")
SCENE = scene_of(Sine())


@pytest.fixture(scope="module")
def ensembles() -> list[Ensemble]:
    found, _ = find_ensembles(ROOT / "checkpoints" / "sine", "sine", 5)
    return [e for e in found if e.learner.name in NAMES]


@pytest.fixture(scope="module")
def helped() -> Iterator[None]:
    """A server's process, with one helper."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    CREW.start(1, crew.MODULES)
    end = time.monotonic() + 120
    while not CREW.ready:
        assert time.monotonic() < end, "no helper got ready"
        time.sleep(0.05)
    yield
    CREW.close()
    torch.set_num_threads(threads)


def test_adaptations_are_the_same(ensembles: list[Ensemble], helped: None, monkeypatch: pytest.MonkeyPatch):
    view, before = View(on=NAMES), CREW.helped
    together = live.answers(SCENE, view, ensembles)
    assert 0 < CREW.helped - before < len(NAMES)
    monkeypatch.setattr(CREW, "_helpers", [])
    for one, other in zip(together, live.answers(SCENE, view, ensembles), strict=True):
        assert one.learner == other.learner
        assert np.array_equal(one.curves, other.curves) and np.array_equal(one.errors, other.errors)


def test_attributions_are_the_same(ensembles: list[Ensemble], helped: None, monkeypatch: pytest.MonkeyPatch):
    before = CREW.helped
    together = answer_each("attribution", ensembles, task=7, query=1.5)
    assert 0 < CREW.helped - before < len(NAMES)
    assert answer_each("attribution", ensembles, task=7, query=1.5) == together, "asked once"
    monkeypatch.setattr(CREW, "_helpers", [])
    monkeypatch.setattr("dashboard.widgets.page._answers", dict)
    for one, other in zip(together, answer_each("attribution", ensembles, task=7, query=1.5), strict=True):
        (mine,), (yours,) = one.answers, other.answers
        assert mine.learner == yours.learner
        for name in ("before", "after", "shapley", "leave_one_out", "integrated", "walked", "by_layer"):
            assert np.array_equal(getattr(mine, name), getattr(yours, name)), name


def test_one_that_refuses_spoils_no_other(ensembles: list[Ensemble], helped: None):
    """All coalitions of eleven points are too many: each learner says so, and no answer is kept."""
    points = [[x / 2, 1.0] for x in range(11)]
    assert answer_each("attribution", ensembles, points=points, orders=0) == [None] * len(NAMES)


def test_a_server_starts_a_helper_for_each_further_core(monkeypatch: pytest.MonkeyPatch):
    started: list[int] = []
    monkeypatch.setattr(CREW, "expect", lambda helpers, modules: started.append(helpers))
    for cores in (1, 2, 4, 64):
        monkeypatch.setattr(crew, "cores", lambda found=cores: found)
        crew.expect()
    assert started == [0, 1, 3, 3]
