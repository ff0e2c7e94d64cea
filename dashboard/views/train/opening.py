"""From a run to every page that shows it, in one click."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dashboard.widgets import families, library
from engine.learners import LEARNERS
from engine.runs.run import TRAINED
from probes import asking

TASK = "sine"  # what the pages show so far
# Each page with its title, its icon, the prefix of its parameters, and the probe that says whom it applies to.
PAGES = (
    ("behaviour", "Learning behaviour", "stacked_line_chart", "behaviour", "behaviour"),
    ("features", "Features", "grain", "features", "diversity"),
    ("landscape", "Loss landscape", "landscape", "landscape", "landscape"),
    ("rules", "Update rules", "function", "rules", "behaviour"),
    ("operations", "SAP operations", "tune", "sap", "subspace"),
    ("attribution", "Attribution", "ads_click", "attribution", "attribution"),
)


def links(place: Any, folder: Path, record: dict[str, Any]) -> None:
    """Draws the links: the live page at once, the others on demand. Nothing where no page shows the run."""
    collection = collection_of(folder)
    if collection is None or record.get("task") != TASK or record.get("status") not in TRAINED:
        return
    place.page_link(
        "views/live/live.py",
        label="Open on the live page",
        icon=":material/gesture:",
        query_params=live_query(collection, record),
    )
    menu = place.popover("Other pages", type="tertiary", key=f"open-{library.shown(folder)}", on_change="rerun")
    if menu.open:
        for page, title, icon, query in others(collection, record):
            menu.page_link(f"views/{page}/{page}.py", label=title, icon=f":material/{icon}:", query_params=query)


def collection_of(folder: Path) -> str | None:
    """The collection that a run belongs to, as pages call it; None for a folder elsewhere."""
    own = {library.RUNS: library.OWN, library.CHECKPOINTS: ""}
    home = folder.parent.parent
    return f"{own[home]}{folder.parent.name}" if home in own else None


def live_query(collection: str, record: dict[str, Any]) -> dict[str, str]:
    """The live page's parameters that show a run, beside those that are shown at first."""
    name, shots = str(record.get("learner")), int(record.get("shots") or 0)
    there = library.joined(collection, TASK, shots)[0]
    first = families.shown_first({e.learner.name: e.learner.family for e in there})
    others = [other for other in first if other != name][: families.MOST - 1]
    return {"runs": collection, "shots": str(shots), "on": ",".join([name, *others])}


def others(collection: str, record: dict[str, Any]) -> Iterator[tuple[str, str, str, dict[str, str]]]:
    """The other pages that show this learner: file, title, icon and parameters."""
    name, shots = str(record.get("learner")), int(record.get("shots") or 0)
    ensembles, _ = library.ensembles(collection, TASK, shots)
    mine = next((ensemble for ensemble in ensembles if ensemble.learner.name == name), None)
    for page, title, icon, prefix, probe in PAGES:
        if mine is not None and asking.find(probe).applies(mine) is None:
            chosen = {"runs": library.title(collection), "shots": str(shots), "learners": LEARNERS[name].title}
            yield page, title, icon, {f"{prefix}-{key}": value for key, value in chosen.items()}
