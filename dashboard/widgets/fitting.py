"""Whom a probe can be asked about: the one place where pages find out, and the words in which they say so."""

from collections.abc import Iterable, Mapping, Sequence

import streamlit as st

from dashboard.widgets.escape import plain
from engine.runs.ensembles import Ensemble
from probes import asking


def unfit(probe: str, ensemble: Ensemble) -> str | None:
    """Why a probe cannot be asked about a learner, in its own sentence; None where it can."""
    return asking.find(probe).applies(ensemble)


def fit(probe: str, ensembles: Iterable[Ensemble]) -> list[Ensemble]:
    """Those that a probe can be asked about."""
    return [ensemble for ensemble in ensembles if unfit(probe, ensemble) is None]


def suited(probe: str, ensembles: Sequence[Ensemble], hint: str = "") -> list[Ensemble]:
    """The same, with a caption on the others and the reasons at hand; if nobody fits, the reasons and a hint."""
    reasons = {e.learner.title: why for e in ensembles if (why := unfit(probe, e)) is not None}
    if len(reasons) == len(ensembles):
        st.info(f"{told(reasons)} {hint}", icon=":material/info:")
        return []
    if reasons:
        st.caption(f"Not in what follows: {plain(', '.join(reasons))}.", help=told(reasons))
    return [e for e in ensembles if e.learner.title not in reasons]


def told(reasons: Mapping[str, str]) -> str:
    """Reasons as Markdown, by the title of whom they are about; one that several share is said of the first alone."""
    alike: dict[str, list[str]] = {}
    for title, reason in reasons.items():
        alike.setdefault(reason.replace(title, "", 1), []).append(title)
    said = []
    for title, *others in alike.values():
        *some, last = others or [""]
        same = f" The same goes for {', '.join(some)}{' and ' * bool(some)}{last}." if others else ""
        said.append(plain(f"{reasons[title]}{same}"))
    return " ".join(said)


def question(probe: str) -> str:
    """What a probe asks."""
    return asking.find(probe).question
