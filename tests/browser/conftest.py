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
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")
expect = sync_api.expect

ROOT = Path(__file__).resolve().parents[2]
COLLECTION = os.environ.get("INNERLOOP_TEST_RUNS", "sine-tuned")
LEARNERS = ("finetuning", "fomaml", "lstm", "maml", "op-lstm", "reptile")
PATIENCE_MS = 180_000  # a busy machine is no failure
HOST = "127.0.0.1"
IDLE = '[data-testid="stApp"][data-test-script-state="notRunning"]'
SPOKEN_POINT = re.compile(r"x (-?[\d.]+), y (-?[\d.]+)")


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


class Wire:
    """The page's websocket, on which the server's messages can be held back: an answer as slow as a test needs it."""

    def __init__(self, page: sync_api.Page) -> None:
        self._late: list[str | bytes] | None = None
        page.route_web_socket(re.compile("_stcore/stream"), self._join)

    def _join(self, browser: sync_api.WebSocketRoute) -> None:
        self._browser = browser
        browser.connect_to_server().on_message(self._pass)

    def _pass(self, message: str | bytes) -> None:
        if self._late is None:
            self._browser.send(message)
        else:
            self._late.append(message)

    def hold(self) -> None:
        """From now on the page hears nothing."""
        self._late = []

    def let_go(self) -> None:
        """It hears everything that it has not heard, in order."""
        late, self._late = self._late or [], None
        for message in late:
            self._browser.send(message)


@dataclass
class LivePage:
    """The live page in a browser, in the words of the tests."""

    page: sync_api.Page
    wire: Wire
    problems: list[str] = field(default_factory=list)

    @property
    def pad(self) -> sync_api.Locator:
        """The root of the pad."""
        return self.page.locator(".pad")

    def point(self, index: int) -> sync_api.Locator:
        """A support point, counted from 0."""
        return self.page.locator(".point").nth(index)

    def row(self, learner: str) -> sync_api.Locator:
        """The row of a learner in the table."""
        return self.page.locator(f'.learner-row[data-learner="{learner}"]')

    def on(self) -> list[str]:
        """The learners that are on, in the order of the table."""
        pressed = self.page.locator('.learner-row[aria-pressed="true"]')
        return pressed.evaluate_all("all => all.map((row) => row.dataset.learner)")

    def curve(self, learner: str) -> sync_api.Locator:
        """The curve of a learner."""
        return self.page.locator(f'.curve[data-learner="{learner}"]')

    def path(self, learner: str) -> str:
        """The drawn path of a learner."""
        return self.curve(learner).get_attribute("d") or ""

    def paths(self) -> dict[str, str]:
        """The drawn paths of all learners."""
        return {name: self.path(name) for name in LEARNERS}

    def truth(self) -> str:
        """The drawn path of the true function."""
        return self.page.locator(".truth").get_attribute("d") or ""

    def errors(self) -> dict[str, str]:
        """The errors in the table, as written."""
        return {name: self.row(name).locator(".error").inner_text() for name in LEARNERS}

    def points(self) -> list[tuple[float, float]]:
        """The support points, as a screen reader hears them."""
        labels = self.page.locator(".point").evaluate_all("all => all.map((p) => p.getAttribute('aria-label'))")
        return [tuple(map(float, SPOKEN_POINT.search(label).groups())) for label in labels]

    @staticmethod
    def close(found: list[tuple[float, float]], wanted: list[tuple[float, float]], by: float = 0.011) -> bool:
        """Whether points agree to the two decimals that are spoken."""
        return len(found) == len(wanted) and all(
            abs(a - b) <= by for f, w in zip(found, wanted, strict=True) for a, b in zip(f, w, strict=True)
        )

    def query(self) -> dict[str, str]:
        """The parameters in the address bar."""
        return {name: values[0] for name, values in parse_qs(urlsplit(self.page.url).query).items()}

    def drawn(self, count: int = len(LEARNERS)) -> LivePage:
        """Waits until the script rests and `count` curves are drawn."""
        expect(self.page.locator('.curve[d^="M"]')).to_have_count(count)
        expect(self.page.locator(IDLE)).to_have_count(1)
        return self

    def answered(self) -> LivePage:
        """Waits until Python has answered the last edit."""
        expect(self.pad).to_have_attribute("data-busy", "false")
        seq = self.pad.get_attribute("data-seq")
        expect(self.pad).to_have_attribute("data-answer", seq or "")
        return self

    def all_moved(self, before: dict[str, str]) -> LivePage:
        """Waits until every learner's curve differs from what it was."""
        for name, path in before.items():
            expect(self.curve(name)).not_to_have_attribute("d", path)
        return self

    def remembered(self, **wanted: str) -> LivePage:
        """Waits until the address bar holds these parameters."""
        script = (
            "(wanted) => { const q = new URLSearchParams(location.search);"
            " return Object.entries(wanted).every(([k, v]) => q.get(k) === v); }"
        )
        self.page.wait_for_function(script, arg=wanted)
        return self

    def centre(self, locator: sync_api.Locator) -> tuple[float, float]:
        """Where a mouse would aim."""
        box = locator.bounding_box()
        assert box, f"{locator} is not on the page"
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def drag(self, index: int, dx: float, dy: float, *, moves: int = 4) -> None:
        """Drags a support point by pixels, as a hand does."""
        x, y = self.centre(self.point(index).locator(".disc"))
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.move(x + dx, y + dy, steps=moves)
        self.page.mouse.up()

    def empty_place(self) -> tuple[float, float]:
        """A place of the plot that no point covers."""
        sheet = self.page.locator(".sheet").bounding_box()
        assert sheet
        taken = [self.centre(disc) for disc in self.page.locator(".point .disc").all()]
        places = [
            (sheet["x"] + sheet["width"] * i / 8, sheet["y"] + sheet["height"] * j / 8)
            for i in range(1, 8)
            for j in range(1, 8)
        ]
        return max(places, key=lambda p: min((p[0] - x) ** 2 + (p[1] - y) ** 2 for x, y in taken))

    def warnings(self) -> list[str]:
        """The warnings on the page."""
        return self.page.get_by_test_id("stAlert").all_inner_texts()


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


def rested(page: sync_api.Page) -> sync_api.Page:
    """Waits until there is a figure and the script rests."""
    expect(page.locator(".js-plotly-plot").first).to_be_visible()
    expect(page.locator(IDLE)).to_have_count(1)
    return page
