"""Task loss and meta-loss on planes: contours, surfaces, slices, and whether the plane shows what the path met."""

from dataclasses import dataclass

import streamlit as st

from dashboard.figures import landscape as figures
from dashboard.figures import landscape_lines as lines
from dashboard.figures.landscape import Looks, Relief
from dashboard.figures.landscape_surfaces import MOST_SURFACES, surfaces
from dashboard.views.landscape import surface_tables as tables
from dashboard.views.landscape import surface_words as words
from dashboard.views.landscape.controls import number, one_by_one, pick, scrolls
from dashboard.views.landscape.surface_tables import META, TASK
from dashboard.widgets import page
from dashboard.widgets.layout import row
from dashboard.widgets.naming import titles
from engine.runs.ensembles import Ensemble
from probes.tools.surfaces import HELD_OUT

VIEWS = {"contour": "Contours", "surface": "3-D", "slice": "1-D"}
DIRECTIONS = {
    "path": "the path",
    "random": "random",
    "eigen": "sharpest",
    "gradient": "gradient",
    "runs": "three runs",
}
AXES = {
    "path": ("x: first direction of the path, |c|", "y: second, |c|"),
    "random": ("x: random direction, |c|", "y: another, |c|"),
    "eigen": ("x: first eigenvector, |c|", "y: second, |c|"),
    "gradient": ("x: gradient at c, |c|", "y: way to c, perpendicular, |c|"),
    "runs": ("x: towards the second run, |c|", "y: towards the third, perpendicular, |c|"),
}
SIZES = {TASK: (21, 41, 81), META: (15, 25, 41)}
MIDDLE = {TASK: 41, META: 25}
META_TASKS = (5, 10, 25)


@dataclass(frozen=True)
class Chosen:
    """What the controls say."""

    view: str
    log: bool
    config: dict[str, object]


def show_task(ensembles: list[Ensemble]) -> None:
    """The task loss around adapted weights."""
    _show(ensembles, _controls(TASK, ensembles), TASK)


def show_meta(ensembles: list[Ensemble]) -> None:
    """The meta-loss around meta-parameters."""
    _show(ensembles, _controls(META, ensembles), META)


def _controls(loss: str, ensembles: list[Ensemble]) -> Chosen:
    config: dict[str, object] = {"loss": loss}
    with row():
        view = pick("View", list(VIEWS), f"{loss}-view", "contour", VIEWS)
        config["directions"] = pick("Plane", list(DIRECTIONS), f"{loss}-plane", "path", DIRECTIONS)
        log = pick("Loss", ("log", "linear"), f"{loss}-axis", "log") == "log"
        if loss == TASK:
            config["points"] = pick("Points", ("support", "query"), "points", "support")
            config["task"] = number("Task", "task", 0, HELD_OUT - 1, "0") or 0
        else:
            config["tasks"] = pick("Tasks", META_TASKS, "meta-tasks", 10)
        with st.popover("More", icon=":material/tune:"):
            config["size"] = pick("Places along each axis", SIZES[loss], f"{loss}-size", MIDDLE[loss])
            most = max(len(e.runs) for e in ensembles) - 1
            config["run"] = number("Run at the centre", f"{loss}-run", 0, most, "0") or 0
            config["draw"] = number("Draw of random directions", f"{loss}-draw", 0, 999, "0") or 0
            if loss == TASK:
                step = number("Inner step at the centre", "step", 0, 100, "last", "The last one of an evaluation.")
                config["step"] = -1 if step is None else step
    return Chosen(view, log, config)


def _show(ensembles: list[Ensemble], chosen: Chosen, loss: str) -> None:
    names, directions = titles(ensembles), str(chosen.config["directions"])
    doing = "Walking around" if loss == TASK else "Adapting to all tasks, at every place around"
    answers = one_by_one("landscape", ensembles, doing, stoppable=loss == META, **chosen.config)
    found = tables.planes(answers)
    if reasons := tables.left_out(answers):
        st.caption(" ".join(reasons))
    if not found:
        return
    reliefs = tables.reliefs(found, names, loss, directions)
    label = "task loss" if loss == TASK else "meta-loss"
    looks = Looks(AXES[directions], label, chosen.log, page.dark())
    between = tables.runs_sentence(found, names) if directions == "runs" else ""
    _show_planes(reliefs, looks, chosen, loss, between or tables.walk_sentence(found, names, loss))
    page.frame(
        "Does the plane show what the inner loop met?" if loss == TASK else "Does the plane show what training met?",
        f"True {label} at each point of the path (line), and the {label} on the plane right below it (dots), against "
        f"{'inner steps' if loss == TASK else 'meta-updates'}.",
        lines.trap(reliefs, looks, "inner step" if loss == TASK else "meta-updates"),
        f"landscape-{loss}-trap",
        read=words.TRAP + words.PATH,
        data=tables.path_rows(reliefs),
        says=tables.trap_sentence(found, names, loss),
    )
    if loss == META and (said := _kept_note(found, names)):
        st.caption(said)


def _kept_note(found: list[tables.Plane], names: dict[str, str]) -> str:
    """Which paths have only their ends."""
    short = [names[plane.learner] for plane in found if len(plane.path.at) == 2]
    if not short:
        return ""
    return f"No weights were kept along the training of {', '.join(short)}: of their paths only the ends are known."


def _show_planes(reliefs: list[Relief], looks: Looks, chosen: Chosen, loss: str, says: str) -> None:
    directions, config = str(chosen.config["directions"]), chosen.config
    if loss == TASK:
        step = "the last inner step" if config["step"] == -1 else f"inner step {config['step']}"
        question = "What does the task loss look like where adaptation has led?"
        about = f"Task loss on the {config['points']} points of held-out task {config['task']}, around the weights c "
        about += f"after {step}"
    else:
        question = "What does the meta-loss look like where meta-training has led?"
        about = f"Meta-loss: query loss after the inner steps of meta-training, mean over {config['tasks']} held-out "
        about += "tasks, around the trained meta-parameters c"
    key = f"landscape-{loss}-{chosen.view}"
    scrolls(key)
    drawn = {
        "contour": "every learner has its own range of axes, all share the colours; line: the path to c, from the ring",
        "surface": "line: the path at its true loss; dotted: its shadow on the plane",
        "slice": "straight lines through c; marks: the true loss on the path, over its first direction",
    }[chosen.view]
    figure = {"contour": figures.contours, "surface": surfaces, "slice": lines.slices}[chosen.view]
    page.frame(
        question,
        f"{about}; {drawn}.",
        figure(reliefs, looks),
        key,
        read=words.WHICH[loss] + words.PLANE[directions] + words.AXES + words.PATH,
        data=tables.rows(reliefs),
        says=says,
    )
    if chosen.view == "surface" and len(reliefs) > MOST_SURFACES:
        st.caption(f"In 3-D the first {MOST_SURFACES} of {len(reliefs)} learners are shown.")
