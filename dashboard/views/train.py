"""Train: start a training, watch it, call it off, take it up again."""

from pathlib import Path

import streamlit as st

from dashboard import library
from dashboard.training import form, watch
from dashboard.training.readonly import SENTENCE, read_only
from engine import estimates, jobs, plans
from engine.errors import EngineError

state = st.session_state


def start(asked: form.Asked, replace: bool) -> None:
    """Queues what was asked for."""
    try:
        planned = plans.plan(
            asked.learner,
            asked.distribution,
            asked.training,
            asked.seeds,
            asked.root,
            replace=replace,
            compiled=asked.compiled,
            device="cuda" if estimates.machine().gpu else "cpu",
        )
        jobs.submit(planned, queue=watch.queue())
    except (EngineError, OSError) as error:
        state["train-refused"] = str(error)


def measure(asked: form.Asked) -> None:
    """Trains for a moment in a process of its own."""
    try:
        state["train-tried"] = (asked, estimates.tried(asked.learner, asked.distribution, asked.training, asked.seeds))
    except EngineError as error:
        state["train-refused"] = str(error)


def estimate(asked: form.Asked) -> None:
    """What it will take, from runs like it, and from trying if the person did."""
    roots = (library.CHECKPOINTS, watch.root())
    said = [f"This machine has {estimates.machine().sentence}; trainings take one core each, one after the other."]
    if found := estimates.from_records(asked.learner, asked.distribution, asked.training, *roots):
        run = library.shown(Path(found["run"]))
        about = watch.spoken(found["seconds"])
        said.append(
            f"About **{about}**, scaled from the {watch.spoken(found['took'])} that `{run}` took with its seeds."
        )
    else:
        said.append("No finished run of this learner to estimate the time from.")
    tried = state.get("train-tried")
    if tried and tried[0] == asked:
        update, total, memory = (tried[1][key] for key in ("update_s", "seconds", "memory"))
        said.append(
            f"Tried here without compiling: {1000 * update:.1f} ms per update, {watch.spoken(total)} in all and "
            f"{memory / 1e9:.1f} GB of memory."
        )
    st.caption(" ".join(said))


st.title("Train", anchor=False)
st.markdown("Train a learner of your own. It appears on every page, in the folder `runs/`, and in the shell.")
if read_only():
    st.info(SENTENCE, icon=":material/lock:")
asked = form.ask()
if asked is not None:
    estimate(asked)
    folder = plans.run_folder(asked.root, asked.distribution, asked.learner, 0)
    exists = folder.exists()
    row = st.container(horizontal=True, vertical_alignment="center")
    replace = exists and row.checkbox(
        f"Replace `{library.shown(folder)}`", key="train-replace", help="It was trained before."
    )
    row.button(
        "Start training",
        type="primary",
        icon=":material/play_arrow:",
        on_click=start,
        args=(asked, bool(replace)),
        disabled=read_only() or (exists and not replace),
        key="train-start",
    )
    row.button(
        "Try for a moment",
        icon=":material/speed:",
        on_click=measure,
        args=(asked,),
        disabled=read_only(),
        key="train-try",
        help="Three seconds of training in a process of its own, for a better estimate of time and memory.",
    )
    with st.expander("The same in a shell", icon=":material/terminal:"):
        st.code(asked.command, language="sh", wrap_lines=True)
if refused := state.pop("train-refused", None):
    st.error(refused, icon=":material/error:")
st.subheader("Trainings", anchor=False)
watch.watch()
