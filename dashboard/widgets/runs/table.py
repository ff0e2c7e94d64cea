"""Runs as rows, and what tells some of them apart."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from dashboard.widgets import library
from dashboard.widgets.numbers import number
from dashboard.widgets.runs import clock
from dashboard.widgets.runs.notes import Note
from engine.jobs import local as jobs
from engine.runs.history import read_history
from engine.runs.listing import find

KNOWN = ("hyper_parameters", "training", "task_parameters")
SCORES = ("error", "accuracy")  # of tests: a run has one of them
COLUMNS = ("run", "learner", "task", "shots", "seed", "status", *SCORES, "tags", "note", "recipe", "minutes", "updated")


def rows(roots: Sequence[Path], notes: dict[str, Note]) -> tuple[pd.DataFrame, list[Path]]:
    """All runs below the roots as a table with `COLUMNS`, and their folders in the same order."""
    found, folders = [], []
    for path, record in find(*roots):
        try:
            found.append(_row(path, record, notes.get(str(record.get("weights_sha256")), Note())))
        except Exception:  # of a record that nobody foresaw: one line, and the others are still shown
            found.append({"run": library.shown(path), "status": "broken"})
        folders.append(path)
    return pd.DataFrame(found, columns=list(COLUMNS)), folders


def _row(path: Path, record: dict[str, Any], note: Note) -> dict[str, Any]:
    metrics, status = record.get("metrics") or {}, str(record.get("status"))
    if status in jobs.ACTIVE:
        status = jobs.job(path).status
    return {
        "run": library.shown(path),
        **{key: record.get(key) for key in ("learner", "task", "shots", "seed")},
        "status": status,
        "error": metrics.get("test_mse"),
        "accuracy": metrics.get("test_accuracy"),
        "recipe": record.get("recipe"),
        "minutes": _number(record.get("seconds"), 60),
        "updated": clock.written(record.get("updated")),
        "tags": note.tags,
        "note": note.text,
    }


def scores(frame: pd.DataFrame) -> dict[str, Any]:
    """How the test scores of these runs are shown: the error, the accuracy, or both, as far as any of them has it."""
    told = {
        "error": ("test error", "mean squared error on test tasks: lower is better"),
        "accuracy": ("test accuracy", "share of right classes on test tasks: higher is better"),
    }
    there = [name for name in SCORES if name in frame and frame[name].notna().any()] or ["error"]
    form = st.column_config.NumberColumn
    return {name: form(told[name][0], format="%.4f", help=told[name][1]) if name in there else None for name in SCORES}


def matching(frame: pd.DataFrame, text: str) -> pd.DataFrame:
    """The rows in which every word of the text occurs somewhere."""
    lines = pd.Series(
        [" ".join(map(str, row)).lower() for row in frame.itertuples(index=False)], frame.index, dtype=str
    )
    keep = pd.Series(True, index=frame.index)
    for word in text.lower().split():
        keep &= lines.str.contains(word, regex=False)
    return frame[keep]


def configuration(records: Sequence[dict[str, Any]], names: Sequence[str], *, differing: bool) -> pd.DataFrame:
    """The parameters of runs side by side, one column per run; only those that differ, if asked so."""
    flat = [_flat(record) for record in records]
    keys = list(dict.fromkeys(key for one in flat for key in one))
    lines = []
    for key in keys:
        values = [str(one.get(key, "")) for one in flat]
        if not differing or len(set(values)) > 1:
            lines.append([key, *values])
    return pd.DataFrame(lines, columns=["parameter", *names])


def provenance(records: Sequence[dict[str, Any]], names: Sequence[str]) -> pd.DataFrame:
    """Where runs come from, one column per run."""
    keys = ("seed", "device", "threads", "compiled", "seconds", "weights_sha256")
    lines = [[key, *(str(record.get(key, "")) for record in records)] for key in keys]
    lines.append([clock.label("updated"), *(clock.written(record.get("updated")) for record in records)])
    for key in ("python", "torch", "commit"):
        lines.append([key, *(str((record.get("versions") or {}).get(key, "")) for record in records)])
    if any(record.get("earlier_versions") for record in records):
        lines.append(["before", *("; ".join(_ran(record.get("earlier_versions"))) for record in records)])
    return pd.DataFrame(lines, columns=["", *names])


def _ran(past: Any) -> list[str]:
    """The versions that a training ran under before a break."""
    said = []
    for one in past if isinstance(past, list) else []:
        if isinstance(one, dict):
            named = ", ".join(f"{key} {one.get(key)}" for key in ("python", "torch", "commit"))
            said.append(f"to update {one.get('until')}: {named}"[:200])
    return said


def measured(folders: Sequence[Path], records: Sequence[dict[str, Any]], names: Sequence[str]) -> pd.DataFrame:
    """Best and last validation loss and the test scores, one row per run.

    Validations are mean squared errors, or cross-entropies where the test has accuracies.
    Means are over the tasks that did not diverge, of which there are counts; a median that diverged tasks make infinite
    is said to be so.
    """
    lines = []
    for folder, record, name in zip(folders, records, names, strict=True):
        checked = [row for row in read_history(folder) if row.get("validation") is not None]
        metrics = record.get("metrics") or {}
        lines.append(
            {
                "run": name,
                "best validation": metrics.get("validation"),
                "diverged then": metrics.get("validation_diverged"),
                "at update": metrics.get("best_iteration"),
                "last validation": checked[-1]["validation"] if checked else None,
                "test": metrics.get("test_mse", metrics.get("test_accuracy")),
                "test is of": "accuracy" if "test_accuracy" in metrics else "mean squared error",
                "± 95 %": metrics.get("test_ci95"),
                "diverged": metrics.get("test_diverged"),
                "median": _median(metrics),
                "test tasks": metrics.get("test_tasks"),
                "skipped updates": metrics.get("skipped_updates"),
            }
        )
    return pd.DataFrame(lines)


def _median(metrics: dict[str, Any]) -> str | None:
    """As text: it may be infinite, which records write as null."""
    if (found := metrics.get("test_median")) is not None:
        return number(found, 4)
    return "infinite" if metrics.get("test_diverged") else None


def _flat(record: dict[str, Any]) -> dict[str, Any]:
    found = {"learner": record.get("learner"), "task": record.get("task"), "seed": record.get("seed")}
    for group, prefix in zip(KNOWN, ("", "training.", "task."), strict=True):
        found |= {f"{prefix}{key}": value for key, value in (record.get(group) or {}).items()}
    return found


def _number(value: Any, unit: float) -> float | None:
    return round(float(value) / unit, 1) if isinstance(value, int | float) else None
