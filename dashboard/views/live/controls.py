"""The controls of the live page: a new task, presets, shots, what is compared with, and whose runs are shown."""

import streamlit as st

from dashboard.scenes import LineScene
from dashboard.scenes.sliders import NOISE
from dashboard.views.live import session
from dashboard.views.live.arriving import among
from dashboard.views.live.session import current, hear_edit, show
from dashboard.widgets import library
from dashboard.widgets.state import View

STEP = 0.05  # of a slider that is not short
state = st.session_state


def controls(scene: LineScene) -> None:
    """New task, presets, shots; the rest under More."""
    view = current()
    row = st.container(horizontal=True, vertical_alignment="center")  # wraps on a narrow screen
    row.button("New task", on_click=on_new_task, width=140, key="live-new", icon=":material/casino:")
    if scene.presets:
        row.selectbox(
            "Show a phenomenon",
            list(scene.presets),
            index=None,
            placeholder="Show a phenomenon",
            key="live-preset",
            on_change=on_preset,
            label_visibility="collapsed",
            width=200,
        )
    state["live-shots"] = view.shots
    shots = library.shots(view.runs, view.trained) or [view.shots]
    row.segmented_control(
        "Learners trained with",
        shots,
        format_func=lambda k: f"{k} shots" if len(shots) < 4 else str(k),
        key="live-shots",
        on_change=on_shots,
        label_visibility="collapsed",
        help="Learners meta-trained with this many support points; a new task draws as many.",
        width="content",
    )
    row.space("stretch")
    with row.popover("More", icon=":material/tune:", width=110):
        more(scene)
    with row.popover("Share", icon=":material/link:", width=110):
        st.write("The address bar always holds this view. This link reopens it exactly:")
        st.code(session.link(view, scene.bounds), language=None, wrap_lines=True)


def more(scene: LineScene) -> None:
    """What the true function is made of, and which runs are shown."""
    if scene.formula:
        st.markdown(f"The true function: ${scene.formula}$")
    for name, title, (low, high) in scene.sliders:
        step = STEP if high - low > 1 else (high - low) / 100
        st.slider(title, low, high, step=step, key=f"live-{name}", on_change=on_slider, args=(name,))
    state["live-truth"] = current().truth
    st.toggle(f"Compare with {scene.compared}", key="live-truth", on_change=on_truth)
    whose()


def whose() -> None:
    """Whose runs are shown; fields only where there is a choice."""
    view, every = current(), session.offered()
    shown = {runs: session.shown_tasks(runs, tasks) for runs, tasks in every.items()}
    collections = [runs for runs, tasks in shown.items() if tasks or runs in (library.DEFAULT, view.runs)]
    if len(collections) > 1:
        state["live-runs"] = view.runs
        st.selectbox("Trained runs", collections, format_func=library.title, key="live-runs", on_change=on_runs)
        st.caption(session.description(view))
    tasks = shown[view.runs] if view.trained in shown[view.runs] else [*shown[view.runs], view.trained]
    if len(tasks) > 1:
        state["live-trained"] = view.trained
        st.selectbox(
            "Trained on",
            tasks,
            format_func=lambda task: library.told(view.runs, task).title,
            key="live-trained",
            on_change=on_trained,
        )


# ---- what they do ------------------------------------------------------------------------------------


def at_hand() -> LineScene:
    """The scene that the controls stand beside."""
    found = session.scene()
    assert found is not None
    return found


def on_new_task() -> None:
    """A task from the training distribution."""
    state.look_for = ""
    state["live-preset"] = None
    show(at_hand().new_task(current(), current().task + 1))


def on_preset() -> None:
    """A preset and what to look for."""
    scene, title = at_hand(), state["live-preset"]
    state.look_for = scene.presets[title].look_for if title in scene.presets else ""
    if state.look_for:
        show(scene.apply(current(), title))


def on_shots() -> None:
    """Other learners, and as many points."""
    chosen, scene = state["live-shots"], at_hand()
    if chosen in library.shots(current().runs, current().trained):
        session.choose(shots=chosen)
        view, preset = current().changed(shots=chosen), state.get("live-preset")
        show(scene.apply(view, preset) if preset in scene.presets else scene.draw(view))


def on_slider(name: str) -> None:
    """The true function changes; the points keep their distance from it (noise is drawn again)."""
    hear_edit()
    scene, old = at_hand(), current()
    new = scene.at(old, {name: float(state[f"live-{name}"])})
    state.look_for, state["live-preset"] = "", None  # what a preset's sentence says holds no longer
    if name == NOISE:
        show(scene.draw(new))
        return
    points = scene.points(old)
    if new.truth:
        points[:, 1] += scene.true_function(new, points[:, 0]) - scene.true_function(old, points[:, 0])
    show(_with(scene, new, points.tolist()))


def on_truth() -> None:
    """With or without something known of the task to be scored against."""
    hear_edit()
    scene = at_hand()
    show(_with(scene, current().changed(truth=bool(state["live-truth"])), scene.points(current()).tolist()))


def on_runs() -> None:
    """Another collection of runs, with learners trained with as nearly as many shots.

    The same points, where its runs were trained on the same task.
    """
    hear_edit()
    runs, old = state["live-runs"], current()
    tasks = list(session.offered().get(runs, {}))
    task = old.trained if old.trained in tasks or not tasks else tasks[0]
    session.choose(collection=runs, task=task if len(tasks) > 1 else None)
    if task == old.trained:
        scene = session.scene()
        points = scene.points(old).tolist() if scene else []
        among(_with(scene, old.changed(runs=runs), points) if scene else old.changed(runs=runs))
    else:
        among(old.changed(runs=runs, trained=task), anew=True)


def on_trained() -> None:
    """Learners of another task, and points of it."""
    hear_edit()
    session.choose(task=state["live-trained"])
    among(current().changed(trained=state["live-trained"]), anew=True)


def _with(scene: LineScene, view: View, points: list[list[float]]) -> View:
    return view.changed(points=tuple(scene.bounds.place(x, y) for x, y in points))
