"""What the figure of scarce training data says of trainings that differ in more than their shots."""

from dashboard.views.behaviour.sweep_tables import unlike_sentence
from dashboard.widgets import library


def by_shots(learner: str, collection: str = "sine"):
    """The shipped trainings of one learner by their shots."""
    every = {k: library.ensembles(collection, "sine", k)[0] for k in library.shots(collection, "sine")}
    return {k: one for k, found in every.items() for one in found if one.learner.name == learner}


def test_rates_and_budgets_that_differ_between_shots_are_said():
    told = unlike_sentence({"Finetuning": by_shots("finetuning"), "MAML": by_shots("maml")})
    assert told == (
        "Trainings of a learner differ in more than their shots: Finetuning, inner_lr 0.001 at 5, 0.05 at 10 and 20."
    )
    published = unlike_sentence({"MAML": by_shots("maml", "sine-published")})
    assert "MAML, iterations 7500 at 5 and 10, 30000 at 20" in published
    assert unlike_sentence({"MAML": by_shots("maml")}) == "", "what is kept along the way is no difference"
