"""How the pages are served: tuned by whichever command, with settings that exist, and one line for a wrong call."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from streamlit import config
from streamlit.testing.v1 import AppTest

from dashboard import __main__ as launcher
from dashboard.serving import server as serving
from dashboard.serving.guard import Guard
from dashboard.serving.readonly import VARIABLE

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
    at.switch_page("views/train/train.py")
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
    ("host", "also", "names"),
    [
        ("127.0.0.1", [], ["localhost", "127.0.0.1", "::1"]),
        ("lab.example", ["lab"], ["localhost", "127.0.0.1", "::1", "lab.example", "lab"]),
        ("0.0.0.0", [], []),
        ("::", ["lab.example"], ["localhost", "127.0.0.1", "::1", "lab.example"]),
    ],
)
def test_browsers_reach_the_server_by_names_that_were_given(host: str, also: list[str], names: list[str]):
    found = launcher.settings(host, 80, headless=True, read_only=False, also=also)
    assert found["server.allowedHosts"] == names


@pytest.mark.parametrize(
    ("words", "warned", "guarded"),
    [
        ([], False, [frozenset()]),
        (["--host", "0.0.0.0"], True, [frozenset()]),
        (["--host", "lab.example", "--allowed-host", "a", "--allowed-host", "b"], True, [frozenset("ab")]),
        (["--host", "0.0.0.0", "--read-only", "--allow-embedding"], False, []),
    ],
)
def test_a_server_for_others_says_what_they_can_do(words, warned: bool, guarded: list, capsys, monkeypatch):
    class App:
        def __init__(self, _: Path, middleware: list) -> None:
            assert [one.kwargs["hosts"] for one in middleware] == guarded

        def run(self, config: dict) -> None:
            assert set(config) <= set(launcher_options())

    launcher_options = config.get_config_options
    monkeypatch.setattr("streamlit.App", App)
    monkeypatch.setattr(serving, "tune", lambda: None)
    monkeypatch.setenv(VARIABLE, "")
    monkeypatch.setattr(sys, "argv", ["innerloop"])
    launcher.main(words)
    said = capsys.readouterr().out.splitlines()
    assert said[1:] == [launcher.WARNING] * warned


def test_a_page_behind_a_proxy_may_call_by_the_name_that_was_allowed():
    guard = Guard(lambda *_: None, hosts={"lab.example"})  # type: ignore[arg-type, return-value]
    assert guard._welcome({b"origin": b"https://lab.example", b"host": b"127.0.0.1:8501"})
    assert not guard._welcome({b"origin": b"https://lab.example.org", b"host": b"127.0.0.1:8501"})
    assert not guard._welcome({b"origin": b"http://[", b"host": b"127.0.0.1:8501"})


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
