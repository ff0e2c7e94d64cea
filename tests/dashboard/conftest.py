"""What tests of pages share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from streamlit import config

from dashboard import __main__ as launcher
from dashboard.widgets import library

config._main_script_path = str(launcher.APP)  # pages of tests have the settings of served ones


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """As the launcher has it; what streamlit's test harness runs in this process would otherwise wait for itself."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for own runs."""
    monkeypatch.setattr(library, "RUNS", tmp_path / "runs")
    (tmp_path / "runs").mkdir()
    library._load.clear()  # copies keep their times: a folder of an earlier test would be taken for this one
    library._shots.clear()
    library._tasks.clear()
    return tmp_path / "runs"
