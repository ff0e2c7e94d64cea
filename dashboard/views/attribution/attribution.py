"""Attribution: which support points, labels, layers and units made a prediction."""

import streamlit as st

from dashboard.views.attribution import holds as attribution_holds
from dashboard.views.attribution import parts
from dashboard.views.attribution.controls import ask
from dashboard.widgets import holds, page
from engine.runs.ensembles import Ensemble

DEFAULT = ("finetuning", "maml", "lstm", "op-lstm")


@st.fragment
def show(ensembles: list[Ensemble], shots: int) -> None:
    """The controls of the query and the figures; a moved query reruns this and nothing else."""
    values, above = ask(shots).values, st.container()
    tabs = st.tabs(
        ["Points", "Reach", "Layers and units"], key="attribution-part", on_change="rerun", bind="query-params"
    )
    with above:
        found = parts.asked(ensembles, values | {"inside": bool(tabs[-1].open)})  # a fifth of the time goes into that
        if found is None:
            return
        if len(ensembles) > parts.MOST:
            st.caption(f"Figures show the first {parts.MOST} of {len(ensembles)} learners; the tables hold all.")
    for tab, draw in zip(tabs, (parts.show_influence, parts.show_reach, parts.show_inside), strict=True):
        if tab.open:
            with tab:
                draw(found, ensembles)


st.title("Attribution", anchor=False)
st.markdown(
    "A learner saw a few points and says something about x*. Which of the points made it say that, through which "
    "of its layers? Click on a curve, or move the slider, to ask about another x*."
)
readings = attribution_holds.readings()
holds.show_summary(readings)
choice = page.choose("attribution", "attribution", DEFAULT, shots=5)
if choice.ensembles:
    show(choice.ensembles, choice.shots)
else:
    st.info("Choose at least one learner above.", icon=":material/info:")
holds.show(readings)
