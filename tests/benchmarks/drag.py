"""How long a hand waits: from the last move of a support point to every learner's redrawn curve, in a real browser.

    python tests/benchmarks/drag.py [--json] [--moves 60] [--shots 5] [--runs sine]
                                    [--learners 8 | maml,sap | all] [--training]

Method: a fresh server and a fresh headless Chromium; on are the learners that the page shows at first, unless
--learners says how many or which. With --training a real training runs beside it all, in a process of its own that is
started by what the page Train calls; it must have made updates before the measurement and go on making them until its
end. After a warm-up, (1) one move at a time, each awaited until its curves are drawn, and (2) one
continuous drag of as many moves, sent on every frame. Latency has two clocks: the pad's own (`data-last-latency-ms`,
from the pointer event to the answer on screen) and an independent one in the page, from the pointer event to the first
animation frame after the curve's path changed. The share of Python is measured apart, in this process: the same answers
for the same points, packing them for the browser, and what each learner takes of it.
"""

import argparse
import contextlib
import json
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.benchmarks import beside, hand  # noqa: E402 - found by the line above

HOST = "127.0.0.1"
PATIENCE_MS = 120_000
DRAWN = '.curve[d^="M"]'


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Latency of a drag on the live page, in headless Chromium.")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")
    parser.add_argument("--moves", type=int, default=60, help="moves awaited one by one, and moves of the drag (60)")
    parser.add_argument("--shots", type=int, default=5, choices=(5, 10), help="learners trained with this many (5)")
    parser.add_argument("--runs", default="sine", help="collection of runs (sine)")
    parser.add_argument(
        "--learners",
        "--on",
        dest="on",
        help="how many are on, or which, separated by commas, or all (those the page shows at first)",
    )
    parser.add_argument("--training", action="store_true", help="while a training runs in a process of its own")
    return parser.parse_args()


def chosen(runs: str, shots: int, on: str | None) -> Any:
    """The scene and the view that are measured, and the learners of their collection."""
    from dashboard.scenes import scene_of
    from dashboard.views.live import parts as live
    from dashboard.widgets import library
    from dashboard.widgets.state import View
    from engine.runs.ensembles import find_ensembles

    ensembles = find_ensembles(library.roots()[runs], "sine", shots)[0]
    names = [ensemble.learner.name for ensemble in ensembles]
    wanted = None if on is None else names if on == "all" else on.split(",")
    if on is not None and on.isdecimal():  # those that the page shows at first, then the others
        first = [ensemble.learner.name for ensemble in live.shown(View(runs=runs, shots=shots), ensembles)]
        wanted = [*first, *(name for name in names if name not in first)][: int(on)]
    if unknown := [name for name in wanted or () if name not in names]:
        sys.exit(f"No learner {', '.join(unknown)} in {runs} with {shots} shots; there are {', '.join(names)}.")
    scene = scene_of(ensembles[0].distribution)
    return scene, scene.draw(View(runs=runs, shots=shots, on=None if wanted is None else tuple(wanted))), ensembles


def on_page(page: Any) -> list[str]:
    """The learners that the page itself says are on."""
    rows = page.locator('.learner-row[aria-pressed="true"]')
    return [str(name) for name in rows.evaluate_all("all => all.map((row) => row.dataset.learner)")]


def find_browser() -> str:
    """Path of the system's Chromium; ends the program when there is none."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    sys.exit("This benchmark needs chromium, chromium-browser or google-chrome.")


@contextlib.contextmanager
def served() -> Iterator[str]:
    """The address of a server started here and ended afterwards."""
    with socket.socket() as free:
        free.bind((HOST, 0))
        address = f"http://{HOST}:{free.getsockname()[1]}"
    command = [sys.executable, "-m", "dashboard", "--headless", "--port", address.rsplit(":", 1)[1]]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while not healthy(address):
            with contextlib.suppress(subprocess.TimeoutExpired):
                sys.exit(f"The server ended with code {process.wait(0.05)}.")
        yield address
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        process.kill()
        process.wait()


def healthy(address: str) -> bool:
    """Whether the server answers."""
    try:
        with urllib.request.urlopen(f"{address}/_stcore/health", timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, TimeoutError):
        return False


def opened(browser: Any, address: str, query: str) -> Any:
    """A fresh page, with the learners' curves drawn and the script at rest."""
    page = browser.new_context(viewport={"width": 1440, "height": 1000}).new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(f"{address}/?{query}")
    page.locator(DRAWN).first.wait_for(state="attached")
    page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for()
    return page


def start_seconds(browser: Any, query: str) -> float:
    """From the start of the server's process to the first drawn curves of a fresh page."""
    begin = time.perf_counter()
    with served() as address:
        page = opened(browser, address, query)
        seconds = time.perf_counter() - begin
        page.context.close()
    return seconds


