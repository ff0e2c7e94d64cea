"""One choice of runs, task, shots and learners: it follows a visitor from page to page and stands in every link.

The fields of a page lose their values when another one is opened, so the choice lives beside them in the session: a
page reads it with `current`, and whoever changes it calls `change`. None means that nobody chose; a page then shows
its own default, and its link says nothing of it. In the address the four are called as in `NAMES`, on every page.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from dashboard.widgets import library, links, trained
from dashboard.widgets.pages import PAGES, Page
from dashboard.widgets.state import NOBODY
from engine.errors import quoted
from engine.learners import LEARNERS

NAMES = {"collection": "runs", "task": "trained", "shots": "shots", "learners": "on"}  # of each in the address
OLDER = {"runs": "runs", "shots": "shots", "on": "learners"}  # in links made before: `<prefix>-<this>`, with titles
CHOICE, FROM = "choice", "choice-from"
PASSED = "choice-passed"  # pages whose addresses without a choice a visitor who had one has passed through
state = st.session_state


@dataclass(frozen=True)
class Choice:
    """What the visitor chose.

    Attributes:
        collection: name of a collection of runs, as in `library.collections`; None: nobody chose.
        task: what the runs were trained on, as in `library.tasks`, for collections that have several; None: its first.
        shots: support points in training; None: each page's own default.
        learners: names of learners, also of those that a page does not show; () for nobody; None: the page's own.
    """

    collection: str | None = None
    task: str | None = None
    shots: int | None = None
    learners: tuple[str, ...] | None = None


def current() -> Choice:
    """What this visitor chose so far, on any page."""
    return state.get(CHOICE, Choice())  # type: ignore[no-any-return]


def change(**changes: Any) -> None:
    """Chooses for all pages: properties of `Choice`, of which those left out stay. None takes a choice back.

    Raises:
        TypeError: there is no such property.
    """
    state[CHOICE] = replace(current(), **changes)


def collection_of(chosen: Choice) -> str:
    """The collection to show: the chosen one while it is there, otherwise the default one."""
    return chosen.collection if chosen.collection in library.collections() else library.DEFAULT


def task_of(chosen: Choice, collection: str) -> str:
    """The task to show: the chosen one if runs of the collection were trained on it, otherwise its first one."""
    there = library.tasks(collection)
    meant = trained.find(chosen.task or "", there)
    return meant if meant in there else there[0]


# ---- the address -----------------------------------------------------------------------------------------


def arrive(page: Page) -> None:
    """Before a page: takes what its address says of the choice, if the page has just been opened.

    That is so in the first run of a session, in the first on another page, and on the way back or forward in the
    browser; in any other run the address may still be the one before a field was changed. Of each value that is left
    out, one sentence is said.

    A page that is turned to by an address that says nothing shows what was chosen before, and then has its address say
    so. On the way back or forward such an address means what it meant when it was shown: that nobody had chosen; but
    for those that were only passed through when pages were turned, which still show the choice.
    """
    context = get_script_run_ctx()
    back = context is not None and context.is_history_navigation
    before, state[FROM] = state.get(FROM), page.name
    if not back and before == page.name:
        return
    passed: list[str] = state.setdefault(PASSED, [])
    given = _given() or (_older(page.prefix) if page.probe else {})
    if not back and not given and current() != Choice():  # Streamlit leaves the page before by such an address too
        passed += [name for name in (before, page.name) if name and PAGES[name].probe]
    elif page.probe and given:
        state[CHOICE], complaints = from_query(given)
        for name, why in complaints.items():
            links.leave_out(name, why)
    elif back and page.name in passed:
        passed.remove(page.name)
    elif back and page.probe:
        state[CHOICE] = Choice()


def from_query(query: Mapping[str, str]) -> tuple[Choice, dict[str, str]]:
    """A choice from URL parameters, and why each value that does not fit was left out, by parameter."""
    readers: dict[str, Callable[[str, Choice], Any]] = {
        "collection": lambda text, _: _one_of(text, library.collections()),
        "task": _task,
        "shots": _shots,
        "learners": lambda text, _: () if text == NOBODY else _learners(text),
    }
    found, complaints = Choice(), {}
    for field, reader in readers.items():
        name = NAMES[field]
        if name in query:
            try:
                found = replace(found, **{field: reader(query[name], found)})
            except ValueError as error:
                complaints[name] = str(error)
    strange = [name for name in _split(query.get("on", "")) if name not in LEARNERS]
    if found.learners and strange:
        complaints["on"] = f"{quoted(strange[0])} is no learner here"  # the others of the list are on
    return found, complaints


def to_query(chosen: Choice) -> dict[str, str]:
    """The URL parameters that reopen a choice: nothing of what nobody chose."""
    said = {field.name: getattr(chosen, field.name) for field in fields(Choice)}
    return {NAMES[name]: _write(value) for name, value in said.items() if value is not None}


def write_link(chosen: Choice, prefix: str) -> None:
    """Has the address of the page say this choice, beside what the page's own fields say there."""
    wanted = to_query(chosen)
    older = [name for old in OLDER.values() if (name := f"{prefix}-{old}") in st.query_params]
    given = _given()
    if given != wanted or older:
        for name in [*older, *(given.keys() - wanted.keys())]:
            links.forget(name)
        st.query_params.update(wanted)  # tells the browser once: one step back undoes one choice


def _given() -> dict[str, str]:
    return {name: st.query_params[name] for name in NAMES.values() if name in st.query_params}


def _older(prefix: str) -> dict[str, str]:
    """What a link made before says, in today's words: it names collections and learners by their titles."""
    given = {name: st.query_params.get_all(f"{prefix}-{old}") for name, old in OLDER.items()}
    names = {library.title(name): name for name in library.collections()}
    titles = {LEARNERS[name].title: name for name in LEARNERS}
    said = {name: values[-1] for name, values in given.items() if values}
    if "runs" in said:
        said["runs"] = names.get(said["runs"], said["runs"])
    if "on" in said:
        said["on"] = ",".join(titles.get(title, title) for title in given["on"])
    return said


def _write(value: Any) -> str:
    if value == ():
        return NOBODY
    return ",".join(value) if isinstance(value, tuple) else str(value)


def _one_of(value: Any, allowed: Sequence[Any]) -> Any:
    if value not in allowed:
        raise ValueError(f"{quoted(str(value))} is not one of {', '.join(map(str, allowed))}")
    return value


def _task(text: str, so_far: Choice) -> str:
    there = library.tasks(collection_of(so_far))
    return str(_one_of(trained.find(text, there), there))


def _shots(text: str, so_far: Choice) -> int:
    collection = collection_of(so_far)
    offered = library.shots(collection, task_of(so_far, collection))
    if not text.isascii() or not text.isdigit():
        raise ValueError(f"{quoted(text)} is not a number of points")
    return int(_one_of(int(text[:9]), offered))


def _learners(text: str) -> tuple[str, ...]:
    known = tuple(name for name in _split(text) if name in LEARNERS)
    if not known:
        raise ValueError(f"{quoted(text)} names no learner")
    return known


def _split(text: str) -> list[str]:
    return list(dict.fromkeys(name for name in text[:2000].split(",") if name))
