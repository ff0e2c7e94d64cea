"""The controls of the page Update rules, and asking its probes one learner at a time."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from dashboard.views.behaviour.controls import row
from dashboard.views.behaviour.tables import titles
from dashboard.widgets import page
from engine.runs.ensembles import Ensemble
from probes import asking

__all__ = ["answers", "choose_one", "pick", "row", "suited", "titles"]


def pick(label: str, options: Sequence[Any], key: str, default: Any, names: dict[Any, str] | None = None) -> Any:
    """One of a few, kept in the URL."""
    found = st.segmented_control(
        label,
        list(options),
        default=default,
        key=f"rules-{key}",
        format_func=lambda one: (names or {}).get(one, str(one)),
        bind="query-params",
    )
    return found if found in options else default


def choose_one(label: str, ensembles: Sequence[Ensemble], key: str, default: str) -> Ensemble:
    """One of some learners, kept in the URL: the default one, or the first, unless one is chosen."""
    by_name = {e.learner.name: e for e in ensembles}
    first = default if default in by_name else next(iter(by_name))
    found = pick(label, list(by_name), key, first, titles(ensembles))
    return by_name[found]


def suited(probe: str, ensembles: Sequence[Ensemble]) -> list[Ensemble]:
    """The learners that a probe applies to; the others are named, with the reasons at hand."""
    reasons = [asking.find(probe).applies(e) for e in ensembles]
    left = {e.learner.title: reason for e, reason in zip(ensembles, reasons, strict=True) if reason}
    if left:
        st.caption(f"Not in what follows: {', '.join(left)}.", help=" ".join(left.values()))
    return [e for e, reason in zip(ensembles, reasons, strict=True) if reason is None]


def answers(probe: str, ensembles: Sequence[Ensemble], doing: str, **config: Any) -> list[Any]:
    """The answers about each learner alone: another learner on the page costs its own answer only."""
    found = [page.answer(probe, [e], f"{doing} {e.learner.title} ...", **config) for e in ensembles]
    return [answer for answer in found if answer is not None]
