"""Attribution: which support points, labels, layers and units made a prediction."""

import streamlit as st

from dashboard.views.attribution import readings
from dashboard.views.attribution.controls import ask
from dashboard.views.attribution.influence import MOST, asked, show_influence, show_inside, show_reach
from dashboard.widgets import holds, parts
from dashboard.widgets.choosing import Shown
from dashboard.widgets.pages import PAGES
from dashboard.widgets.parts import Part
from probes.questions.attribution import Attributions

PAGE, INSIDE = PAGES["attribution"], "Layers and units"


@st.fragment
def show(shown: Shown) -> None:
    """The controls of the query and the figures; a moved query reruns this and nothing else."""
    values = ask(shown.shots).values
    found: list[Attributions] = []

    def answered(part: Part) -> bool:
        """Asks before the part is drawn: what it says is the same for all parts but the last."""
        answer = asked(shown.ensembles, values | {"inside": part.title == INSIDE})  # a fifth of the time goes into that
        found.extend([] if answer is None else [answer])
        if found and len(shown.ensembles) > MOST:
            st.caption(f"Figures show the first {MOST} of {len(shown.ensembles)} learners; the tables hold all.")
        return bool(found)

    drawn = (
        Part("Points", lambda shown: show_influence(found[0], shown.ensembles)),
        Part("Reach", lambda shown: show_reach(found[0], shown.ensembles)),
        Part(INSIDE, lambda shown: show_inside(found[0], shown.ensembles)),
    )
    parts.show_parts(PAGE, drawn, shown, answered)


told = readings.readings()
choice = parts.head(PAGE, told)
if choice.ensembles:
    show(choice)
else:
    st.info(choice.why, icon=":material/info:")
holds.show(told)
