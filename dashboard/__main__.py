"""`python -m dashboard`: serves the pages on this machine, tuned so that a drag is answered at once."""

import argparse
import os
import sys
from pathlib import Path
from typing import NoReturn

from dashboard.training.readonly import VARIABLE

PROJECT = Path(__file__).resolve().parents[1]


class Parser(argparse.ArgumentParser):
    """Says in one line what was wrong with a call."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"Error: {message}. See `{self.prog} --help`.\n")


def settings(host: str, port: int, *, headless: bool, read_only: bool) -> dict[str, object]:
    """Streamlit's settings for serving, beside those of `.streamlit/config.toml`."""
    return {
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
    arguments = parser.parse_args(given)
    if not 1 <= arguments.port <= 65535:
        parser.error(f"--port must be between 1 and 65535, not {arguments.port}")
    if arguments.read_only:
        os.environ[VARIABLE] = "1"
    os.chdir(PROJECT)  # Streamlit reads .streamlit/config.toml from here
    import streamlit as st

    from dashboard import serving

    serving.tune()
    print(f"Innerloop: http://{arguments.host}:{arguments.port} (Ctrl+C stops it)", flush=True)
    how = {"headless": arguments.headless, "read_only": arguments.read_only}
    st.App(PROJECT / "dashboard" / "app.py").run(config=settings(arguments.host, arguments.port, **how))


if __name__ == "__main__":
    main(sys.argv[1:])
