"""What the pages below the live one share: asking probes once, and the frame around a figure."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard.widgets import library
from dashboard.widgets.crew import CREW
from dashboard.widgets.escape import plain
from engine.errors import EngineError
from engine.jobs.helper import Errand
from engine.runs import exports
from engine.runs.ensembles import Ensemble
from probes import answers, asking

MOST_ANSWERS = 128


def dark() -> bool:
    """Whether the page is shown on the dark background."""
    return (st.context.theme.type or "light") == "dark"


def answer(name: str, ensembles: Sequence[Ensemble], label: str = "", **config: Any) -> Any:
    """The answer of the probe `name`: shipped, or computed once for the same weights and settings in this process.

    Shows a progress bar (with `label`) while it computes. Returns None, with the reason on the page, if the probe
    refuses.
    """
    bar = st.empty()  # in every run, so that what stands below keeps its place
    if (found := known(name, ensembles, **config)) is not None:
        return found
    try:
        found = asking.ask(name, list(ensembles), config, lambda share: _show(bar, share, label))
    except EngineError as error:
        st.info(plain(error), icon=":material/info:")
        return None
    finally:
        bar.empty()
    _keep(found, name, ensembles, config)
    return found


def answer_each(name: str, ensembles: Sequence[Ensemble], label: str = "", **config: Any) -> list[Any]:
    """The answers of the probe `name` about each ensemble alone, as `answer`; those to be computed on all cores."""
    missing = [e for e in ensembles if known(name, [e], **config) is None]
    bar = st.empty()
    if len(missing) > 1:
        try:
            errands = [Errand(asking.ask_about, ensemble, (name, config)) for ensemble in missing]
            for ensemble, found in zip(
                missing, CREW.each(errands, lambda share: _show(bar, share, label)), strict=True
            ):
                _keep(found, name, [ensemble], config)
        except EngineError:
            pass  # whom it refuses, it tells so below
        finally:
            bar.empty()
    return [answer(name, [ensemble], label, **config) for ensemble in ensembles]


def answers_of(name: str, ensembles: Sequence[Ensemble], doing: str, **config: Any) -> list[Any]:
    """The answers about each ensemble alone, those that there are: another learner on a page costs its own only.

    Args:
        name: of the probe.
        ensembles: whom to ask about.
        doing: what is done to the learner while somebody waits, such as "Adapting".
        config: values for the probe's `Config`.
    """
    found = [answer(name, [e], f"{doing} {e.learner.title} ...", **config) for e in ensembles]
    return [one for one in found if one is not None]


def known(name: str, ensembles: Sequence[Ensemble], **config: Any) -> Any | None:
    """The answer of a probe if it was computed in this process or is shipped; None: it would have to be asked."""
    kept, key = _answers(), _key(name, ensembles, config)
    if key not in kept and (shipped := answers.read(library.ANSWERS, name, ensembles, config)) is not None:
        kept[key] = shipped
    return kept.get(key)


def _show(bar: DeltaGenerator, share: float, label: str) -> None:
    bar.progress(min(max(share, 0.0), 1.0), text=label or "Asking the learners ...")


def _keep(found: Any, name: str, ensembles: Sequence[Ensemble], config: dict[str, Any]) -> None:
    kept = _answers()
    kept[_key(name, ensembles, config)] = found
    while len(kept) > MOST_ANSWERS:
        kept.pop(next(iter(kept)), None)  # the oldest


def _key(name: str, ensembles: Sequence[Ensemble], config: dict[str, Any]) -> tuple[str, tuple[str, ...], str]:
    hashes = tuple(run.sha256 for ensemble in ensembles for run in ensemble.runs)
    return name, hashes, json.dumps(config, sort_keys=True)


@st.cache_resource(show_spinner=False)
def _answers() -> dict[tuple[str, tuple[str, ...], str], Any]:
    """Answers by probe, weights and settings. Not a cached function of them: it would replay its progress bar."""
    return {}


def frame(
    question: str,
    subtitle: str,
    figure: go.Figure,
    key: str,
    *,
    read: str,
    data: pd.DataFrame,
    says: str = "",
    config: dict[str, Any] | None = None,
    **chart: Any,
) -> Any:
    """A figure with its question as title, what is plotted over what below, how to read it, and the data behind it.

    Args:
        question: the title.
        subtitle: what is plotted over what.
        figure: the figure.
        key: of the chart and its downloads.
        read: Markdown: how to read it, with the formula and the reference.
        data: the table behind it.
        says: Markdown: what the figure shows, in a sentence with numbers from it.
        config: further Plotly configuration.
        chart: further arguments of `st.plotly_chart`, such as `on_select`.

    Returns:
        What `st.plotly_chart` returns (the selection, where one was asked for).
    """
    st.subheader(question, anchor=False)
    st.caption(subtitle)
    if says:
        st.markdown(says)
    image = {"format": "svg", "filename": f"innerloop-{key}", "scale": 2}
    settings = {"toImageButtonOptions": image, "displaylogo": False, **(config or {})}
    event = st.plotly_chart(figure, key=key, config=settings, width="stretch", **chart)
    how, table = st.columns(2)
    with how.expander("How to read this", icon=":material/help:"):
        st.markdown(read)
    with table.expander("Data", icon=":material/table:"):
        st.dataframe(data, hide_index=True, width="stretch", height=240)
        files: dict[str, tuple[str, str | None, Callable[[], str]]] = {
            "csv": ("CSV", None, lambda: exports.csv(data)),
            "json": ("JSON", None, lambda: data.to_json(orient="records")),
            "html": ("HTML figure", "text/html", lambda: figure.to_html(include_plotlyjs=True)),
        }
        for column, (kind, (title, mime, content)) in zip(st.columns(3), files.items(), strict=True):
            column.download_button(
                title,
                data=content,
                file_name=f"{key}.{kind}",
                mime=mime,
                on_click="ignore",
                key=f"{key}-{kind}",
                icon=":material/download:",
            )
    return event
