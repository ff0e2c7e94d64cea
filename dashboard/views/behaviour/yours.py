"""Learning behaviour, *Your probes*: what probes of plug-ins say of the learners shown, as tables of whatever it is."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from torch import Tensor

from dashboard.widgets import fitting, page
from dashboard.widgets.choosing import Shown
from dashboard.widgets.escape import code, plain
from engine import plugins
from engine.runs.ensembles import Ensemble
from probes import PROBES, asking

MOST = 24  # arrays that are shown as tables; the file has them all


def brought() -> list[str]:
    """The probes that come from plug-ins, by name."""
    return [name for name in PROBES if PROBES.owner(name) is not None]


def show_yours(shown: Shown) -> None:
    """Each of them: its question, and its answer once it was asked for."""
    for name in brought():
        st.subheader(plain(fitting.question(name)), anchor=False)
        st.caption(f"The probe {code(name)} of {code(PROBES.owner(name))}, with its default settings.")
        if ensembles := fitting.suited(name, shown.ensembles):
            show_one(name, ensembles)


def show_one(name: str, ensembles: list[Ensemble]) -> None:
    """One probe about all learners that it can be asked about; it is asked on demand, as it may take long."""
    key, several = f"behaviour-yours-{name}", f"{len(ensembles)} learner{'s' * (len(ensembles) != 1)}"
    if page.known(name, ensembles) is None and not st.button(
        f"Ask about {several}", key=f"{key}-ask", icon=":material/play_arrow:"
    ):
        return
    try:
        found = page.answer(name, ensembles, f"Asking about {several} ...")
    except Exception as error:  # whatever somebody's probe does; ours refuse in a sentence
        st.error(plain(f"The probe {name} failed: {plugins.why(error)}"), icon=":material/error:")
        return
    if found is not None:
        show_answer(found, key)


def show_answer(found: Any, key: str) -> None:
    """Whatever an answer holds: its numbers and words in one table, its arrays in one each, all of it as JSON."""
    every = list(leaves(found))
    st.dataframe(summary(every), hide_index=True, width="content")
    arrays = [(path, leaf) for path, leaf in every if isinstance(leaf, np.ndarray) and 0 < leaf.ndim < 3 and leaf.size]
    if arrays:
        with st.expander("Data", icon=":material/table:"):
            for path, leaf in arrays[:MOST]:
                st.caption(f"{plain(path)}, {_shape(leaf)}")
                st.dataframe(pd.DataFrame(leaf), height=180)
            if len(arrays) > MOST:
                st.caption(f"The first {MOST} of {len(arrays)} arrays; the file has them all.")
    st.download_button(
        "JSON",
        data=lambda: json.dumps(asking.plain(found), allow_nan=False),
        file_name=f"{key}.json",
        mime="application/json",
        on_click="ignore",
        key=f"{key}-json",
        icon=":material/download:",
    )


def summary(every: list[tuple[str, Any]]) -> pd.DataFrame:
    """One row for each part of an answer: of an array its shape, mean and range, of anything else its value."""
    rows = []
    for path, leaf in every:
        row: dict[str, Any] = {"part": path}
        if isinstance(leaf, np.ndarray) and leaf.ndim and leaf.size and leaf.dtype.kind in "biuf":
            known = leaf[np.isfinite(leaf)] if leaf.dtype.kind == "f" else leaf
            row["value"] = _shape(leaf)
            if known.size:
                row |= {"mean": float(known.mean()), "lowest": float(known.min()), "highest": float(known.max())}
        else:
            row["value"] = _shape(leaf) if isinstance(leaf, np.ndarray) and leaf.ndim else str(leaf)
        rows.append(row)
    return pd.DataFrame(rows, columns=["part", "value", "mean", "lowest", "highest"])


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The arrays, numbers and words of an answer, each with the way to it; lists of numbers are arrays."""
    if is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, Tensor):
        value = value.detach().cpu().numpy()
    if isinstance(value, list | tuple) and value and all(isinstance(one, int | float) for one in value):
        value = np.array(value)
    if isinstance(value, list | tuple):
        value = dict(enumerate(value))
    if isinstance(value, Mapping):
        for key, one in value.items():
            yield from leaves(one, f"{path} / {key}" if path else str(key))
    else:
        yield path, value


def _shape(values: np.ndarray) -> str:
    return " × ".join(map(str, values.shape))
