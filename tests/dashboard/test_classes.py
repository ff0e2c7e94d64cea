"""Runs of classification on every part of every page: what fits is drawn, what does not says what it needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboard.widgets.pages import PAGES
from engine.learners import make
from engine.runs.run import save
from engine.tasks import TASKS, stream
from tests.dashboard.pages import charts, fine, linked
from tests.dashboard.test_library import add_run

LEARNERS = ("maml", "protonet", "op-lstm", "sap")
FAST = {"behaviour-tasks": "50", "landscape-task-size": "21", "landscape-meta-size": "15", "landscape-meta-tasks": "5"}
PARTS = {
    "behaviour": ("Adaptation", "Task by task", "Shots", "Factors"),
    "features": ("Broadness", "Similarity"),
    "landscape": ("Task loss", "Learned rules"),
    "rules": ("Directions", "Black boxes", "Memory"),
    "operations": ("Worth", "What they answer to"),
    "attribution": ("Points",),
}
NEEDS = {"Shots", "Broadness", "Black boxes", "What they answer to", "Points"}  # functions of numbers


@pytest.mark.parametrize(("page", "part"), [(page, part) for page, parts in PARTS.items() for part in parts])
def test_every_part_draws_or_says_what_it_needs(page: str, part: str, own: Path):
    for learner in LEARNERS:
        add_run(own / "classes", learner, "gaussian-classes", 5)
    query = {"runs": "my-classes", "on": ",".join(LEARNERS), f"{PAGES[page].prefix}-part": part}
    at = fine(linked(page, FAST | query))
    assert not at.warning
    if part in NEEDS:
        assert not charts(at)
        (info,) = (one.value for one in at.info)
        assert "gaussian-classes" in info and len(info) < 300
    else:
        assert charts(at) or "landscape-rules-ask" in {button.key for button in at.button}
        assert not any("mean squared error" in caption.value for caption in at.caption)


@pytest.mark.parametrize("part", [("behaviour", "Adaptation"), ("features", "Similarity"), ("landscape", "Task loss")])
def test_images_too(part: tuple[str, str], own: Path):
    glyphs, network = TASKS["glyphs"](shots=1), {"name": "conv4", "channels": 4, "blocks": 2}
    record = {"schema": 2, "learner": "maml", "hyper_parameters": {"network": network}, "task": "glyphs", "seed": 0}
    record |= {"shots": 1, "task_parameters": {"shots": 1}, "status": "done"}
    save(own / "images" / "maml-k1-s0", make("maml", network=network).init(stream("init", 0), glyphs.spec), record)
    at = fine(linked(part[0], FAST | {"runs": "my-images", f"{PAGES[part[0]].prefix}-part": part[1]}))
    assert charts(at)
