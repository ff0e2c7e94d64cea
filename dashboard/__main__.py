"""`python -m dashboard`: serves the pages on this machine, tuned so that a drag is answered at once."""

import argparse
import gc
import os

from dashboard.library import PROJECT
from dashboard.training.readonly import VARIABLE


def main() -> None:
    """Imports what the pages need, sets that memory aside from garbage collection, and serves."""
    parser = argparse.ArgumentParser(prog="python -m dashboard", description="Opens Innerloop in a browser.")
    parser.add_argument("--port", type=int, default=8501, help="port on this machine (default: 8501)")
    parser.add_argument("--headless", action="store_true", help="do not open a browser")
    parser.add_argument("--read-only", action="store_true", help="nothing can be trained, uploaded, changed or deleted")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    arguments = parser.parse_args()
    if not 1 <= arguments.port <= 65535:
        parser.error(f"--port must be between 1 and 65535, not {arguments.port}")
    if arguments.read_only:
        os.environ[VARIABLE] = "1"
    shared = {"client.showErrorDetails": "type"} if arguments.host != "127.0.0.1" else {}
    os.chdir(PROJECT)  # Streamlit reads .streamlit/config.toml from here
    import streamlit as st
    import torch

    import dashboard.live  # noqa: F401 - torch and the learners, before the first visitor

    torch.set_num_threads(1)  # the inner loops are many tiny products: a second thread only waits for the first
    gc.collect()
    gc.freeze()
    config = {
        "server.address": arguments.host,
        "server.port": arguments.port,
        "server.headless": arguments.headless,
        "server.fileWatcherType": "none",
        **shared,
    }
    st.App(PROJECT / "dashboard" / "app.py").run(config=config)


if __name__ == "__main__":
    main()
