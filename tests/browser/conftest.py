"""A served dashboard, a system browser, and pages that fail the test on any error or any request elsewhere."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

from tests.browser.live_page import LivePage, Wire, expect, sync_api

ROOT = Path(__file__).resolve().parents[2]
COLLECTION = os.environ.get("INNERLOOP_TEST_RUNS", "sine-tuned")
PATIENCE_MS = 180_000  # a busy machine is no failure
HOST = "127.0.0.1"


def find_browser() -> str | None:
    """Path of a Chromium or Chrome of this system."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


@pytest.fixture(scope="session")
def own_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the user's own runs: empty at first, and not that of this checkout."""
    return tmp_path_factory.mktemp("own") / "runs"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, own_runs: Path) -> Iterator[str]:
    """Address of a dashboard that runs as long as the tests do."""
    with socket.socket() as free:
        free.bind((HOST, 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("server") / "log.txt"
    command = [sys.executable, "-m", "dashboard", "--headless", "--port", str(port)]
    with log.open("w") as output:
        environment = {**os.environ, "INNERLOOP_RUNS": str(own_runs)}
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT)
        try:
            wait_until_healthy(process, f"http://{HOST}:{port}", log)
            yield f"http://{HOST}:{port}"
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(20)
    assert "Traceback" not in log.read_text(), f"the server logged an error:\n{log.read_text()[-4000:]}"


def wait_until_healthy(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    """Asks the health endpoint until it answers; fails when the server ends instead."""
    for _ in range(600):
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, TimeoutError):
            pass
        try:
            process.wait(0.2)
        except subprocess.TimeoutExpired:
            continue
        pytest.fail(f"The server ended with code {process.returncode}:\n{log.read_text()[-4000:]}")
    pytest.fail(f"The server did not answer:\n{log.read_text()[-4000:]}")


@pytest.fixture(scope="session")
def chromium() -> Iterator[sync_api.Browser]:
    """The system's Chromium, headless."""
    path = find_browser()
    if path is None:
        pytest.skip("no chromium, chromium-browser or google-chrome on this machine")
    with sync_api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(server: str, chromium: sync_api.Browser) -> Iterator[Callable[..., LivePage]]:
    """Opens the live page: `visit("step=0", width=800, color_scheme="dark")`. Motion is off unless asked for."""
    contexts, visited = [], []

    def open_page(
        query: str = "",
        *,
        runs: str = COLLECTION,
        url: str = "",
        width: int = 1440,
        height: int = 1000,
        wait: bool = True,
        **options: object,
    ) -> LivePage:
        options = {"reduced_motion": "reduce", "accept_downloads": True, **options}
        context = chromium.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        page = context.new_page()
        live = LivePage(page, Wire(page))
        visited.append(live)
        watch(live)
        collection = "" if runs == "sine" else urlencode({"runs": runs})
        live.page.goto(url or f"{server}/?{'&'.join(part for part in (collection, query) if part)}")
        return live.drawn() if wait else live

    yield open_page
    for context in contexts:
        context.close()
    problems = [problem for live in visited for problem in live.problems]
    assert not problems, json.dumps(problems, indent=1)


def watch(live: LivePage) -> None:
    """Writes down what no visit may cause."""

    def hear(said: sync_api.ConsoleMessage) -> None:
        # At a link to a page below the root, Streamlit first asks for its endpoints there, then at the root.
        asked = urlsplit(said.location.get("url", "")).path
        if said.type == "error" and not re.fullmatch(r"/[a-z-]+/_stcore/(health|host-config)", asked):
            live.problems.append(f"console: {said.text}")

    live.page.on("console", hear)
    live.page.on("pageerror", lambda error: live.problems.append(f"page error: {error}"))

    def check(request: sync_api.Request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in ("data", "blob") and address.hostname != HOST:
            live.problems.append(f"request to another host: {request.url}")

    live.page.on("request", check)


@pytest.fixture
def open_page(server: str, chromium: sync_api.Browser) -> Iterator[Callable[..., sync_api.Page]]:
    """Opens a page at a query: `open_page("rules", "rules-part=Memory")`. Any error in the console fails the test."""
    contexts, problems = [], []

    def opens(path: str, query: str = "", **options: object) -> sync_api.Page:
        ours = re.compile(rf"/{path}/_stcore/(health|host-config)$")  # Streamlit looks below a page first, then above

        def heard(message: sync_api.ConsoleMessage) -> None:
            if message.type == "error" and not ours.search(message.location.get("url", "")):
                problems.append(message.text)

        context = chromium.new_context(**{"viewport": {"width": 1440, "height": 1400}, **options})
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        page = context.new_page()
        page.on("console", heard)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(f"{server}/{path}?{query}")
        return page

    yield opens
    for context in contexts:
        context.close()
    assert not problems, problems
