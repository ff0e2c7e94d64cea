"""From a run to every page that shows it, in one click."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dashboard.widgets import choice, families, fitting, library
from dashboard.widgets.pages import PAGES, Page
from dashboard.widgets.trained import key_of
from engine.runs.ensembles import Ensemble
from engine.runs.run import TRAINED
from engine.tasks import LINE

LIVE = PAGES["live"]


def links(place: Any, folder: Path, record: dict[str, Any]) -> None:
    """Draws the links: the live page at once, the others on demand. Nothing where no page shows the run."""
    collection = collection_of(folder)
    if collection is None or record.get("status") not in TRAINED:
        return
    mine = ensemble_of(collection, record)
    if mine is None:
        return
    if mine.distribution.spec == LINE and mine.distribution.span is not None:
        query = live_query(collection, record)
        place.page_link(LIVE.file, label="Open on the live page", icon=LIVE.symbol, query_params=query)
    menu = place.popover("Other pages", type="tertiary", key=f"open-{library.shown(folder)}", on_change="rerun")
    if menu.open:
        query = query_of(collection, record)
        for page in others(mine):
            menu.page_link(page.file, label=page.title, icon=page.symbol, query_params=query)


def collection_of(folder: Path) -> str | None:
    """The collection that a run belongs to, as pages call it; None for a folder elsewhere."""
    own = {library.RUNS: library.OWN, library.CHECKPOINTS: ""}
    home = folder.parent.parent
    return f"{own[home]}{folder.parent.name}" if home in own else None


def ensemble_of(collection: str, record: dict[str, Any]) -> Ensemble | None:
    """The ensemble that pages show of a run."""
    found, _ = library.ensembles(collection, key_of(record), int(record.get("shots") or 0))
    return next((ensemble for ensemble in found if ensemble.learner.name == record.get("learner")), None)


def live_query(collection: str, record: dict[str, Any]) -> dict[str, str]:
    """The live page's parameters that show a run, beside those that are shown at first."""
    name, shots = str(record.get("learner")), int(record.get("shots") or 0)
    there = library.joined(collection, key_of(record), shots)[0]
    first = families.shown_first({e.learner.name: e.learner.family for e in there})
    others = [other for other in first if other != name][: families.MOST - 1]
    return {**query_of(collection, record), "on": ",".join([name, *others])}


def query_of(collection: str, record: dict[str, Any]) -> dict[str, str]:
    """The parameters that choose a run on any page; the task only where its collection has several."""
    chosen = choice.Choice(
        collection,
        key_of(record) if len(library.tasks(collection)) > 1 else None,
        int(record.get("shots") or 0),
        (str(record.get("learner")),),
    )
    return choice.to_query(chosen)


def others(ensemble: Ensemble) -> Iterator[Page]:
    """The other pages that show a learner."""
    return (page for page in PAGES.values() if page.probe and fitting.unfit(page.probe, ensemble) is None)
