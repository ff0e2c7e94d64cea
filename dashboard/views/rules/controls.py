"""The controls of the page Update rules."""

from collections.abc import Sequence

from dashboard.widgets.fields import Fields
from dashboard.widgets.naming import titles
from engine.runs.ensembles import Ensemble

pick = Fields("rules").pick


def choose_one(label: str, ensembles: Sequence[Ensemble], key: str, default: str) -> Ensemble:
    """One of some learners, kept in the URL: the default one, or the first, unless one is chosen."""
    by_name = {e.learner.name: e for e in ensembles}
    first = default if default in by_name else next(iter(by_name))
    found = pick(label, list(by_name), key, first, titles(ensembles))
    return by_name[found]
