"""How the pages are served: tuned by whichever command, with settings that exist, and one line for a wrong call."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from streamlit import config
from streamlit.testing.v1 import AppTest

from dashboard import __main__ as launcher
from dashboard import serving

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def untuned() -> Iterator[None]:
    """A process that has not been tuned, and is as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    serving.tune.cache_clear()
    yield
    serving.tune.cache_clear()
    gc.unfreeze()
    torch.set_num_threads(before)


@pytest.mark.parametrize("served", [True, False])
def test_streamlit_run_is_tuned_like_the_launcher_and_a_test_is_not(served: bool, untuned: None, monkeypatch):
    started: list[bool] = []
    monkeypatch.setattr(serving, "served", lambda: served)
    monkeypatch.setattr(serving.crew, "expect", lambda: started.append(True))
    at = AppTest.from_file(str(ROOT / "dashboard" / "app.py"), default_timeout=120)
    at.switch_page("views/train.py")
    at.run()
    assert not at.exception
    with ThreadPoolExecutor(1) as another_visitor:  # each thread takes the setting over when it first needs it
        assert another_visitor.submit(torch.get_num_threads).result() == (1 if served else 2)
    assert (gc.get_freeze_count() > 10_000) == served
    assert started == [True] * served


def test_a_test_is_no_server():
    assert not serving.served()


def test_every_setting_of_the_launcher_exists():
    for read_only in (False, True):
        found = launcher.settings("0.0.0.0", 80, headless=True, read_only=read_only)
        assert set(found) <= set(config.get_config_options())
    assert found["client.showErrorDetails"] == "type"
    assert found["server.maxUploadSize"] == 1
    mine = launcher.settings("127.0.0.1", 80, headless=True, read_only=False)
    assert "client.showErrorDetails" not in mine and "server.maxUploadSize" not in mine


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--port", "many"], "argument --port: invalid int value: 'many'"),
        (["--port", "0"], "--port must be between 1 and 65535, not 0"),
        (["--readonly"], "unrecognized arguments: --readonly"),
        (["--host"], "argument --host: expected one argument"),
    ],
)
def test_a_wrong_call_is_one_line(words: list[str], message: str, capsys):
    with pytest.raises(SystemExit) as ended:
        launcher.main(words)
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", f"Error: {message}. See `python -m dashboard --help`.\n")
