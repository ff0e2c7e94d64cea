"""The table of runs on images says what a reader could compute by hand, and is measured once."""

import json
import math

import numpy as np
import pytest
import torch
from scipy import stats

from engine.cli.main import main
from engine.evaluation import held_out_tasks
from engine.learners import make
from engine.runs.run import describe, load, save
from engine.studies import domains, report
from engine.studies.kept import Kept
from engine.tasks import Digits, Folders, Sine, stream
from engine.tasks.images import sets
from engine.trees import count
from tests.engine.tasks.images.test_folders import fill
from tests.images import GLYPHS, put_run


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setattr("engine.tasks.Episodes.test_tasks", 6)
    monkeypatch.setattr(sets, "FASHION", tmp_path / "nowhere")
    for seed in range(2):
        put_run(tmp_path / "glyphs", "protonet", seed)
    put_run(tmp_path / "glyphs", "maml", 0, loss=math.log(5))
    return tmp_path / "glyphs"


def by_hand(path, distribution, weights=None):
    """The accuracy on each of 6 tasks, from what `load` gives to anyone."""
    run, drawn = load(path), held_out_tasks(distribution, 6)
    params = weights or run.params
    found = []
    for j in range(6):
        with torch.no_grad():
            state = run.learner.adapt(params, drawn.support_x[j], drawn.support_y[j])[-1]
            logits = run.learner.predict(params, state, drawn.query_x[j])
        found.append(float((logits.argmax(-1) == drawn.query_y[j]).double().mean()))
    return np.array(found)


def test_every_number_is_that_of_the_tasks_one_by_one(root):
    row = next(row for row in domains.rows(root) if row["learner"] == "protonet")
    folders = [root / f"protonet-k1-s{seed}" for seed in range(2)]
    for name, task in (("glyphs", GLYPHS), ("digits", Digits(shots=1, queries=2))):
        each = np.stack([by_hand(folder, task) for folder in folders])
        found, over = row["domains"][name], each.mean(0)
        assert found["accuracy"] == pytest.approx(each.mean())
        assert found["per_seed"] == pytest.approx(each.mean(1).tolist())
        assert found["spread"] == pytest.approx(each.mean(1).std(ddof=1))
        assert found["ci95"] == pytest.approx(stats.t.ppf(0.975, 5) * over.std(ddof=1) / np.sqrt(6))
    starts = [load(f).learner.init(stream("init", seed), GLYPHS.spec) for seed, f in enumerate(folders)]
    untrained = [by_hand(f, GLYPHS, start).mean() for f, start in zip(folders, starts, strict=True)]
    assert row["untrained"]["glyphs"]["per_seed"] == pytest.approx(untrained)
    assert (row["seeds"], row["tasks"], row["minutes"], row["ways"]) == (2, 21, 1.5, 5)
    assert row["parameters"] == count(load(folders[0]).params)


def test_what_is_not_on_the_machine_is_left_out_with_a_sentence(root):
    found = domains.rows(root)
    assert all(row["domains"]["fashion"] is None for row in found)
    text = domains.markdown(found)
    assert "Fashion-MNIST is left out. The task fashion needs Fashion-MNIST in /usr/share/" in text
    head, *lines = [line for line in text.splitlines() if line.startswith("|")]
    assert "held-out scripts" in head
    assert "Fashion" not in head
    assert [line.split(" | ")[0] for line in lines[1:]].count("| untrained") == 2
    assert lines[-1].startswith("| chance |  | 0.200 | 0.200 |")


def test_a_learner_at_chance_is_said_to_be_with_why(root, monkeypatch):
    guessed = {"accuracy": 0.2, "ci95": 0.01, "per_seed": [0.2], "spread": None, "tasks": 6, "diverged": 0}
    monkeypatch.setattr(domains, "_summary", lambda _: guessed)
    why = {row["learner"]: row["note"] for row in domains.rows(root)}
    assert why["maml"] == (
        "At chance, and in training too: its loss ended at 1.609, guessing has ln 5 = 1.609. "
        "It never left that plateau."
    )
    assert why["protonet"] == "At chance; nothing is known of its training loss."
    put_run(root, "maml", 0, loss=0.5)
    row = next(row for row in domains.rows(root) if row["learner"] == "maml")
    assert "not in training: its loss ended at 0.500" in row["note"]
    assert f"MAML, 1 shot: {row['note']}" in domains.markdown([row])


def test_what_is_kept_is_not_measured_again_and_belongs_to_its_weights(root, monkeypatch):
    before = domains.rows(root)
    files = sorted((root / "measured").iterdir())
    assert len(files) >= 2 * 3 * 2  # domains, runs, trained and untrained
    monkeypatch.setattr("engine.studies.kept.final_scores", lambda *_: pytest.fail("measured again"))
    assert domains.rows(root) == before
    files[0].write_text("{")  # one that is not sound is measured again
    with pytest.raises(pytest.fail.Exception):
        domains.rows(root)
    monkeypatch.undo()
    monkeypatch.setattr("engine.tasks.Episodes.test_tasks", 6)
    assert domains.rows(root)[0]["domains"]["digits"] == before[0]["domains"]["digits"]
    put_run(root, "maml", 1)  # another seed: only that one is measured
    stores = []
    domains.rows(root, store=lambda folder: stores.append(Kept(folder)) or stores[-1])
    assert {name.rsplit("-", 1)[0] for name in stores[0].asked} >= {"maml-k1-glyphs", "maml-k1-digits"}
    assert not any(name.startswith("protonet") for name in stores[0].asked)


def test_without_asking_nothing_is_computed(root):
    (row, *_) = domains.rows(root, store=lambda folder: Kept(folder, ask=False))
    assert set(row["domains"].values()) == {None}
    assert row["missing"]["digits"] == "It has not been measured."


def test_a_folder_of_ones_own_has_the_domains_of_its_size(tmp_path, monkeypatch):
    monkeypatch.setattr("engine.tasks.Episodes.test_tasks", 2)
    there = fill(tmp_path / "mine", [f"c{i}" for i in range(34)], count=3)
    for side, expected in ((14, {"folders", "glyphs", "digits"}), (8, {"folders"})):
        task = Folders(shots=1, queries=2, path=str(there), side=side)
        put_run(tmp_path / f"of-{side}", "protonet", 0, task=task)
        (row,) = domains.rows(tmp_path / f"of-{side}")
        assert set(row["domains"]) - {"mnist", "fashion"} == expected
    there.rename(tmp_path / "gone")
    (row,) = domains.rows(tmp_path / "of-14", tasks=3)
    assert row["domains"]["folders"] is None
    assert "cannot be read" in domains.markdown([row])


def test_waves_and_images_have_tables_of_their_own(root, capsys):
    learner, task = make("maml", network={"widths": [3]}, steps=1, test_steps=1), Sine(shots=4, queries=3)
    known = {"status": "done", "shots": 4, "training": {"iterations": 7, "meta_batch": 3}}
    save(root / "maml-k4-s0", learner.init(stream("init"), task.spec), {**describe(learner, task, 0), **known})
    assert [row["learner"] for row in report.rows(root, 4)] == ["maml"]
    assert main(["table", "--root", str(root), "--tasks", "4"]) == 0
    out = capsys.readouterr().out
    assert "| test MSE, mean |" in out
    assert "trained on glyphs, 5 ways." in out
    assert "Accuracy over 4 test tasks" in out
    assert main(["table", "--root", str(root), "--tasks", "4", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 3
