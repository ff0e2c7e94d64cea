"""The live page in a real browser: what a hand, a keyboard and a copied link can do with it."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from dashboard.live import PRESETS

sync_api = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")
expect = sync_api.expect

Visit = Callable[..., Any]
LEARNERS = {"finetuning", "fomaml", "lstm", "maml", "op-lstm", "reptile"}
SEEDS = {"0", "1", "2"}


def close(found: list[tuple[float, float]], wanted: list[tuple[float, float]], by: float = 0.011) -> bool:
    """Whether points agree to the two decimals that are spoken."""
    return len(found) == len(wanted) and all(
        abs(a - b) <= by for f, w in zip(found, wanted, strict=True) for a, b in zip(f, w, strict=True)
    )


# ---- the points -------------------------------------------------------------------------------------


def test_a_drag_moves_every_curve_and_the_last_move_is_answered(visit: Visit):
    live = visit()
    before, start = live.paths(), live.points()
    assert set(before) == LEARNERS
    live.drag(0, 40, -60, moves=12)
    live.answered().all_moved(before)
    (x, y), (old_x, old_y) = live.points()[0], start[0]
    assert x > old_x + 0.2
    assert y > old_y + 0.5
    assert live.points()[1:] == start[1:]
    assert int(live.pad.get_attribute("data-seq")) >= 1
    assert float(live.pad.get_attribute("data-last-latency-ms")) > 0


def test_the_answer_to_a_drag_is_the_answer_to_its_last_place(visit: Visit):
    """Python's curves after a long drag are those of a fresh page opened at the final points."""
    live = visit()
    x, y = live.centre(live.point(1).locator(".disc"))
    live.page.mouse.move(x, y)
    live.page.mouse.down()
    for k in range(1, 20):
        live.page.mouse.move(x - 6 * k, y - 5 * k)
    live.page.mouse.up()
    live.answered().drawn()
    x, y = live.points()[1]
    live.page.wait_for_function(
        "([x, y]) => (new URLSearchParams(location.search).get('points') || '').split(',').some((p) => {"
        " const [a, b] = p.split(':').map(Number); return Math.abs(a - x) < 0.011 && Math.abs(b - y) < 0.011; })",
        arg=[x, y],
    )
    again = visit(url=live.page.url)
    assert again.errors() == live.errors()


def test_a_click_adds_and_a_double_click_removes(visit: Visit):
    live = visit()
    before, start = live.paths(), live.points()
    live.page.mouse.click(*live.empty_place())
    expect(live.page.locator(".point")).to_have_count(len(start) + 1)
    live.answered().all_moved(before)
    expect(live.page.get_by_text(f"{len(start) + 1} points.")).to_be_visible()
    live.page.mouse.dblclick(*live.centre(live.point(len(start)).locator(".disc")))
    expect(live.page.locator(".point")).to_have_count(len(start))
    live.answered()
    expect(live.page.get_by_text(f"{len(start)} points.")).to_be_visible()
    assert live.points() == start
    for name, path in before.items():
        expect(live.curve(name)).to_have_attribute("d", path)


def test_the_keyboard_moves_deletes_and_adds(visit: Visit):
    live = visit()
    before, start = live.paths(), live.points()
    live.point(0).focus()
    live.page.keyboard.press("Shift+ArrowUp")
    live.answered().all_moved(before)
    assert close(live.points(), [(start[0][0], start[0][1] + 0.5), *start[1:]])
    live.page.keyboard.press("ArrowLeft")
    live.answered()
    assert close(live.points()[:1], [(start[0][0] - 0.1, start[0][1] + 0.5)])
    live.page.keyboard.press("Delete")
    expect(live.page.locator(".point")).to_have_count(len(start) - 1)
    live.answered()
    assert close(live.points(), start[1:])
    live.page.locator("svg.plot").focus()
    live.page.keyboard.press("Enter")
    expect(live.page.locator(".point")).to_have_count(len(start))
    live.answered()
    assert live.points()[-1] == (0.0, 0.0)


