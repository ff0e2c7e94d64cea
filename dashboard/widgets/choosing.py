"""The fields in which a page shows the choice of runs, task, shots and learners, and has it changed."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from dashboard.widgets import choice, families, fitting, library
from dashboard.widgets.escape import plain
from dashboard.widgets.pages import Page
from dashboard.widgets.state import nearest_shots
from engine.learners import LEARNERS
from engine.runs.ensembles import Ensemble

state = st.session_state


@dataclass(frozen=True)
class Shown:
    """What a page shows of the choice.

    Attributes:
        collection, task, shots: whose runs.
        ensembles: the learners that are on and fit the page.
        everybody: all learners of these runs, whether they are on or not, and whether they fit or not.
        why: where nobody fits, or is on: what to do about it, as Markdown.
    """

    collection: str
    task: str
    shots: int
    ensembles: list[Ensemble]
    everybody: list[Ensemble] = field(default_factory=list)
    why: str = "Choose at least one learner above."


def choose(page: Page) -> Shown:
    """Draws the fields at the visitor's choice; learners are offered that the page is about.

    Args:
        page: whose fields they are; it says who is on, and with how many shots, until somebody chooses.
    """
    prefix = page.prefix
    chosen = choice.current()
    row = st.container(horizontal=True, vertical_alignment="bottom")  # wraps on a narrow screen
    collection = _collection(row, prefix, chosen)
    task = _task(row, prefix, collection, chosen)
    points = _shots(row, prefix, library.shots(collection, task), chosen.shots or page.shots)
    found, complaints = library.ensembles(collection, task, points)
    for complaint in complaints:
        st.error(plain(complaint), icon=":material/error:")
    reasons = {e.learner.name: fitting.unfit(page.probe, e) for e in found}
    by_name = {e.learner.name: e for e in found if reasons[e.learner.name] is None}
    own = [name for name in by_name if name in page.learners or families.of_plugin(name)]
    on = own if chosen.learners is None else [name for name in by_name if name in chosen.learners]
    instead = own if chosen.learners and not on else []
    on = on or instead
    _learners(row, prefix, by_name, on)
    if chosen.learners and by_name:  # where nobody fits, the page says so in the place of its parts
        elsewhere({name: reasons.get(name) for name in chosen.learners if name not in by_name}, instead)
    _write_link(prefix, chosen, collection, task, points)
    told = fitting.told({e.learner.title: reason for e in found if (reason := reasons[e.learner.name])})
    why = Shown.why if by_name or not found else told
    return Shown(collection, task, points, [by_name[name] for name in on], found, why)


def _write_link(prefix: str, chosen: choice.Choice, collection: str, task: str, points: int) -> None:
    """What was chosen stands in the address as it is shown, so that the link reopens this."""
    shown = choice.Choice(
        collection if chosen.collection else None,
        task if chosen.task else None,
        points if chosen.shots else None,
        chosen.learners,
    )
    choice.write_link(shown, prefix)


def elsewhere(left: dict[str, str | None], instead: Sequence[str]) -> None:
    """One quiet sentence on the chosen learners that are not on this page, which stay chosen for the others.

    Args:
        left: their names, each with the reason for which it does not fit; None: there is no such run.
        instead: names of those that are shown because none of the chosen ones is.
    """
    unfit = [name for name, why in left.items() if why]
    absent = [name for name, why in left.items() if not why]
    said = []
    if unfit:
        why = fitting.told({_title(name): str(left[name]) for name in unfit})
        said.append(f"Chosen, but not on this page: {why}")
    if absent:
        said.append(f"Chosen, but not among these runs: {_titles(absent)}.")
    if instead:
        said.append(f"Shown instead: {_titles(instead)}.")
    if said:
        st.caption(" ".join(said))


def _titles(names: Sequence[str]) -> str:
    return plain(", ".join(map(_title, names)))


def _title(name: str) -> str:
    return LEARNERS[name].title if name in LEARNERS else name


def _stand(key: str, value: Any) -> None:
    """Has a field stand at a value; one that does is left alone, or it would undo what a hand did meanwhile."""
    now = state.get(key)
    alike = set(now) == set(value) if isinstance(now, list) and isinstance(value, list) else now == value
    if not alike or key not in state:
        state[key] = value


def _take(key: str, what: str) -> None:
    """A field was changed: for all pages. A field that was emptied goes back to what it showed."""
    if state[key] is not None:
        choice.change(**{what: state[key]})


def _collection(row: Any, prefix: str, chosen: choice.Choice) -> str:
    """The collection that is shown."""
    collection, key = choice.collection_of(chosen), f"{prefix}-runs"
    _stand(key, collection)
    row.selectbox(
        "Runs",
        library.collections(),
        key=key,
        format_func=library.title,
        on_change=_take,
        args=(key, "collection"),
        width=220,
    )
    return collection


def _task(row: Any, prefix: str, collection: str, chosen: choice.Choice) -> str:
    """The task that is shown; a field only where the collection has runs on several."""
    task, there = choice.task_of(chosen, collection), library.tasks(collection)
    if len(there) > 1:
        key = f"{prefix}-trained"
        _stand(key, task)
        row.selectbox(
            "Trained on",
            there,
            key=key,
            format_func=lambda name: library.told(collection, name).title,
            on_change=_take,
            args=(key, "task"),
            width=180,
        )
    return task


def _shots(row: Any, prefix: str, offered: list[int], wanted: int) -> int:
    """The number of shots that is shown: of those offered, the one nearest to the wanted one."""
    offered, key = offered or [wanted], f"{prefix}-shots"
    shown = nearest_shots(wanted, offered)
    _stand(key, shown)
    row.segmented_control("Shots in training", offered, key=key, format_func=str, on_change=_take, args=(key, "shots"))
    return shown


def _learners(row: Any, prefix: str, offered: dict[str, Ensemble], on: list[str]) -> None:
    """Who is on; a change leaves alone who is chosen but not offered here."""
    key = f"{prefix}-learners"
    _stand(key, on)
    row.pills(
        "Learners",
        list(offered),
        selection_mode="multi",
        key=key,
        format_func=lambda name: offered[name].learner.title if name in offered else name,
        on_change=_switch,
        args=(key, tuple(offered)),
        wrap=True,
    )


def _switch(key: str, offered: tuple[str, ...]) -> None:
    others = tuple(name for name in choice.current().learners or () if name not in offered)
    choice.change(learners=(*(name for name in offered if name in state[key]), *others))
