"""Own runs on the pages without a browser."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from streamlit.testing.v1 import AppTest

from engine.cli.main import main
from engine.runs.run import read_record
from tests.dashboard.pages import ROOT, linked

SHIPPED = ROOT / "checkpoints" / "sine"

FEW = ["--iterations", "2", "--set", "training.validation_tasks=2", "--no-compile", "--json"]
SMALL = ["--set", "network.widths=[4]", "--set", "steps=1", "--set", "test_steps=2", "--set", "inner_lr=1e-7"]


def train(root: Path, task: str, *settings: str, shots: int = 4) -> None:
    """MAML, with a tiny network, for two meta-updates."""
    words = ["train", "maml", "--task", task, "--shots", str(shots), "--runs", str(root), *FEW, *SMALL]
    words += [word for setting in settings for word in ("--set", f"task.{setting}")]
    assert main(words) == 0


def opened(name: str, **query: str) -> AppTest:
    """A page after its first run, at a link; it may show an error, and must not have failed."""
    at = linked(name, query)
    assert not at.exception, at.exception
    return at


def trained(own: Path, status: str = "done", name: str = "maml-k10-s0", **more) -> Path:
    """A shipped run among the own ones, with a status of its own."""
    folder = own / "sine" / name
    shutil.copytree(SHIPPED / "maml-k10-s0", folder)
    record = {**read_record(folder), "status": status, "group": [name], **more}
    (folder / "run.json").write_text(json.dumps(record))
    return folder
