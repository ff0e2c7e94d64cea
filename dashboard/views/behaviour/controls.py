"""The controls of the page Learning behaviour, and asking its probes one learner at a time."""

from collections.abc import Sequence
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard.views.behaviour import tables
from dashboard.widgets import page
from engine.runs.ensembles import Ensemble
from probes import asking
from probes.questions.behaviour import Behaviour, Curve

NARROW = """@media (max-width: 1100px) {
  .st-key-KEY > [data-testid="stLayoutWrapper"] > [data-testid="stHorizontalBlock"] > [data-testid="stColumn"] {
    min-width: 100%;
  }
}"""
state = st.session_state


def row() -> DeltaGenerator:
    """Controls side by side, which wrap on a narrow screen."""
    return st.container(horizontal=True, vertical_alignment="bottom")


def pair(key: str) -> list[DeltaGenerator]:
    """Two figures side by side; on a narrow screen one below the other."""
    st.html(f"<style>{NARROW.replace('KEY', key)}</style>")
    return st.container(key=key).columns(2, gap="large")


def pick(label: str, options: Sequence[Any], key: str, default: Any, titles: dict[Any, str] | None = None) -> Any:
    """One of a few, kept in the URL."""
    found = st.segmented_control(
        label,
        list(options),
        default=default,
        key=f"behaviour-{key}",
        format_func=lambda one: (titles or {}).get(one, str(one)),
        bind="query-params",
    )
    return found if found in options else default


def choose_one(label: str, ensembles: Sequence[Ensemble], key: str, default: str) -> str:
    """One of the learners shown, kept in the URL."""
    names = tables.titles(ensembles)
    found = st.selectbox(
        label,
        list(names),
        index=list(names).index(default) if default in names else 0,
        key=f"behaviour-{key}",
        format_func=lambda name: names.get(name, name),
        bind="query-params",
        width=190,
    )
    return found if found in names else next(iter(names))


def one_by_one(probe: str, ensembles: Sequence[Ensemble], doing: str, **config: Any) -> list[Any]:
    """The answers about each learner alone: another learner on the page costs its own answer only."""
    reasons = [asking.find(probe).applies(e) for e in ensembles]
    answers = [
        page.answer(probe, [e], f"{doing} {e.learner.title} ...", **config)
        for e, reason in zip(ensembles, reasons, strict=True)
        if reason is None
    ]
    if said := [reason for reason in reasons if reason]:
        st.caption(" ".join(dict.fromkeys(said)))
    return [answer for answer in answers if answer is not None]


def behaved(ensembles: Sequence[Ensemble], tasks: int) -> tuple[str, list[Curve]]:
    """What a loss is, and every learner's curve."""
    found: list[Behaviour] = one_by_one("behaviour", ensembles, "Adapting", tasks=tasks)
    return found[0].measure, [curve for one in found for curve in one.curves]


def seeds_of(ensembles: Sequence[Ensemble]) -> str:
    """How many seeds, for a subtitle."""
    counts = sorted({len(e.runs) for e in ensembles})
    return f"{'-'.join(map(str, counts))} seed{'s' * (counts != [1])} each"


def axis_of_losses() -> bool:
    """Whether losses are on a logarithmic axis: one switch for all figures."""
    return bool(state.get("behaviour-axis", "log") != "linear")
