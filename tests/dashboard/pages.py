"""Pages without a browser: opening one, and reading what it shows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 300  # seconds; a busy machine is no failure


def app(page: str = "") -> AppTest:
    """The whole app, at one of its pages, not run yet."""
    at = AppTest.from_file(str(ROOT / "dashboard" / "app.py"), default_timeout=PATIENCE)
    if page:
        at.switch_page(f"views/{page}/{page}.py")
    return at


def linked(page: str, query: Mapping[str, str | list[str]]) -> AppTest:
    """A page after its first run, at a link."""
    at = app(page)
    at.query_params.update(query)
    return at.run()


def fine(at: AppTest) -> AppTest:
    """The page, which must not have failed."""
    assert not at.exception, at.exception
    assert not at.error, at.error
    return at


def charts(at: AppTest) -> list[dict[str, Any]]:
    """What each figure holds."""
    return [json.loads(chart.proto.spec) for chart in at.get("plotly_chart")]


def figures(at: AppTest) -> list[go.Figure]:
    """The same as Plotly's figures."""
    return [go.Figure(chart) for chart in charts(at)]


def said(at: AppTest) -> str:
    """All text on the page."""
    return "\n".join(element.value for element in [*at.markdown, *at.caption, *at.subheader, *at.info, *at.warning])
