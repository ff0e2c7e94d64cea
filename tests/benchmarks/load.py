"""How many hands at once: sessions without a browser that move points on the live page, against a served dashboard.

    python tests/benchmarks/load.py [--sessions 10] [--rate 5] [--seconds 60] [--json]

Method: a fresh server; every session opens Streamlit's websocket as a browser does, loads the live page, and then moves
its points `--rate` times a second by sending the pad's state for the fragment that draws it. Latency runs from the tick
to the answer to it: the script has finished, and the pad was sent curves that carry the number of the edit. As the pad
in a browser, a session sends nothing while an answer is out; ticks that fall into that time become one edit, the newest
place, sent when the answer is there. Its latency counts from the first of these ticks, so waiting is not left out; from
the newest of them, which is where the hand is, and from the sending are printed beside it. Errors are exceptions on the
page, scripts that failed, and answers whose points are not the session's own. Memory is the resident set of the
server and its helpers, after a warm-up, on the way, and at the end. Clients and server share the machine.
"""

import argparse
import asyncio
import contextlib
import json
import math
import os
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

ROOT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"
PAD = "innerloop_pad"
WARM_UP = 5  # edits of each session before anything counts
PATIENCE_S = 120
PARTS = 4  # memory is read at the end of each part of the time
FAILED = (ForwardMsg.FINISHED_WITH_COMPILE_ERROR,)


@dataclass
class Session:
    """One visitor: a websocket, the pad as it was last sent, and what went wrong.

    Attributes:
        number: tells the sessions' points apart.
        address: of the server, host:port.
        errors: one sentence each.
        latencies: seconds from the first tick that an edit stands for to its answer, one for each edit that counted.
        newest: the same from the last tick that it stands for.
        answers: the same from its sending.
        merged: ticks that fell into the wait for an answer.
    """

    number: int
    address: str
    errors: list[str] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    newest: list[float] = field(default_factory=list)
    answers: list[float] = field(default_factory=list)
    merged: int = 0
    _pad: dict[str, Any] = field(default_factory=dict)
    _pad_id: str = ""
    _fragment: str = ""
    _page: str = ""
    _seq: int = 0

    async def open(self) -> None:
        """Connects and loads the live page.

        Raises:
            TimeoutError: it did not load.
        """
        protocols = [websockets.Subprotocol("streamlit")]
        url = f"ws://{self.address}/_stcore/stream"
        self._socket = await websockets.connect(url, subprotocols=protocols, max_size=None, compression=None)
        await self._send(BackMsg())
        if not self._pad_id:
            raise TimeoutError(f"session {self.number}: the page has no pad")

    async def close(self) -> None:
        """Disconnects."""
        await self._socket.close()
        await self._socket.wait_closed()

    async def edit(self) -> None:
        """Moves the points and waits for the answer to exactly that."""
        self._seq += 1
        points = self.points(self._seq)
        place = len(self._pad["stops"]) - 1  # the last step is on screen, as on a fresh page
        edit = {"seq": self._seq, "revision": self._pad["revision"], "points": points, "final": False, "place": place}
        message = BackMsg()
        message.rerun_script.fragment_id = self._fragment
        message.rerun_script.page_script_hash = self._page
        widget = message.rerun_script.widget_states.widgets.add()
        widget.id, widget.json_value = self._pad_id, json.dumps({"edit": edit})
        await self._send(message, answer=self._seq)
        if self._pad.get("points") != points:
            self.errors.append(f"session {self.number} got points that are not its own")
        if not self.curves():
            self.errors.append(f"session {self.number} got no curves")

    def curves(self) -> dict[str, str]:
        """The answer's curves as the pad has them, by learner."""
        return {learner["name"]: learner["curves"] for learner in self._pad["learners"] if learner["curves"]}

    def points(self, seq: int) -> list[list[float]]:
        """Five points that no other session has."""
        return [[x, round(0.1 * self.number + 0.01 * (seq % 100) + 0.2 * x, 3)] for x in (-4.0, -2.0, 0.0, 2.0, 4.0)]

    async def _send(self, message: BackMsg, answer: int | None = None) -> None:
        message.rerun_script.query_string = ""
        await self._socket.send(message.SerializeToString())
        async with asyncio.timeout(PATIENCE_S):
            while True:
                finished = self._hear(await self._socket.recv())
                if finished and (self.errors or answer in (None, self._pad.get("answer"))):
                    return

    def _hear(self, content: str | bytes) -> bool:
        """Takes a message in; True if a script has finished."""
        message = ForwardMsg()
        message.ParseFromString(content if isinstance(content, bytes) else content.encode())
        kind = message.WhichOneof("type")
        if kind == "new_session":
            self._page = message.new_session.page_script_hash
        elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
            element = message.delta.new_element
            if element.WhichOneof("type") == "exception":
                self.errors.append(f"{element.exception.type}: {element.exception.message}")
            elif element.WhichOneof("type") == "bidi_component" and element.bidi_component.component_name == PAD:
                component = element.bidi_component
                self._pad_id, self._fragment = component.id, message.delta.fragment_id or self._fragment
                text = component.json or component.mixed.json
                self._pad = json.loads(text)
        elif kind == "script_finished":
            if message.script_finished in FAILED:
                self.errors.append("the script failed")
            return message.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN
        return False

    async def move(self, rate: float, seconds: float, start: float) -> None:
        """Edits at every tick; ticks while an answer is out become one edit."""
        first, ticks = 0, math.ceil(rate * seconds)
        while first < ticks:
            await asyncio.sleep(max(0.0, start + first / rate - time.perf_counter()))
            sent = time.perf_counter()
            last = newest(sent, start, rate, first, ticks)
            await self.edit()
            now = time.perf_counter()
            self.latencies.append(now - start - first / rate)
            self.newest.append(now - start - last / rate)
            self.answers.append(now - sent)
            self.merged += last - first
            first = last + 1


