"""A page as data: its head, and its parts as tabs, of which only the open one is drawn."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import streamlit as st

from dashboard.widgets import choosing, fitting, holds
from dashboard.widgets.choosing import Shown
from dashboard.widgets.holds import Reading
from dashboard.widgets.pages import Page


@dataclass(frozen=True)
class Part:
    """A part of a page.

    Attributes:
        title: of its tab.
        draw: draws it; the learners that it is given are those that are on and fit it.
        needs: a probe that must fit a learner for it to be in this part; "" for a part that is about no learners, or
            finds its own. Where nobody fits, the part says why in the probe's own sentence.
        hint: whom to choose then.
    """

    title: str
    draw: Callable[[Shown], None]
    needs: str = ""
    hint: str = ""


def show(
    page: Page,
    parts: Sequence[Part],
    readings: Sequence[Reading] = (),
    above: Callable[[Shown], None] | None = None,
) -> None:
    """A whole page.

    Args:
        page: what it is.
        parts: what it consists of.
        readings: what is said under *What holds here*.
        above: draws controls that all parts share.
    """
    shown = head(page, readings)
    if above:
        above(shown)
    show_parts(page, parts, shown)
    holds.show(readings)


def head(page: Page, readings: Sequence[Reading]) -> Shown:
    """The heading, the line that leads to the readings, and the choice of learners."""
    st.title(page.title, anchor=False)
    st.markdown(page.question)
    holds.show_summary(readings)
    return choosing.choose(page)


def show_parts(page: Page, parts: Sequence[Part], shown: Shown, before: Callable[[Part], bool] | None = None) -> None:
    """The parts as tabs; the link says which one is open.

    Args:
        page: whose parts they are: the key of the tabs is `<prefix>-part`.
        parts: what they are.
        shown: what they are about.
        before: draws above the tabs, for the part that is open; whether to draw the part.
    """
    above = st.container() if before else None
    tabs = st.tabs([part.title for part in parts], key=f"{page.prefix}-part", on_change="rerun", bind="query-params")
    for tab, part in zip(tabs, parts, strict=True):
        if tab.open:
            if above is not None and before is not None:
                with above:
                    if not before(part):
                        return
            with tab:
                _draw(part, shown)


def _draw(part: Part, shown: Shown) -> None:
    if not part.needs:
        part.draw(shown)
    elif not shown.ensembles:
        st.info(shown.why, icon=":material/info:")
    elif fits := fitting.suited(part.needs, shown.ensembles, part.hint):
        part.draw(replace(shown, ensembles=fits))