def test_the_last_point_stays(visit: Visit):
    live = visit("points=1:2")
    live.point(0).focus()
    live.page.keyboard.press("Delete")
    expect(live.page.locator(".status")).to_contain_text("at least one")
    assert live.points() == [(1.0, 2.0)]


def test_a_point_cannot_leave_the_pad(visit: Visit):
    live = visit()
    live.drag(0, 3000, -3000)
    live.answered()
    x, y = live.points()[0]
    assert (x, y) == (5.0, 6.0)


# ---- steps and learners -----------------------------------------------------------------------------


def test_the_scrubber_changes_curves_and_table(visit: Visit):
    live = visit()
    curves, errors = live.paths(), live.errors()
    scrubber = live.page.locator(".scrubber")
    scrubber.focus()
    live.page.keyboard.press("Home")
    expect(live.page.locator(".step-label b")).to_have_text("0")
    live.all_moved(curves)
    assert all(live.errors()[name] != error for name, error in errors.items())
    live.remembered(step="0")
    expect(live.page.get_by_role("button", name="Previous step")).to_be_disabled()
    live.page.get_by_role("button", name="Next step").click()
    expect(live.page.locator(".step-label b")).to_have_text("1")
    live.remembered(step="1")


def test_playing_walks_to_the_last_step(visit: Visit):
    live = visit("step=0")
    expect(live.page.locator(".step-label b")).to_have_text("0")
    curves, errors = live.paths(), live.errors()
    live.page.get_by_role("button", name="Play the inner steps").click()
    expect(live.page.get_by_role("button", name="Pause")).to_be_visible()
    expect(live.page.locator(".step-label b")).to_have_text("100")
    expect(live.page.get_by_role("button", name="Play the inner steps")).to_be_visible()
    live.all_moved(curves)
    assert all(live.errors()[name] != error for name, error in errors.items())


def test_a_row_switches_its_learner_off_and_on(visit: Visit):
    live = visit()
    before = live.paths()
    row = live.row("reptile")
    expect(row).to_have_attribute("aria-pressed", "true")
    row.click()
    expect(row).to_have_attribute("aria-pressed", "false")
    expect(live.curve("reptile")).to_have_attribute("d", "")
    live.remembered(off="reptile").drawn(5)
    assert {name: path for name, path in live.paths().items() if name != "reptile"} == {
        name: path for name, path in before.items() if name != "reptile"
    }
    row.click()
    expect(row).to_have_attribute("aria-pressed", "true")
    expect(live.curve("reptile")).to_have_attribute("d", before["reptile"])
    live.page.wait_for_function("() => !new URLSearchParams(location.search).has('off')")


def test_all_off_is_said(visit: Visit):
    live = visit(f"off={','.join(sorted(LEARNERS))}", wait=False).drawn(0)
    expect(live.page.get_by_text("Every learner is switched off")).to_be_visible()
    live.row("maml").click()
    live.drawn(1)


# ---- tasks ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("title", list(PRESETS))
def test_a_preset_changes_the_picture_and_says_what_to_look_for(visit: Visit, title: str):
    live = visit()
    curves, points = live.paths(), live.points()
    live.page.locator(".st-key-live-preset input").click()
    live.page.get_by_role("option", name=title, exact=True).click()
    expect(live.page.get_by_text(PRESETS[title].look_for)).to_be_visible()
    live.all_moved(curves).remembered(task="2").drawn()
    assert live.points() != points
    if title == "Points all on one side":
        assert all(x <= -1 for x, _ in live.points())


def test_a_new_task_changes_points_and_address(visit: Visit):
    live = visit()
    curves, points, truth = live.paths(), live.points(), live.truth()
    live.page.get_by_role("button", name="New task").click()
    live.all_moved(curves).remembered(task="2").drawn()
    assert live.points() != points
    assert live.truth() != truth
    live.page.get_by_role("button", name="New task").click()
    live.remembered(task="3")


