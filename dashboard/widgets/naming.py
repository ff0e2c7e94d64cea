"""How pages speak of the learners they show."""

from collections.abc import Sequence

from engine.runs.ensembles import Ensemble


def titles(ensembles: Sequence[Ensemble]) -> dict[str, str]:
    """The learners' names for people, by their registered names."""
    return {e.learner.name: e.learner.title for e in ensembles}


def seeds_of(ensembles: Sequence[Ensemble]) -> str:
    """How many seeds, for a subtitle."""
    counts = sorted({len(e.runs) for e in ensembles})
    return f"{'-'.join(map(str, counts))} seed{'s' * (counts != [1])} each"
