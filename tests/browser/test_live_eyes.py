"""The live page for all eyes, in a real browser: light and dark, narrow and zoomed, with less motion."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")
expect = sync_api.expect

Visit = Callable[..., Any]


@pytest.mark.parametrize(
    ("scheme", "background", "maml"),
    [("light", "rgb(255, 255, 255)", "#0072B2"), ("dark", "rgb(20, 23, 28)", "#2F8FD8")],
)
def test_light_and_dark(visit: Visit, scheme: str, background: str, maml: str):
    live = visit(color_scheme=scheme)
    expect(live.page.get_by_test_id("stApp")).to_have_css("background-color", background)
    expect(live.pad).to_have_attribute("data-theme", scheme)
    red, green, blue = (int(maml[i : i + 2], 16) for i in (1, 3, 5))
    expect(live.curve("maml")).to_have_css("stroke", f"rgb({red}, {green}, {blue})")


@pytest.mark.parametrize("width", [720, 800, 1440])  # 720: a window of 1440 at 200 % zoom
def test_nothing_hangs_over_the_side(visit: Visit, width: int):
    live = visit(width=width)
    seen = live.page.evaluate(
        "() => { const main = document.querySelector('[data-testid=\"stMain\"]');"
        " return [document.documentElement.scrollWidth, main.scrollWidth - main.clientWidth]; }"
    )
    assert seen[0] <= width
    assert seen[1] <= 0
    box = live.pad.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width


# How far, in pixels, what is drawn in a picture is from what its axis says: the traces of the errors from the stops of
# the slider above them, the cursor from its stop, the curves from the sheet of the plot; and how wide the pad is.
APART = """(root) => {
  const all = (selector) => [...root.querySelectorAll(selector)];
  const drawn = (selector) => all(selector).filter((path) => path.getAttribute("d"));
  const end = (path, at) => path.getPointAtLength(at * path.getTotalLength()).matrixTransform(path.getScreenCTM()).x;
  const middle = (el) => (el.getBoundingClientRect().left + el.getBoundingClientRect().right) / 2;
  const sheet = root.querySelector(".sheet").getBoundingClientRect();
  const stops = all(".stops span");
  return [
    root.clientWidth,
    Math.max(...drawn(".trace").map((path) => end(path, 1))) - middle(stops.at(-1)),
    Math.min(...drawn(".trace").map((path) => end(path, 0))) - middle(stops[0]),
    middle(root.querySelector(".cursor")) - middle(stops.find((stop) => stop.classList.contains("now"))),
    Math.max(...drawn(".curve").map((path) => end(path, 1))) - sheet.right,
    Math.min(...drawn(".curve").map((path) => end(path, 0))) - sheet.left,
  ];
}"""


def test_whatever_changes_the_width_every_picture_keeps_to_its_axis(visit: Visit):
    live = visit()
    page = live.page

    def apart() -> tuple[float, list[float]]:
        width, *gaps = live.pad.evaluate(APART)
        return width, gaps

    def fits(was: float) -> float:
        """The width after it has changed and come to rest."""
        page.wait_for_function(
            "([pad, was]) => { const now = pad.clientWidth, same = now === pad.before; pad.before = now;"
            " return same && now !== was; }",
            arg=[live.pad.element_handle(), was],
        )
        width, gaps = apart()
        assert max(map(abs, gaps)) < 1, gaps
        return width

    width, gaps = apart()
    assert max(map(abs, gaps)) < 1, gaps
    for size in (1000, 820, 1440):
        page.set_viewport_size({"width": size, "height": 1000})
        width = fits(width)
    page.emulate_media(media="print")
    width = fits(width)
    page.emulate_media(media="null")
    width = fits(width)
    page.get_by_test_id("stSidebar").hover()
    page.get_by_test_id("stSidebarCollapseButton").locator("button").click()
    width = fits(width)
    page.evaluate("() => { document.body.style.zoom = 1.25; }")
    width = fits(width)
    start = live.points()[1]
    live.drag(1, 50, -50)
    live.answered()
    (x, y), unit = live.points()[1], 1.25 * page.locator(".sheet").evaluate("(sheet) => sheet.width.baseVal.value")
    assert x - start[0] == pytest.approx(50 * 10 / unit, abs=0.03), "the point stays under the hand"
    assert y > start[1]
    page.evaluate("() => { document.body.style.zoom = ''; }")
    width = fits(width)
    window = page.context.new_cdp_session(page)  # what a browser does when it zooms: fewer and larger pixels
    zoomed = {"width": 733, "height": 666, "deviceScaleFactor": 1.5, "mobile": False}
    window.send("Emulation.setDeviceMetricsOverride", zoomed)
    fits(width)
    live.pad.evaluate(
        f"(root) => {{ const media = (window.media = matchMedia('print'));"
        f" media.onchange = () => {{ if (media.matches) window.printed = ({APART})(root); }}; }}"
    )
    page.pdf()
    width, *gaps = page.evaluate("() => window.printed")
    assert max(map(abs, gaps)) < 1, f"on paper: {gaps}"


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_curves_jump_for_those_who_asked_for_less_motion_and_glide_for_others(visit: Visit, motion: str):
    """Right after the press, before any frame, a calm curve is where it will stay; an eased one is still leaving."""
    live = visit(reduced_motion=motion)
    live.page.locator(".scrubber").focus()
    live.page.keyboard.press("Home")
    live.remembered(step="0").drawn()
    path = live.path("finetuning")
    at_once = live.page.locator(".scrubber").evaluate(
        "(slider) => { slider.value = slider.max; slider.dispatchEvent(new Event('input'));"
        " return slider.getRootNode().querySelector('.curve[data-learner=\"finetuning\"]').getAttribute('d'); }"
    )
    if motion == "reduce":
        assert at_once != path
        expect(live.curve("finetuning")).to_have_attribute("d", at_once)
        live.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        assert live.path("finetuning") == at_once
    else:
        expect(live.curve("finetuning")).not_to_have_attribute("d", at_once)
