"""Live adaptation: drag the points, and every learner adapts before the hand stops moving."""

import shlex

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from dashboard.components.pad import pad
from dashboard.scenes import LineScene
from dashboard.views.live import parts as live
from dashboard.views.live import session, words
from dashboard.views.live.arriving import open_link
from dashboard.views.live.controls import controls, whose
from dashboard.views.live.folds import folds
from dashboard.views.live.session import PAD, current
from dashboard.widgets import library
from dashboard.widgets.escape import code, plain
from dashboard.widgets.state import View

state = st.session_state


@st.fragment
def stage(title: DeltaGenerator) -> None:
    """The pad with its curves; a drag reruns this and nothing else, but for the headline, which counts."""
    learners, scene = session.ensembles_at_hand(current()), session.scene()
    assert scene is not None
    view, (message, rests, stop) = session.read_pad(learners)
    shown = live.shown(view, learners)
    title.title(words.headline(len(scene.points(view)), len(shown)), anchor=False)
    if not learners:
        nobody(view)
        return
    with live.answered(scene, view, learners, stop) as found:
        sent = {"answer": state.seen, "revision": state.revision, "message": message, "turn": state.heard}
        yours = [e.learner.name for e in learners if library.yours(e)]
        pad(live.pad_data(scene, view, learners, found, yours=yours, **sent), key=PAD)
        st.caption(words.sentence(scene, view, learners, found))
        if rests:
            session.remember(view, scene.bounds)
        folds(scene, view, shown, found, rests)


def nobody(view: View) -> None:
    """What to do where nobody was trained."""
    runs = shlex.quote(library.shown(library.roots()[view.runs]))
    command = code(f"python -m engine train --all --shots {view.shots} --seeds 3 --runs {runs}", 200)
    st.info(f"No learners trained with {view.shots} shots are in this collection yet. To train them: {command}")


def about(scene: LineScene, view: View) -> None:
    """Which runs these are, which task it is, and what to look for."""
    if view.runs != library.DEFAULT:
        name = library.title(view.runs)
        st.caption(f"{plain(name[:1].upper() + name[1:])}. {session.description(view)}")
    known = scene.again(view)
    if known.trouble:
        st.warning(
            f"{plain(known.trouble)} Its points can be moved all the same, and learners are scored on them.",
            icon=":material/info:",
        )
    if view.truth and known.says:
        st.caption(plain(known.says))
    if state.look_for:
        st.caption(state.look_for)


open_link()
headline = st.empty()
for complaint in state.complaints:
    st.warning(plain(complaint), icon=":material/link_off:")
for complaint in library.joined(current().runs, current().trained, current().shots)[1]:
    st.error(plain(complaint), icon=":material/error:")
if here := session.scene():
    controls(here)
    about(here, current())
    stage(headline)
else:
    headline.title("Live adaptation", anchor=False)
    st.info(plain(state.refusal), icon=":material/info:")
    whose()
