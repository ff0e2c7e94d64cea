"""Learning behaviour: how losses fall, who pays for looking ahead, and who holds out elsewhere."""

from collections.abc import Callable

import streamlit as st

from dashboard.views.behaviour import adapting, factors, single, sweeps
from dashboard.views.behaviour import holds as behaviour_holds
from dashboard.views.behaviour.controls import pick, row
from dashboard.widgets import holds, page

DEFAULT = ("finetuning", "maml", "fomaml", "reptile", "turtle", "lstm", "op-lstm", "sap")
TASKS = (50, 200, 1000)

st.title("Learning behaviour", anchor=False)
st.markdown("How do learners get better, step by step: who starts well, who ends well, and who holds out elsewhere?")
readings = behaviour_holds.readings()
holds.show_summary(readings)
choice = page.choose("behaviour", "behaviour", DEFAULT)
with row():
    tasks = pick("Held-out tasks", TASKS, "tasks", 200, {n: f"{n:,}" for n in TASKS})
    pick("Losses", ("log", "linear"), "axis", "log")
if choice.ensembles:
    parts: dict[str, Callable[[], None]] = {
        "Adaptation": lambda: adapting.show_adaptation(choice.ensembles, tasks),
        "Looking ahead": lambda: adapting.show_looking_ahead(choice.ensembles, tasks),
        "Task by task": lambda: single.show_tasks(choice.ensembles, tasks),
        "Shots": lambda: sweeps.show_shots(choice.ensembles, tasks),
        "Shift": lambda: sweeps.show_shift(choice.ensembles, tasks),
        "Factors": lambda: factors.show_factors(choice.ensembles, tasks, choice),
    }
    page.show_parts("behaviour", parts)
else:
    st.info("Choose at least one learner above.", icon=":material/info:")
holds.show(readings)
