"""The 75 % experiment: its scores against cases counted by hand, and a small run from training to table."""

import json

import numpy as np
import pytest

from engine.cli.main import cli, main
from engine.errors import BadRun, UnknownName
from engine.runs.budget import Training
from engine.studies import structure
from engine.tasks import all_families, stream

TRUTH = np.array([[True, False, False, False], [True, True, False, False]])


def test_gate_accuracy_counts_families_times_factors():
    gates = np.array([[0.9, 0.6, 0.1, 0.1], [0.4, 0.8, 0.5, 0.2]])  # two of eight are wrong: 0.6 and 0.4
    assert structure.gate_accuracy(gates, TRUTH) == 6 / 8


def test_ranking_is_the_share_of_right_ones_among_the_strongest():
    gates = np.array([[0.4, 0.3, 0.2, 0.1], [0.4, 0.1, 0.3, 0.2]])
    assert structure.ranking(gates, TRUTH) == (1 + 1 / 2) / 2


def test_ties_count_as_guessing():
    level = np.full((2, 4), 0.5)
    assert structure.ranking(level, TRUTH) == pytest.approx((1 / 4 + 2 / 4) / 2)
    assert structure.functional(level, TRUTH) == pytest.approx((1 / 4 + 2 / 4) / 2)


def test_functional_asks_what_hurts_most():
    increase = np.array([[0.1, 0.2, 0.0, 0.0], [0.3, 0.1, 0.0, 0.0]])
    assert structure.functional(increase, TRUTH) == 1 / 2


def test_fifteen_families_and_their_chance():
    truth = structure.varied(all_families())
    assert truth.shape == (15, 4)
    assert len({tuple(row) for row in truth}) == 15
    assert structure.chances(truth) == {"P1": 0.5, "P2": 32 / 60, "P3": 32 / 60}


def test_the_control_has_support_and_query_of_different_tasks():
    family = all_families()[0]
    matched = family.sample(stream("page"), 3)
    mixed = structure.Mismatched(varied=family.varied).sample(stream("page"), 3)
    assert mixed.query_y.equal(matched.query_y)
    assert mixed.support_y.equal(matched.support_y[[2, 0, 1]])


def test_a_small_run_from_training_to_table(tmp_path, capsys):
    training = Training(iterations=25, meta_batch=1, validate_every=25, validation_tasks=2)
    content = structure.run("mended-gates", tmp_path, seeds=2, training=training, tasks=3, compiled=False)
    assert np.shape(content["gates"]) == np.shape(content["mse_without"]) == (2, 15, 4)
    assert np.shape(content["history"]["gates"]) == (26, 30, 4)
    assert np.allclose(content["history"]["gates"][0], 0.5)
    untrained = content["controls"]["untrained"]["protocols"]
    assert untrained["P1"]["mean"] == 28 / 60  # nothing is above its start
    assert untrained["P2"]["mean"] == pytest.approx(content["chance"]["P2"])
    assert json.loads((tmp_path / "mended-gates.json").read_text()) == json.loads(json.dumps(content))
    assert main(["structure", "--root", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert main(["structure", "--root", str(tmp_path), "--json"]) == 0
    (printed,) = json.loads(capsys.readouterr().out)
    named = next(p.help for p in cli.commands["structure"].params if p.name == "as_json")
    assert f"with the keys {', '.join(printed)}." in named
    assert shown.count("| mended-gates |") == 3
    assert "2 seeds" in shown
    assert set(content["diverged"]) == {"trained", "untrained", "mismatched"}
    content["diverged"]["untrained"] = 2
    assert structure.table([content]).endswith(
        "mended-gates, untrained: 2 of 90 tasks diverged and are left out of the mean."
    )


def test_what_is_not_there_is_said(tmp_path):
    with pytest.raises(BadRun, match="no results of the structure experiment"):
        structure.read(tmp_path)
    with pytest.raises(UnknownName, match="no form called 'best'"):
        structure.run("best", tmp_path)