@pytest.mark.parametrize(
    ("name", "key", "value"), [("amplitude", "End", "10"), ("frequency", "End", "4"), ("phase", "ArrowRight", "0.65")]
)
def test_a_slider_changes_the_true_function(visit: Visit, name: str, key: str, value: str):
    live = visit()
    truth, points = live.truth(), live.points()
    live.page.get_by_role("button", name="More").click()
    live.page.locator(f".st-key-live-{name} input").focus()
    live.page.keyboard.press(key)
    expect(live.page.locator(".truth")).not_to_have_attribute("d", truth)
    live.remembered(**{name: value}).drawn()
    moved = live.points()
    assert [x for x, _ in moved] == [x for x, _ in points]
    assert moved != points


def test_noise_moves_the_points_and_not_the_true_function(visit: Visit):
    live = visit()
    truth, points = live.truth(), live.points()
    live.page.get_by_role("button", name="More").click()
    live.page.locator(".st-key-live-noise input").focus()
    for _ in range(4):
        live.page.keyboard.press("ArrowRight")
    live.remembered(noise="0.2").drawn()
    expect(live.point(0)).not_to_have_attribute("aria-label", re.compile(f"y {points[0][1]:.2f};"))
    assert [x for x, _ in live.points()] == [x for x, _ in points]
    assert live.truth() == truth


def test_without_a_true_function_the_points_are_the_measure(visit: Visit):
    live = visit()
    errors = live.errors()
    live.page.get_by_role("button", name="More").click()
    live.page.get_by_text("Compare with the true function").click()
    live.remembered(truth="0").drawn()
    expect(live.page.locator('.sort[data-sort="error"]')).to_have_text("support MSE")
    assert live.truth() == ""
    assert live.errors() != errors


def test_ten_shots_are_other_learners_and_ten_points(visit: Visit):
    live = visit()
    curves = live.paths()
    live.page.locator(".st-key-live-shots").get_by_text("10 shots").click()
    expect(live.page.locator(".point")).to_have_count(10)
    live.all_moved(curves).remembered(shots="10").drawn()
    expect(live.page.get_by_text("Ten points. Six ideas")).to_be_visible()


# ---- the link ---------------------------------------------------------------------------------------


def test_a_link_reopens_points_step_and_switches(visit: Visit):
    live = visit()
    live.drag(2, -30, 50)
    live.answered()
    live.page.locator(".scrubber").focus()
    live.page.keyboard.press("Home")
    live.remembered(step="0")
    live.row("lstm").click()
    live.remembered(off="lstm", step="0").drawn(5)
    again = visit(url=live.page.url, wait=False).drawn(5)
    assert close(again.points(), live.points())
    expect(again.page.locator(".step-label b")).to_have_text("0")
    expect(again.row("lstm")).to_have_attribute("aria-pressed", "false")
    assert again.errors() == live.errors()


@pytest.mark.parametrize(
    ("query", "complaints"),
    [
        ("shots=7", 1),
        ("points=1:2:3", 1),
        ("points=<script>alert(1)</script>", 1),
        ("amplitude=nan&frequency=1e99&phase=&noise=-1", 4),
        ("task=999999999999999999999&step=-3&off=nobody,maml&truth=maybe", 4),
        ("nobody=knows&this=parameter", 0),
        ("points=" + ",".join(["1:1"] * 65), 1),
        ("amplitude=10.0005&phase=6.2839&frequency=4.0005", 0),
    ],
)
def test_a_nonsense_link_is_one_sentence_for_each_value_and_a_page_that_works(
    visit: Visit, query: str, complaints: int
):
    live = visit(quote(query, safe="=&:,"))
    said = live.warnings()
    assert len(said) == complaints, said
    assert all("was left out" in sentence for sentence in said)
    expect(live.page.get_by_test_id("stException")).to_have_count(0)
    before = live.paths()
    live.drag(0, 20, 30)
    live.answered().all_moved(before)


def test_an_unknown_collection_is_one_sentence(visit: Visit, server: str):
    live = visit(url=f"{server}/?runs=../../etc", wait=False)
    expect(live.page.get_by_test_id("stAlert").first).to_contain_text("The link's value for runs was left out")
    expect(live.page.get_by_test_id("stException")).to_have_count(0)


