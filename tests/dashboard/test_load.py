"""Several visitors at once, over the websocket and without a browser: each is answered about its own points."""

from __future__ import annotations

import asyncio
import base64
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests.benchmarks import load

SESSIONS, EDITS = 4, 6


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, int]]:
    """A dashboard in a process of its own."""
    with load.served() as found:
        yield found


def visit(address: str) -> list[load.Session]:
    """Visitors who move their points at the same time, in a thread: this one may hold a browser's event loop."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(together(address))).result()


async def together(address: str) -> list[load.Session]:
    """Visitors who move their points at the same time."""
    everybody = [load.Session(number, address) for number in range(SESSIONS)]
    for one in everybody:
        await one.open()
    for _ in range(EDITS):
        await asyncio.gather(*(one.edit() for one in everybody))
    for one in everybody:
        await one.close()
    return everybody


def test_visitors_at_once_get_their_own_answers_and_no_error(server: tuple[str, int]):
    everybody = visit(server[0])
    assert [one.errors for one in everybody] == [[] for _ in everybody]  # points that are not one's own are errors
    curves = [one.curves() for one in everybody]
    assert all(one == curves[0].keys() for one in (c.keys() for c in curves))
    for name in curves[0]:
        assert len({one[name] for one in curves}) == SESSIONS, f"{name} gave two visitors the same curves"


def test_the_same_points_get_the_same_answer_whoever_else_is_there(server: tuple[str, int]):
    first = visit(server[0])
    second = visit(server[0])
    for one, other in zip(first, second, strict=True):
        before, after = (
            {name: np.frombuffer(base64.b64decode(text), "<i2").astype(int) for name, text in session.curves().items()}
            for session in (one, other)
        )
        assert before.keys() == after.keys()
        for name, values in before.items():  # who is answered together changes the rounding: the last digit sent
            assert np.abs(values - after[name]).max() <= 1, name


def test_pages_of_other_servers_neither_show_nor_drive_this_one(server: tuple[str, int]):
    """Another port of this machine, another name that was made to mean it, and a frame around it."""
    address, port = server[0], server[0].rpartition(":")[2]

    def joined(origin: str, host: str = address) -> bool:
        """Whether a page of an origin may open the websocket that all clicks go through."""
        key = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
        lines = ["GET /_stcore/stream HTTP/1.1", f"Host: {host}", "Upgrade: websocket", "Connection: Upgrade", key]
        lines += ["Sec-WebSocket-Protocol: streamlit", *([f"Origin: {origin}"] if origin else [])]
        with socket.create_connection((load.HOST, int(port)), timeout=60) as wire:
            wire.sendall("\r\n".join([*lines, "", ""]).encode())
            return wire.recv(64).split()[1] == b"101"

    assert joined("") and joined(f"http://{address}") and joined(f"http://localhost:{port}", f"localhost:{port}")
    for origin in ("http://127.0.0.1:1", "http://localhost:1", f"http://localhost:{port}", "http://a.example", "null"):
        assert not joined(origin), origin
    assert not joined(f"http://a.example:{port}", f"a.example:{port}"), "a name that was made to mean this machine"
    with urllib.request.urlopen(f"http://{address}/train", timeout=60) as page:
        assert page.headers["X-Frame-Options"] == "DENY"
        assert page.headers["Content-Security-Policy"] == "frame-ancestors 'none'"
    sent = urllib.request.Request(f"http://{address}/_stcore/upload_file/a/b", b"", method="PUT")
    sent.add_header("Origin", "http://127.0.0.1:1")
    with pytest.raises(urllib.error.HTTPError, match="403") as refused:
        urllib.request.urlopen(sent, timeout=60)
    assert refused.value.read() == b"Pages of other addresses may not use this server.\n"


def test_a_session_tells_what_went_wrong():
    """So that the tests above can fail."""
    session = load.Session(0, "nowhere")
    message = load.ForwardMsg()
    message.delta.new_element.exception.type = "ValueError"
    message.delta.new_element.exception.message = "broken"
    session._hear(message.SerializeToString())
    assert session.errors == ["ValueError: broken"]
    failed = load.ForwardMsg()
    failed.script_finished = load.ForwardMsg.FINISHED_WITH_COMPILE_ERROR
    assert session._hear(failed.SerializeToString())
    assert session.errors[1:] == ["the script failed"]
