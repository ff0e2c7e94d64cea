"""Navigation, and nothing else. Run it with `python -m dashboard` or `streamlit run dashboard/app.py`."""

import sys
from pathlib import Path

import streamlit as st

HERE = Path(__file__).resolve().parent
if str(HERE.parent) not in sys.path:  # `streamlit run` puts this file's folder on the path, not the package's
    sys.path.insert(0, str(HERE.parent))

from dashboard.serving import server as serving  # noqa: E402 - found by the lines above
from dashboard.widgets import library, links  # noqa: E402
from dashboard.widgets.escape import plain  # noqa: E402
from engine import registry  # noqa: E402

if serving.served():
    serving.tune()  # `streamlit run` comes here first; `python -m dashboard` has done it
st.set_page_config(page_title="Innerloop", page_icon=str(HERE / "icon.png"), layout="wide")
st.logo(str(HERE / "logo.svg"), size="large")
pages = [
    st.Page(
        "views/live/live.py",
        title="Live adaptation",
        icon=":material/gesture:",
        default=True,
        help="Drag a few points and watch every learner adapt to them, step by step.",
    ),
    st.Page(
        "views/behaviour/behaviour.py",
        title="Learning behaviour",
        icon=":material/stacked_line_chart:",
        url_path="behaviour",
        help="How losses fall step by step, who pays for looking ahead, and who holds out elsewhere.",
    ),
    st.Page(
        "views/features/features.py",
        title="Features",
        icon=":material/grain:",
        url_path="features",
        help="What a learner's hidden layers make of an input: how diverse, how broad, how alike.",
    ),
    st.Page(
        "views/landscape/landscape.py",
        title="Loss landscape",
        icon=":material/landscape:",
        url_path="landscape",
        help="What lies around adapted weights and around meta-parameters, how curved it is, and what that costs.",
    ),
    st.Page(
        "views/rules/rules.py",
        title="Update rules",
        icon=":material/function:",
        url_path="rules",
        help="Which way learners step, what rule they have learned, and what the black boxes resemble.",
    ),
    st.Page(
        "views/operations/operations.py",
        title="SAP operations",
        icon=":material/tune:",
        url_path="operations",
        help="Which parameters SAP adapts, how strongly, and whether the tasks ask for it.",
    ),
    st.Page(
        "views/attribution/attribution.py",
        title="Attribution",
        icon=":material/ads_click:",
        url_path="attribution",
        help="Which support points, labels, layers and units made a prediction.",
    ),
    st.Page(
        "views/train/train.py",
        title="Train",
        icon=":material/model_training:",
        url_path="train",
        help="Train a learner of your own, watch it, call it off, take it up again.",
    ),
    st.Page(
        "views/runs/runs.py",
        title="Runs",
        icon=":material/database:",
        url_path="runs",
        help="All runs, shipped and own: compare, tag, export, import, delete.",
    ),
]
page = st.navigation(pages)
links.clean(page.url_path)
above = st.container()  # takes no room while there is nothing to say
if said := library.nothing_shipped():
    above.info(said)
page.run()
for said in registry.complaints():  # about plug-ins, which the page has looked for by now
    above.warning(plain(said), icon=":material/extension_off:")
links.tell(above)
