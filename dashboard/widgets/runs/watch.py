"""Trainings on the page Train: how far each is, and what can be done about it."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

from dashboard.figures import training as figures
from dashboard.serving.readonly import may_act, read_only
from dashboard.widgets import library, page
from dashboard.widgets.escape import MOST, code, plain
from dashboard.widgets.runs import broken, opening
from dashboard.widgets.runs.words import reason
from engine.errors import EngineError
from engine.evaluation import left_out
from engine.jobs import local as jobs
from engine.jobs.local import Job
from engine.learners import LEARNERS
from engine.runs.history import read_history
from engine.runs.run import RECORD
from engine.tasks import TASKS, Classes
from engine.training import plans

ICONS = {
    "queued": ":material/hourglass_empty:",
    "running": ":material/play_circle:",
    "done": ":material/check_circle:",
    "cancelled": ":material/cancel:",
    "failed": ":material/error:",
    "diverged": ":material/trending_up:",
    "interrupted": ":material/pause_circle:",
}
MEANT = {
    "queued": "waits for its turn, or is about to begin",
    "running": "running",
    "done": "done",
    "cancelled": "called off; its best weights so far are kept",
    "failed": "failed",
    "diverged": "diverged: no trained learner came of it",
    "interrupted": "its process is gone; it can go on from its last snapshot",
}
SHOWN = 8
EVERY = 1.0  # seconds between looks


def root() -> Path:
    """The folder of own runs."""
    return library.RUNS


def queue() -> Path:
    """The folder of the queue of its trainings: the one that the shell uses too, if the runs are where it puts them."""
    return root() / ".queue"


def watch() -> None:
    """All trainings, the active ones followed as they go."""
    found = jobs.jobs(root())
    if not found:
        st.caption("No trainings yet. What you start here, or with the command above, appears here.")
    active = [job.folder for job in found if job.status in jobs.ACTIVE]
    if active:
        st.fragment(_follow, run_every=EVERY)(active)
    for job in found[len(active) : SHOWN]:  # once: what has ended does not change
        broken.guarded(lambda job=job: _show(job), job.folder)  # type: ignore[misc]
    if len(found) > SHOWN:
        st.caption(f"{len(found) - SHOWN} more are on the page Runs.")
    broken.found((root(),))


def _follow(folders: list[Path]) -> None:
    """The trainings that were active when the page was made, as they are now."""
    active = [job for job in jobs.jobs(root()) if job.status in jobs.ACTIVE]
    if sorted(job.folder for job in active) != sorted(folders):
        st.rerun()  # one has ended, or begun
    for job in sorted(active, key=lambda job: folders.index(job.folder))[:SHOWN]:
        broken.guarded(lambda job=job: _show(job), job.folder)  # type: ignore[misc]


def _show(job: Job) -> None:
    """One training: what it is, how far, its losses, and its buttons."""
    record, name = job.record, str(job.folder.relative_to(root()))
    learner = LEARNERS.get(str(record.get("learner")))
    iterations = int((record.get("training") or {}).get("iterations") or 0)
    box = st.container(border=True, key=f"job-{name.replace('/', '-')}")
    head = box.container(horizontal=True, vertical_alignment="center")
    title = learner.title if learner else plain(record.get("learner"), MOST)
    there = sum((folder / RECORD).is_file() for folder in job.folders)  # some may have been deleted
    seeds, shots = f"{there} seed{'s' * (there != 1)}", f"shot{'s' * (record.get('shots') != 1)}"
    head.markdown(
        f"**{title}**, {plain(record.get('task'), MOST)}, {plain(record.get('shots'), MOST)} {shots}, {seeds} &ensp; "
        f"{code(library.shown(job.folder))}"
    )
    head.space("stretch")
    _buttons(head, job, name)
    said = [f"{ICONS.get(job.status, '')} {MEANT.get(job.status, job.status)}"]
    said.append(f"update {int(record.get('iteration') or 0):,} of {iterations:,}")
    if job.status == "running":
        rate, left = record.get("tasks_per_s"), job.eta_s
        starting = "compiling, about a minute" if record.get("compiled") else "starting"
        said += [f"{rate:,.0f} tasks/s"] if rate else [starting]
        said += [f"about {spoken(left)} left"] if left is not None else []
    metrics = record.get("metrics") or {}
    for key, what in (("test_mse", "test error"), ("test_accuracy", "test accuracy")):
        if metrics.get(key) is not None:
            which = f"seed {record.get('seed')}" if job.diverged else "the first seed"
            said.append(f"{what} of {which} {metrics[key]:.4f} ± {metrics.get('test_ci95') or 0:.4f}")
    if metrics.get("test_diverged"):
        said.append(left_out(metrics["test_diverged"], metrics.get("test_tasks") or 0))
    if learner and learner.meta_trained and job.status == "done" and metrics.get("best_iteration") == 0:
        said.append("no update made it better than it was untrained")
    box.caption(" · ".join(said))
    for sentence, seeds in _by_sentence(job).items():
        which = f"Seed{'s' * (len(seeds) > 1)} {_listed(seeds)}"
        box.error(plain(f"{which} diverged. {sentence}"), icon=ICONS["diverged"])
    if record.get("error") and job.status == "failed":
        box.error(plain(record["error"]), icon=":material/error:")
    if job.status in jobs.ACTIVE:
        box.progress(job.share)
    if job.status in jobs.RESUMABLE and (said := plans.other_versions(record)):
        box.caption(plain(said))
    histories = [read_history(folder) for folder in job.folders]
    if any(row.get("validation") is not None for rows in histories for row in rows) and iterations:
        opened = job.status == "running" or st.session_state.get("train-open") == name
        place = box if opened else box.expander("Losses")
        measure = "cross-entropy" if _has_classes(record) else "error"
        figure = figures.losses(str(record.get("learner")), histories, iterations, dark=page.dark(), measure=measure)
        place.plotly_chart(figure, key=f"losses-{name}", width="stretch", config={"displaylogo": False})
        if any(map(figures.diverged, itertools.chain(*histories))):
            place.caption("Hollow points: of these validations some tasks diverged; the mean is over the others.")


def _has_classes(record: dict[str, Any]) -> bool:
    task = TASKS.get(str(record.get("task")))
    return task is not None and isinstance(task().spec.targets, Classes)


def _by_sentence(job: Job) -> dict[str, list[int]]:
    """The seeds that diverged, by what is said of them."""
    found: dict[str, list[int]] = {}
    for seed, sentence in job.diverged:
        found.setdefault(sentence, []).append(seed)
    return found


def _listed(seeds: list[int]) -> str:
    *first, last = map(str, seeds)
    return f"{', '.join(first)} and {last}" if first else last


def _buttons(place: Any, job: Job, name: str) -> None:
    def button(label: str, icon: str, act: Callable[[], object]) -> None:
        place.button(
            label, key=f"{label}-{name}", icon=f":material/{icon}:", on_click=_do, args=(act,), disabled=read_only()
        )

    folder = job.folder
    if job.status in jobs.ACTIVE:
        button("Cancel", "stop", lambda: jobs.cancel(folder))
    if job.status in jobs.RESUMABLE:
        button("Resume", "resume", lambda: jobs.resume(folder, queue=queue()))
    if job.status in jobs.RESTARTABLE:
        button("Restart", "restart_alt", lambda: jobs.restart(folder, queue=queue()))
    opening.links(place, folder, job.record)


def _do(act: Callable[[], object]) -> None:
    try:
        may_act()
        act()
    except (EngineError, OSError) as error:
        st.toast(reason(error), icon=":material/error:")


def spoken(seconds: float) -> str:
    """A duration for people."""
    return (
        f"{seconds:.0f} s"
        if seconds < 90
        else f"{seconds / 60:.0f} min"
        if seconds < 5400
        else f"{seconds / 3600:.1f} h"
    )