def newest(now: float, start: float, rate: float, first: int, ticks: int) -> int:
    """The last tick that has passed, of `first` and those after it."""
    return min(max(first, int((now - start) * rate)), ticks - 1)


def spread(name: str, seconds: list[float]) -> dict[str, float]:
    """Median and 95th percentile in milliseconds."""
    ranked = sorted(seconds)
    at = int(0.95 * (len(ranked) - 1))
    return {f"{name}median_ms": 1000 * statistics.median(ranked), f"{name}p95_ms": 1000 * ranked[at]}


@contextlib.contextmanager
def served() -> Iterator[tuple[str, int]]:
    """A dashboard of its own: host:port and the number of its process."""
    with socket.socket() as free:
        free.bind((HOST, 0))
        address = f"{HOST}:{free.getsockname()[1]}"
    command = [sys.executable, "-m", "dashboard", "--headless", "--port", address.rpartition(":")[2]]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + PATIENCE_S
        while not _healthy(address):
            if process.poll() is not None or time.monotonic() > until:
                sys.exit("The server did not start.")
            time.sleep(0.2)
        yield address, process.pid
    finally:
        process.terminate()
        process.wait(20)


def _healthy(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{address}/_stcore/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False


def resident_mb(pid: int) -> float:
    """The resident sets of a process and of those that it started, in MB; NaN where /proc does not tell."""
    with contextlib.suppress(OSError):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        own = sum(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:"))
        started = [c for of in Path(f"/proc/{pid}/task").glob("*/children") for c in of.read_text().split()]
        return own + sum(resident_mb(int(child)) for child in started)
    return float("nan")


async def visit(address: str, pid: int, sessions: int, rate: float, seconds: float) -> dict[str, Any]:
    """Opens all sessions, warms up, and moves all of them for so long."""
    everybody = [Session(number, address) for number in range(sessions)]
    for one in everybody:
        await one.open()
    for _ in range(WARM_UP):
        await asyncio.gather(*(one.edit() for one in everybody))
    before, memory = resident_mb(pid), []
    start = time.perf_counter() + 0.1

    async def watch() -> None:
        for part in range(1, PARTS):
            await asyncio.sleep(max(0.0, start + part * seconds / PARTS - time.perf_counter()))
            memory.append(resident_mb(pid))

    moves = (one.move(rate, seconds, start + i / rate / sessions) for i, one in enumerate(everybody))
    await asyncio.gather(watch(), *moves)
    took, after = time.perf_counter() - start, resident_mb(pid)
    for one in everybody:
        await one.close()
    return {
        "sessions": sessions,
        "rate_hz": rate,
        "seconds": took,
        "edits": sum(len(one.latencies) for one in everybody),
        "merged_ticks": sum(one.merged for one in everybody),
        "errors": [error for one in everybody for error in one.errors],
        **spread("", [x for one in everybody for x in one.latencies]),
        **spread("newest_", [x for one in everybody for x in one.newest]),
        **spread("answer_", [x for one in everybody for x in one.answers]),
        "memory_before_mb": before,
        "memory_between_mb": memory,
        "memory_after_mb": after,
        "cores": os.cpu_count(),
        "load_average": os.getloadavg()[0],
    }


def report(found: dict[str, Any]) -> str:
    """The measurements as lines for people."""

    def both(name: str) -> str:
        return f"median {found[f'{name}median_ms']:.0f} ms, p95 {found[f'{name}p95_ms']:.0f} ms"

    memory = [found["memory_before_mb"], *found["memory_between_mb"], found["memory_after_mb"]]
    return "\n".join(
        [
            f"{found['sessions']} sessions, {found['rate_hz']:g} ticks a second each, {found['seconds']:.0f} s; "
            f"{found['cores']} cores, load {found['load_average']:.1f}",
            f"{found['edits']:,} edits answered, {found['merged_ticks']:,} ticks merged into them, "
            f"{len(found['errors'])} errors",
            f"from the first tick of an edit to its answer: {both('')}",
            f"from its newest tick: {both('newest_')}",
            f"from its sending: {both('answer_')}",
            f"memory of the server and its helpers: {', '.join(f'{mb:.0f}' for mb in memory)} MB",
        ]
    )


def main() -> None:
    """Measures, and prints it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=10)
    parser.add_argument("--rate", type=float, default=5.0, help="edits a second of each session")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--json", action="store_true", help="print an object")
    arguments = parser.parse_args()
    if arguments.sessions < 1 or arguments.rate <= 0 or arguments.seconds <= 0:
        parser.error("--sessions, --rate and --seconds must be above 0")
    with served() as (address, pid):
        found = asyncio.run(visit(address, pid, arguments.sessions, arguments.rate, arguments.seconds))
    if arguments.json:
        print(json.dumps(found, indent=1))
    else:
        print(report(found))
    for error in found["errors"][:5]:
        print(error, file=sys.stderr)


if __name__ == "__main__":
    main()
