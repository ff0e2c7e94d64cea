"""Recipes: what a learner is trained with, and the budgets that make the same training longer or larger."""

from dataclasses import fields

import pytest

from engine.cli.main import main
from engine.configure import configure
from engine.errors import UnknownName
from engine.learners import LEARNERS, make
from engine.networks import network_of
from engine.runs.budget import Training
from engine.runs.run import read_record
from engine.training import recipes

IMAGES = [name for name, cls in LEARNERS.items() if "classification" in cls.kinds and cls.meta_trained]


@pytest.mark.parametrize("name", IMAGES)
@pytest.mark.parametrize("shots", [1, 5])
def test_a_full_budget_is_the_same_training_five_times_as_long(name, shots):
    usual, full = (recipes.recipe("glyphs", "default", name, shots, budget) for budget in (recipes.USUAL, "full"))
    assert full.hyper_parameters == usual.hyper_parameters
    assert full.training == usual.training | {"iterations": 5 * usual.training["iterations"]}
    assert (usual.task, full.task) == ({}, {})


@pytest.mark.parametrize("name", IMAGES)
def test_a_large_budget_has_images_and_networks_of_the_published_size(name):
    usual, large = (recipes.recipe("glyphs", "default", name, 1, budget) for budget in (recipes.USUAL, "large"))
    assert large.task == {"side": 28}
    before, after = (network_of(make(name, **found.hyper_parameters)) for found in (usual, large))
    if before is None:
        assert not {"network", "encoder"} & {field.name for field in fields(LEARNERS[name])}
    else:
        assert (after.channels, after.blocks, after.norm) == (64, 4, before.norm)
    assert configure(Training, large.training, "training").iterations == 5 * usual.training["iterations"]


def test_budgets_are_named_and_others_refused(tmp_path, capsys):
    assert recipes.budgets("glyphs", "default") == ["usual", "full", "large"]
    assert recipes.budgets("sine", "default") == ["usual"]
    assert "budgets" not in recipes.learners("glyphs", "default")
    with pytest.raises(UnknownName, match="usual, full, large"):
        recipes.recipe("glyphs", "default", "maml", 1, "fulll")
    assert main(["train", "maml", "--budget", "full", "--runs", str(tmp_path)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_run_says_by_which_budget_it_was_trained_and_settings_come_last(tmp_path):
    small = ["training.meta_batch=1", "training.validation_tasks=2", "task.queries=2", "encoder.channels=2"]
    said = ["--budget", "large", "--iterations", "1", *(word for one in small for word in ("--set", one))]
    folder = tmp_path / "protonet-k1-s0"
    given = ["train", "protonet", "--task", "glyphs", "--shots", "1", "--runs", str(tmp_path), *said, "--json"]
    assert main(given) == 0
    record = read_record(folder)
    assert (record["recipe"], record["task_parameters"]["side"]) == ("default, large", 28)
    assert record["hyper_parameters"]["encoder"]["channels"] == 2
    assert record["hyper_parameters"]["encoder"]["blocks"] == 4
    assert record["training"]["iterations"] == 1
