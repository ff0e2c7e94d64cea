"""What the live page keeps of one visitor: the view, its scene, and what the pad has said so far."""

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode

import streamlit as st

from dashboard.components.pad import read_edit, read_place, read_switches
from dashboard.scenes import LineScene, refusal, scene_of
from dashboard.views.live import parts as live
from dashboard.widgets import choice, families, library
from dashboard.widgets.state import MAX_POINTS, MAX_STEP, Bounds, View, to_query
from dashboard.widgets.trained import Trained
from engine.configure import configure
from engine.errors import EngineError
from engine.runs.ensembles import Ensemble
from engine.tasks import TaskDistribution, task_class

PAD = "pad"
FOLLOWED = "live-followed"  # what was chosen for all pages when the view was last made to agree with it
DRAWERS = ("Figure", "Data")  # parts of the page that need every curve
state = st.session_state


# ---- what runs there are -----------------------------------------------------------------------------


def distribution_of(told: Trained) -> TaskDistribution:
    """What runs were trained on; no file of it is read.

    Raises:
        EngineError: it comes from a plug-in that is not installed.
    """
    return configure(task_class(told.name), told.parameters, f"task {told.name}")  # type: ignore[no-any-return]


def found_scene(runs: str, trained: str) -> tuple[LineScene | None, str]:
    """The scene of what runs were trained on; or why there is none."""
    return _scene_or_why(library.told(runs, trained))


def _scene_or_why(told: Trained) -> tuple[LineScene | None, str]:
    try:
        distribution = distribution_of(told)
    except EngineError as error:
        return None, str(error)
    scene = scene_of(distribution)
    return scene, "" if scene else refusal(distribution, told.title)


def bounds_of(runs: str, trained: str) -> Bounds:
    """What a view of these runs may hold."""
    scene, _ = found_scene(runs, trained)
    return scene.bounds if scene else Bounds()


def offered() -> dict[str, dict[str, list[int]]]:
    """All collections, each with its tasks and their numbers of shots, those first that have a scene."""
    found = {}
    for runs, tasks in library.offered().items():
        first = set(shown_tasks(runs, tasks))
        found[runs] = dict(sorted(tasks.items(), key=lambda item: item[0] not in first))
    return found


def shown_tasks(runs: str, tasks: Mapping[str, Any]) -> list[str]:
    """The tasks among those of a collection that have a scene."""
    every = library.told_all(runs)  # one look at the disk, however many there are
    return [trained for trained in tasks if _scene_or_why(every.get(trained) or library.told(runs, trained))[0]]


def description(view: View) -> str:
    """What is in a collection, in a sentence; of own runs, what stands beside them, where anybody does."""
    own = view.runs.startswith(library.OWN)
    alone = own and all(library.yours(e) for e in library.joined(view.runs, view.trained, view.shots)[0])
    return "" if alone else library.description(view.runs)


# ---- the view ----------------------------------------------------------------------------------------


def current() -> View:
    """The view of this session."""
    return state.view  # type: ignore[no-any-return]


def scene() -> LineScene | None:
    """Its scene, as it was when the page was last drawn as a whole."""
    return state.scene  # type: ignore[no-any-return]


def ensembles(view: View) -> list[Ensemble]:
    """The learners of a view, as they are on the disk now."""
    found = library.joined(view.runs, view.trained, view.shots)[0]
    state.opened = (view.runs, view.trained, view.shots, found)
    return found


def ensembles_at_hand(view: View) -> list[Ensemble]:
    """The same, but while a hand moves those that were found last: asking the disk takes an eighth of an answer."""
    edit = (state.get(PAD) or {}).get("edit")
    moves = isinstance(edit, dict) and edit.get("final") is False
    known = state.get("opened", ())
    return known[3] if moves and known[:3] == (view.runs, view.trained, view.shots) else ensembles(view)


def show(view: View) -> None:
    """Makes `view` the current one, of a new revision: the pad adopts its points, and edits of older ones are dropped.

    A revision is of this session alone, since a browser that was connected to another still holds edits of that one.
    """
    state.view = view
    state.scene, state.refusal = found_scene(view.runs, view.trained)
    state.revisions = state.get("revisions", 0) + 1
    state.revision = f"{state.visit}.{state.revisions}"
    if state.scene:
        for name, value in state.scene.values(view).items():
            state[f"live-{name}"] = float(value)


def choose(**changes: Any) -> None:
    """Chooses for all pages, as `choice.change`; the view agrees with it already."""
    choice.change(**changes)
    state[FOLLOWED] = choice.current()


def link(view: View, bounds: Bounds) -> str:
    """The address of a view."""
    base = (st.context.url or "").split("?")[0]
    query = urlencode(to_query(view, bounds), safe=":,")
    return f"{base}?{query}" if query else base


def remember(view: View, bounds: Bounds) -> None:
    """Writes the view into the address bar."""
    wanted = to_query(view, bounds)
    if dict(st.query_params) != wanted:
        st.query_params.from_dict(wanted)


# ---- what the pad says -------------------------------------------------------------------------------


class Edit(NamedTuple):
    """What the hand did to the points: a message, whether it rests, and the only stop it looks at if not."""

    message: str = ""
    rests: bool = True
    stop: int | None = None


def hear_edit() -> Edit:
    """Takes the pad's newest edit into the view, once, unless it was made on points that have been replaced since."""
    edit, at = (state.get(PAD) or {}).get("edit"), scene()
    seq, revision = (edit.get("seq"), edit.get("revision")) if isinstance(edit, dict) else (None, None)
    if edit is None or at is None:
        return Edit()
    if not isinstance(seq, int):
        return Edit("The edit was not understood: it carries no number.")
    if seq == state.seen:
        return Edit()
    state.seen = seq
    if not isinstance(revision, str):
        return Edit("The edit was not understood: it does not say which points it is of.")
    if revision != state.revision:
        return Edit()
    points, message = read_edit(edit, x_domain=at.bounds.x, y_domain=at.bounds.y, max_points=MAX_POINTS)
    if points:
        state.view = current().changed(points=tuple(at.bounds.place(x, y) for x, y in points))
    return Edit(message, bool(edit.get("final", True)), read_place(edit.get("place")))


def read_pad(learners: list[Ensemble]) -> tuple[View, Edit]:
    """Hears the pad, points, scrubber and switches: the view after it, and what the hand did."""
    edit, sent = hear_edit(), state.get(PAD) or {}
    view = current()
    if isinstance(sent.get("step"), int) and 0 <= sent["step"] <= MAX_STEP:
        view = view.changed(step=sent["step"])
    of = live.families_of(learners)
    switches = read_switches(sent.get("on"), list(of))
    if switches and switches[0] != state.heard:
        state.heard, on = switches
        view = view.changed(on=families.chosen(on, of))
        others = tuple(name for name in choice.current().learners or () if name not in of)
        choose(learners=(*on, *others) if view.on is not None or others else None)
    state.view = view
    return view, edit._replace(stop=None) if edit.rests or state.get("live-tabs") in DRAWERS else edit
