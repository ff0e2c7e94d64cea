"""Train: start a training, watch it, call it off, take it up again."""

from pathlib import Path

import streamlit as st

from dashboard.serving.readonly import SENTENCE, may_act, read_only
from dashboard.views.train import form
from dashboard.widgets import library
from dashboard.widgets.escape import code
from dashboard.widgets.pages import PAGES
from dashboard.widgets.runs import watch
from dashboard.widgets.runs.words import reason
from engine.errors import EngineError
from engine.execution.devices import pick_device
from engine.jobs import local as jobs
from engine.training import estimates, plans

state = st.session_state


def start(asked: form.Asked, replace: bool) -> None:
    """Queues what was asked for."""
    try:
        may_act()
        planned = plans.plan(
            asked.learner,
            asked.distribution,
            asked.training,
            asked.seeds,
            asked.root,
            replace=replace,
            compiled=asked.compiled,
            device=pick_device(asked.device),
            recipe=asked.recipe,
        )
        jobs.submit(planned, queue=watch.queue())
        state["train-said"] = f"{code(library.shown(planned.folders[0]))} is queued: it is followed below."
    except (EngineError, OSError) as error:
        state["train-refused"] = reason(error)


def measure(asked: form.Asked) -> None:
    """Trains for a moment in a process of its own."""
    try:
        may_act()
        with st.spinner("Training for some seconds in a process of its own ..."):
            found = estimates.tried(asked.learner, asked.distribution, asked.training, asked.seeds)
        state["train-tried"] = (asked, found)
    except (EngineError, OSError) as error:
        state["train-refused"] = reason(error)
    st.rerun()  # the estimate stands above


def estimate(asked: form.Asked) -> None:
    """What it will take, from runs like it, and from trying if the person did."""
    roots, what = (library.CHECKPOINTS, watch.root()), (asked.learner, asked.distribution, asked.training)
    said = [f"This machine has {estimates.machine().sentence}; trainings take one core each, one after the other."]
    found = estimates.from_records(*what, *roots)
    if found:
        run = library.shown(Path(found["run"]))
        about = watch.spoken(found["seconds"])
        said.append(
            f"About **{about}**, scaled from the {watch.spoken(found['took'])} that {code(run)} took with its seeds."
        )
    else:
        said.append("No finished run of this learner to estimate the time from.")
    if memory := found.get("memory"):
        said.append(f"It held {memory / 1e9:.1f} GB of memory at most.")
    else:
        said.append(f"At least {estimates.least_memory(*what, asked.seeds) / 1e9:.1f} GB of memory.")
    tried = state.get("train-tried")
    if tried and tried[0] == asked:
        update, total, memory = (tried[1][key] for key in ("update_s", "seconds", "memory"))
        said.append(
            f"Tried here without compiling: {1000 * update:.1f} ms per update, {watch.spoken(total)} in all and "
            f"{memory / 1e9:.1f} GB of memory."
        )
    st.caption(" ".join(said))


st.title(PAGES["train"].title, anchor=False)
st.markdown(PAGES["train"].question)
if read_only():
    st.info(SENTENCE, icon=":material/lock:")
asked = form.ask()
if asked is not None:
    estimate(asked)
    folder = plans.run_folder(asked.root, asked.distribution, asked.learner, 0)
    exists = folder.exists()
    row = st.container(horizontal=True, vertical_alignment="center")
    start_at = row.container(width="content")
    try_at = row.container(width="content")
    replace = exists and row.checkbox(
        f"Replace {code(library.shown(folder))}", key="train-replace", help="It was trained before."
    )
    start_at.button(
        "Start training",
        type="primary",
        icon=":material/play_arrow:",
        on_click=start,
        args=(asked, bool(replace)),
        disabled=read_only() or (exists and not replace),
        key="train-start",
    )
    if try_at.button(
        "Try for a moment",
        icon=":material/speed:",
        disabled=read_only(),
        key="train-try",
        help="Some seconds of training in a process of its own, for a better estimate of time and memory.",
    ):
        measure(asked)
    with st.expander("The same in a shell", icon=":material/terminal:"):
        st.code(asked.command + " --replace" * bool(replace), language="sh", wrap_lines=True)
if said := state.pop("train-said", None):
    st.toast(said, icon=":material/check:")
if refused := state.pop("train-refused", None):
    st.error(refused, icon=":material/error:")
st.subheader("Trainings", anchor=False)
watch.watch()
