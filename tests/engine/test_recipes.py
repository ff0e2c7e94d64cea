"""The shipped recipes: every value is one that the code takes, and what is more special wins."""

import pytest

from engine.configure import configure
from engine.errors import UnknownName
from engine.learners import LEARNERS, make
from engine.runs.budget import Training
from engine.tasks import TASKS
from engine.training import recipes

ENTRIES = [
    (task, collection, learner)
    for task in TASKS
    for collection in recipes.names(task)
    for learner in recipes.learners(task, collection)
]


@pytest.mark.parametrize(("task", "collection", "learner"), ENTRIES)
@pytest.mark.parametrize("shots", [5, 10])
def test_every_recipe_can_be_trained(task, collection, learner, shots):
    found = recipes.recipe(task, collection, learner, shots)
    made, training = make(learner, **found.hyper_parameters), configure(Training, found.training, "training")
    assert made.kinds
    assert training.iterations > training.validate_every
    assert (training.optimiser == "sgd") == (learner == "reptile"), "Reptile's step is the outer learning rate, epsilon"


def test_the_default_collection_has_every_learner_of_the_task():
    learn_waves = {name for name, cls in LEARNERS.items() if "regression" in cls.kinds}
    assert set(recipes.learners("sine", "default")) == learn_waves


def test_values_for_some_shots_take_precedence(monkeypatch):
    entry = {
        "training": {"lr": 1.0, "iterations": 7},
        "hyper_parameters": {"steps": 1},
        "k5": {"training": {"lr": 2.0}, "hyper_parameters": {"inner_lr": 3.0}},
    }
    monkeypatch.setattr(recipes, "_read", lambda task: {"default": {"maml": entry}})
    assert recipes.recipe("sine", "default", "maml", 5) == recipes.Recipe(
        {"steps": 1, "inner_lr": 3.0}, {"lr": 2.0, "iterations": 7}
    )
    assert recipes.recipe("sine", "default", "maml", 10) == recipes.Recipe({"steps": 1}, {"lr": 1.0, "iterations": 7})


def test_what_has_no_recipe(monkeypatch):
    with pytest.raises(UnknownName, match="no recipe collection for sine called 'secret'; known are default"):
        recipes.recipe("sine", "secret", "maml", 5)
    with pytest.raises(UnknownName, match="no learner in the recipes 'published' called 'lstm'"):
        recipes.recipe("sine", "published", "lstm", 5)
    monkeypatch.setattr(recipes, "_read", lambda task: {})
    assert recipes.recipe("new-task", "default", "maml", 5) == recipes.Recipe()  # the defaults of the code
