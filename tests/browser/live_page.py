"""The live page in a browser, in the words of the tests."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")
expect = sync_api.expect
LEARNERS = ("finetuning", "fomaml", "lstm", "maml", "op-lstm", "reptile")
IDLE = '[data-testid="stApp"][data-test-script-state="notRunning"]'
SPOKEN_POINT = re.compile(r"x (-?[\d.]+), y (-?[\d.]+)")


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


def rested(page: sync_api.Page) -> sync_api.Page:
    """Waits until there is a figure and the script rests."""
    expect(page.locator(".js-plotly-plot").first).to_be_visible()
    expect(page.locator(IDLE)).to_have_count(1)
    return page
