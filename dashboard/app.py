"""Navigation, and nothing else. Run it with `python -m dashboard` or `streamlit run dashboard/app.py`."""

import sys
from pathlib import Path

import streamlit as st

HERE = Path(__file__).resolve().parent
if str(HERE.parent) not in sys.path:  # `streamlit run` puts this file's folder on the path, not the package's
    sys.path.insert(0, str(HERE.parent))

from dashboard.serving import server as serving  # noqa: E402 - found by the lines above
from dashboard.widgets import choice, library, links  # noqa: E402
from dashboard.widgets.escape import plain  # noqa: E402
from dashboard.widgets.pages import PAGES  # noqa: E402
from engine import registry  # noqa: E402

if serving.served():
    serving.tune()  # `streamlit run` comes here first; `python -m dashboard` has done it
st.set_page_config(page_title="Innerloop", page_icon=str(HERE / "icon.png"), layout="wide")
st.logo(str(HERE / "logo.svg"), size="large")
pages = [
    st.Page(
        page.file,
        title=page.title,
        icon=page.symbol,
        help=page.help,
        default=place == 0,
        **({"url_path": page.name} if place else {}),
    )
    for place, page in enumerate(PAGES.values())
]
page = st.navigation(pages, position="hidden")  # the links below say what Streamlit's own cannot: the choice
links.clean(page.url_path)
here = PAGES[page.url_path or "live"]
choice.arrive(here)
chosen = choice.to_query(choice.current()) if here.probe else {}  # elsewhere it may change while these links stand
for one, about in zip(pages, PAGES.values(), strict=True):
    st.sidebar.page_link(one, query_params=chosen if about.probe else None)
above = st.container()  # takes no room while there is nothing to say
if said := library.nothing_shipped():
    above.info(said)
page.run()
for said in registry.complaints():  # about plug-ins, which the page has looked for by now
    above.warning(plain(said), icon=":material/extension_off:")
links.tell(above)
