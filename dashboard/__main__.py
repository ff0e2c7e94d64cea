"""`python -m dashboard`: serves the pages on this machine, tuned so that a drag is answered at once."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from dashboard.serving.readonly import HERE, VARIABLE, read_only

APP = Path(__file__).resolve().with_name("app.py")


class Parser(argparse.ArgumentParser):
    """Says in one line what was wrong with a call."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"Error: {message}. See `{self.prog} --help`.\n")


EVERYWHERE = ("0.0.0.0", "::")
WARNING = (
    "Anybody in the network can train and delete here, and fill the disk; "
    "--read-only switches that off, --host 127.0.0.1 keeps it to this machine."
)


def hosts(host: str, also: Sequence[str] = ()) -> list[str]:
    """The names under which browsers may reach the server; none: any, as nobody said under which ones they will.

    Without such names, a stranger's page could have its name resolved to this machine, and so pass for a page of it.
    """
    if host in EVERYWHERE and not also:
        return []
    return [*dict.fromkeys([*HERE, *([] if host in EVERYWHERE else [host]), *also])]


def settings(host: str, port: int, *, headless: bool, read_only: bool, also: Sequence[str] = ()) -> dict[str, object]:
    """Streamlit's settings for serving, beside those of `.streamlit/config.toml`."""
    return {
        "server.allowedHosts": hosts(host, also),
        "server.corsAllowedOrigins": [f"https://{name}" for name in also],
        "server.address": host,
        "server.port": port,
        "server.headless": headless,
        "server.fileWatcherType": "none",
        "logger.hideWelcomeMessage": True,  # and Streamlit's offers on the page, which are meant for its developers
        **({"client.showErrorDetails": "type"} if host != "127.0.0.1" else {}),
        **({"server.maxUploadSize": 1} if read_only else {}),  # megabytes that a stranger may send to no uploader
    }


def main(given: list[str] | None = None) -> None:
    """Imports what the pages need, sets that memory aside from garbage collection, and serves."""
    parser = Parser(prog="python -m dashboard", description="Opens Innerloop in a browser.")
    parser.add_argument("--port", type=int, default=8501, help="port on this machine (default: 8501)")
    parser.add_argument("--headless", action="store_true", help="do not open a browser")
    parser.add_argument("--read-only", action="store_true", help="nothing can be trained, uploaded, changed or deleted")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    parser.add_argument(
        "--allowed-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a further name that browsers reach it by, such as that of a proxy; may be given several times",
    )
    parser.add_argument(
        "--allow-embedding", action="store_true", help="pages of other servers may show and drive it (in a frame)"
    )
    arguments = parser.parse_args(given)
    if not 1 <= arguments.port <= 65535:
        parser.error(f"--port must be between 1 and 65535, not {arguments.port}")
    if arguments.read_only:
        os.environ[VARIABLE] = "1"
    sys.argv[0] = str(APP)  # Streamlit reads the .streamlit/config.toml beside what was started, by any name
    import streamlit as st
    from starlette.middleware import Middleware

    from dashboard.serving import server as serving
    from dashboard.serving.guard import Guard

    serving.tune()
    address = f"[{arguments.host}]" if ":" in arguments.host else arguments.host
    print(f"Innerloop: http://{address}:{arguments.port} (Ctrl+C stops it)", flush=True)
    if arguments.host not in HERE and not read_only():
        print(WARNING, flush=True)
    how = {"headless": arguments.headless, "read_only": read_only(), "also": arguments.allowed_host}
    guard = [] if arguments.allow_embedding else [Middleware(Guard, hosts=frozenset(arguments.allowed_host))]
    app = st.App(APP, middleware=guard)
    app.run(config=settings(arguments.host, arguments.port, **how))


if __name__ == "__main__":
    main(sys.argv[1:])