# ---- below the picture ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "spoken", "says"), [("-4.5", "-4.50", ""), ("99", "12.00", "Row 1 was moved to the edge")]
)
def test_editing_the_table_moves_the_point(visit: Visit, typed: str, spoken: str, says: str):
    live = visit()
    before, start = live.paths(), live.points()
    live.page.get_by_role("tab", name="Points").click()
    cell = live.page.locator("#glide-cell-2-0")
    expect(cell).to_have_count(1)
    live.drawn()
    canvas = live.page.get_by_test_id("stDataFrame").locator("canvas").first
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    live.page.mouse.click(box["x"] + 250, box["y"] + 52)  # the first row's y: the grid draws its cells on a canvas
    expect(live.page.locator('#glide-cell-2-0[aria-selected="true"]')).to_have_count(1)
    live.page.keyboard.press("Enter")
    editor = live.page.locator("#portal input")
    editor.fill(typed)
    editor.press("Enter")
    live.all_moved(before)
    expect(live.point(0)).to_have_attribute("aria-label", re.compile(f"y {re.escape(spoken)};"))
    assert live.points()[1:] == start[1:]
    live.drawn()
    said = live.page.get_by_test_id("stAlert")
    expect(said).to_have_count(1 if says else 0)
    assert all(says in sentence for sentence in live.warnings())


def test_the_figure_and_its_page_for_elsewhere(visit: Visit):
    live = visit()
    live.page.get_by_role("tab", name="Figure").click()
    expect(live.page.locator(".js-plotly-plot .main-svg").first).to_be_visible()
    live.drawn()
    with live.page.expect_download() as download:
        live.page.get_by_role("button", name="HTML, interactive").click()
    text = download.value.path().read_text()
    assert download.value.suggested_filename == "innerloop.html"
    assert text.lstrip().lower().startswith(("<html", "<!doctype html"))
    assert text.rstrip().endswith("</html>")
    assert "Plotly.newPlot" in text
    assert len(text) > 1_000_000  # plotly.js is inside: the page needs no network
    assert not re.search(r"<script[^>]+src=", text)


def test_the_data_as_csv_and_json(visit: Visit):
    live = visit("points=-3:1,0:2,1:2.5,2:-1,4:0.125")
    live.page.get_by_role("tab", name="Data").click()
    expect(live.page.get_by_test_id("stDataFrame")).to_be_visible()
    live.drawn()
    with live.page.expect_download() as download:
        live.page.get_by_role("button", name="CSV", exact=True).click()
    rows = list(csv.DictReader(download.value.path().read_text().splitlines()))
    assert {row["learner"] for row in rows} == LEARNERS
    assert {(row["learner"], row["seed"]) for row in rows} == {(name, seed) for name in LEARNERS for seed in SEEDS}
    assert all(float(row["mse"]) >= 0 for row in rows)
    with live.page.expect_download() as download:
        live.page.get_by_role("button", name="JSON", exact=True).click()
    content = json.loads(download.value.path().read_text())
    assert content["points"] == [[-3, 1], [0, 2], [1, 2.5], [2, -1], [4, 0.125]]
    assert {entry["learner"] for entry in content["learners"]} == LEARNERS
    assert all({run["seed"] for run in entry["runs"]} == {0, 1, 2} for entry in content["learners"])
    of_json = {entry["learner"]: entry["mse"][0] for entry in content["learners"]}
    of_csv = {(row["learner"], row["seed"]): float(row["mse"]) for row in rows if row["step"] == "0"}
    assert all(of_csv[name, seed] == of_json[name][int(seed)] for name in LEARNERS for seed in SEEDS)


def test_how_to_read_has_a_formula_for_each_learner(visit: Visit):
    live = visit()
    live.page.get_by_role("tab", name="How to read this").click()
    expect(live.page.locator(".katex-display")).to_have_count(len(LEARNERS))


# ---- eyes -------------------------------------------------------------------------------------------


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