def python_share(scene: Any, view: Any, ensembles: list[Any], moves: int) -> dict[str, Any]:
    """Medians in milliseconds of what the page computes for one answer, and for each learner, in this process."""
    import torch

    from dashboard.views.live import parts as live
    from probes.tools.adaptation import adaptation, stops

    torch.set_num_threads(1)  # as the server does
    spent: dict[str, list[float]] = {"adapt_and_predict": [], "pack": []}
    shown, steps = live.shown(view, ensembles), stops(ensembles)
    alone: dict[str, list[float]] = {ensemble.learner.name: [] for ensemble in shown}
    for k in range(hand.WARM_UP + moves):
        moved = view.changed(points=((0.01 * k, 1.0), *view.points[1:]))
        begin = time.perf_counter()
        found = live.answers(scene, moved, ensembles)
        middle = time.perf_counter()
        json.dumps(live.pad_data(scene, moved, ensembles, found, answer=k, revision="0", message=""))
        spent["adapt_and_predict"].append(1e3 * (middle - begin))
        spent["pack"].append(1e3 * (time.perf_counter() - middle))
        for ensemble in shown:
            begin = time.perf_counter()
            adaptation(ensemble, scene.points(moved), scene.grid, steps)
            alone[ensemble.learner.name].append(1e3 * (time.perf_counter() - begin))
    medians = {name: round(statistics.median(values[hand.WARM_UP :]), 1) for name, values in (spent | alone).items()}
    return {name: medians[name] for name in spent} | {"learners": {name: medians[name] for name in alone}}


def summary(values: list[float]) -> dict[str, float]:
    """Median, 95th percentile and maximum."""
    ranked = sorted(values)
    at = min(len(ranked) - 1, round(0.95 * (len(ranked) - 1)))
    return {
        "median": round(statistics.median(ranked), 1),
        "p95": round(ranked[at], 1),
        "max": round(ranked[-1], 1),
        "n": len(ranked),
    }


def measure(runs: str, shots: int, moves: int, on: str | None, running: beside.Beside | None = None) -> dict[str, Any]:
    """All measurements of one run of this program."""
    from playwright.sync_api import sync_playwright

    from dashboard.widgets.state import to_query

    scene, view, ensembles = chosen(runs, shots, on)
    query = urllib.parse.urlencode({"runs": runs, "shots": shots, **to_query(view.changed(points=None), scene.bounds)})

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=find_browser(), args=["--no-sandbox"])
        starts = [round(start_seconds(browser, query), 2) for _ in range(2)]
        with served() as address:
            page = opened(browser, address, query)
            page.locator(".pad").evaluate(hand.WATCH)
            names = on_page(page)
            if len(names) != (drawn := page.locator(DRAWN).count()):
                sys.exit(f"{len(names)} learners are on, and {drawn} curves are drawn.")
            band = page.locator(".pad .subtitle").inner_text()
            if running:
                running.at_work()
            single = hand.one_by_one(page, moves)
            drag = hand.continuous(page, moves)
            training = running.at_work() if running else None
            page.context.close()
        browser.close()
    return {
        "runs": runs,
        "shots": shots,
        "learners": names,
        "of_learners": len(ensembles),
        "seeds": next((int(word) for word in band.split() if word.isdigit()), 1),
        "first_start_s": starts[0],
        "warm_disk_start_s": starts[1],
        "single_move_ms": summary(single["own"]),
        "single_move_by_frame_ms": summary(single["watched"]),
        "drag": {
            "moves": drag["moves"],
            "answers": drag["answers"],
            "last_move_ms": drag["last_ms"],
            "between_redraws_ms": summary(drag["between_redraws"]) if drag["between_redraws"] else None,
        },
        "python_ms": python_share(scene, view, ensembles, moves),
        "training": training,
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "machine": platform.machine(),
        "python": platform.python_version(),
    }


def report(found: dict[str, Any]) -> str:
    """The measurements as lines for people."""

    def line(name: str, values: dict[str, float] | None) -> str:
        if not values:
            return f"{name:42}  none"
        return f"{name:42}  median {values['median']:7.1f}  p95 {values['p95']:7.1f}  max {values['max']:7.1f} ms"

    def companion(training: dict[str, Any] | None) -> str:
        if training is None:
            return "no training"
        how = "compiled" if training["compiled"] else "not compiled"
        return (
            f"a training of {training['learner']}, {training['shots']} shots, {training['seeds']} seeds, {how}: "
            f"{training['updates']:,} updates while the moves below were made, {training['tasks_per_s']:,.0f} tasks/s"
        )

    drag, python = found["drag"], found["python_ms"]
    return "\n".join(
        [
            f"{len(found['learners'])} of {found['of_learners']} learners on, {found['seeds']} seeds each, "
            f"{found['shots']} shots, runs {found['runs']}; "
            f"{found['cores']} cores, load {found['load']}, Python {found['python']}",
            f"on: {', '.join(found['learners'])}",
            f"beside: {companion(found['training'])}",
            f"start to first curves: {found['first_start_s']:.1f} s, warm disk {found['warm_disk_start_s']:.1f} s",
            line("one move to its curves (the pad's clock)", found["single_move_ms"]),
            line("one move to its curves (first frame after)", found["single_move_by_frame_ms"]),
            line("continuous drag, between two redraws", drag["between_redraws_ms"]),
            f"continuous drag: {drag['moves']} moves, {drag['answers']} answers, "
            f"the last {drag['last_move_ms']:.1f} ms after its move",
            f"of one answer, in Python: {python['adapt_and_predict']:.1f} ms to adapt and predict, "
            f"{python['pack']:.1f} ms to pack",
            "of which " + ", ".join(f"{name} {ms:.1f}" for name, ms in python["learners"].items()),
        ]
    )


def main() -> None:
    """Measures and prints."""
    options = arguments()
    with beside.training() if options.training else contextlib.nullcontext() as running:
        found = measure(options.runs, options.shots, options.moves, options.on, running)
    print(json.dumps(found, indent=1) if options.json else report(found))


if __name__ == "__main__":
    main()
