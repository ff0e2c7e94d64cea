"""The reproduction table: every published value appears, beside the runs that answer to it and no others."""

import json

import pytest

from engine.cli.main import cli, main
from engine.errors import BadInput
from engine.learners import LEARNERS, make
from engine.runs.run import describe, save
from engine.studies import reproduce
from engine.tasks import Sine, stream


def put(folder, name, shots, seed):
    learner = make(name)
    record = {"status": "done", "shots": shots, "training": {"iterations": 1, "meta_batch": 1}, "seconds": 1.0}
    params = learner.init(stream("init", seed), Sine.spec)
    save(folder, params, {**describe(learner, Sine(shots=shots), seed), **record})


def test_each_published_value_meets_its_own_runs(tmp_path, capsys):
    for seed in range(2):
        put(tmp_path / "sine-tuned" / f"lstm-k5-s{seed}", "lstm", 5, seed)
    put(tmp_path / "sine-as-published" / "lstm-k5-s0", "lstm", 5, 3)
    put(tmp_path / "elsewhere" / "lstm-k10-s0", "lstm", 10, 0)
    assert main(["reproduce", "--root", str(tmp_path), "--tasks", "5", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    named = next(p.help for p in cli.commands["reproduce"].params if p.name == "as_json")
    assert f"with the keys {', '.join(rows[0])}." in named
    pooled = {row["recipe"]: row for row in rows if row["table"] == reproduce.CHAPTER5 and row["method"] == "lstm"}
    five = [row for row in rows if row["table"] == reproduce.CHAPTER5 and (row["method"], row["shots"]) == ("lstm", 5)]
    assert [(row["recipe"], row["collection"], row["seeds"]) for row in five] == [
        ("published", "sine-as-published", 1),
        ("ours", "sine-tuned", 2),
    ]
    assert all(row["reference"] == 0.0406 and row["ours"] > 0 and row["ci95"] > 0 for row in five)
    assert five[1]["ours"] == pytest.approx(sum(five[1]["per_seed"]) / 2)
    assert pooled["ours"]["shots"] == 20
    rest = [row for row in rows if row not in five]
    assert all(row["ours"] is None and row["seeds"] == 0 for row in rest)


def test_every_value_has_a_line_in_the_table(tmp_path):
    table = reproduce.markdown(reproduce.rows(tmp_path, 5), 5)
    assert table.count("not trained") == sum(len(reproduce.RECIPES[cell.table]) for cell in reproduce.CELLS)
    for cell in reproduce.CELLS:
        assert f"| {cell.table} | {cell.learner} | {cell.shots} | 0." in table
        assert cell.learner in LEARNERS


def test_a_pilot_of_our_own_is_not_called_published(tmp_path):
    rows = reproduce.rows(tmp_path, 5)
    for row in rows:
        assert (row["source"] == reproduce.PUBLISHED) == (row["table"] != reproduce.CHAPTER6)
    lines = [line for line in reproduce.markdown(rows, 5).splitlines() if line.startswith(f"| {reproduce.CHAPTER6}")]
    assert len(lines) == 4
    assert all("our pilot" in line and "published" not in line for line in lines)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(BadInput, match="no folder of runs at"):
        reproduce.rows(tmp_path / "nothing", 5)
