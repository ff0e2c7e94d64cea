"""Tasks from the user's own table: which rows are drawn for whom, what is refused, and runs that outlive their file."""

import json
from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from engine import load, make
from engine.configure import configure
from engine.errors import BadConfig, BadInput, BadRun
from engine.evaluation import held_out_tasks, step_scores
from engine.runs import archive
from engine.runs.budget import Training
from engine.studies.report import evaluate_run
from engine.tasks import LINE, Table, TaskDistribution, stream
from engine.training import plans, sessions

WAYS = {"train": "train", "validation": "validation", "test": "test", "page": "validation"}


def frame(tasks: int = 20, rows: int = 8, columns: tuple[str, ...] = ("x",), seed: int = 0) -> pd.DataFrame:
    """Points whose targets say where they come from: 1000 times the task and the number of the row."""
    rng = np.random.default_rng(seed)
    of = np.repeat(np.arange(tasks), rows)
    found = pd.DataFrame({"task": [f"t{i}" for i in of]})
    for name in columns:
        found[name] = rng.uniform(-3, 7, len(of)).round(4)
    found["y"] = of * 1000.0 + np.tile(np.arange(rows), tasks)
    return found.sample(frac=1, random_state=seed)  # rows of a task need not lie beside each other


@pytest.fixture
def csv(tmp_path):
    path = tmp_path / "mine.csv"
    frame().to_csv(path, index=False)
    return path


def of(path, **parameters) -> Table:
    """The distribution as the command line makes it."""
    return configure(Table, {"path": str(path), "shots": 3, "queries": 4, **parameters}, "task table")


def tasks_in(task) -> list[int]:
    """Which tasks a batch consists of; every point of a task must be of it."""
    y = torch.cat([task.support_y, task.query_y], 1)[..., 0]
    found = (y // 1000).long()
    assert (found == found[:, :1]).all()
    return found[:, 0].tolist()


def test_points_are_rows_of_their_task_and_no_row_comes_twice(csv):
    made, known = of(csv), frame().set_index("y").x
    task = made.sample(stream("train"), 60)
    assert (task.support_x.shape, task.query_y.shape) == ((60, 3, 1), (60, 4, 1))
    x, y = (torch.cat(parts, 1)[..., 0].numpy() for parts in ((task.support_x, task.query_x), task[1::2]))
    np.testing.assert_allclose(x, known[y.ravel()].to_numpy().reshape(y.shape), rtol=1e-6)
    assert all(len(set(row)) == 7 for row in y.tolist())
    assert tasks_in(task)


def test_no_stream_sees_the_tasks_of_another_split(csv):
    made = of(csv)
    seen = {purpose: set(tasks_in(made.sample(stream(purpose, seed), 200))) for purpose in WAYS for seed in (0, 1)}
    assert [len(seen[split]) for split in ("train", "validation", "test")] == [14, 3, 3]
    assert seen["page"] == seen["validation"]
    assert not any(seen[a] & seen[b] for a, b in combinations(("train", "validation", "test"), 2))
    assert set(tasks_in(made.sample(torch.Generator().manual_seed(0), 200))) == seen["test"], "never those of training"
    assert set(tasks_in(held_out_tasks(made, 50))) == seen["test"]


def test_all_tasks_of_a_split_are_met_equally_often(csv):
    counts = np.bincount(tasks_in(of(csv).sample(stream("train"), 14 * 5)))
    assert set(counts.tolist()) <= {0, 5}


def test_the_generator_decides(csv):
    one, same, other = (of(csv).sample(stream("test", seed), 5) for seed in (0, 0, 1))
    assert all(torch.equal(a, b) for a, b in zip(one, same, strict=True))
    assert not torch.equal(one.support_x, other.support_x)


def test_the_column_split_decides_and_else_the_names_do(tmp_path):
    table = frame(6)
    table["split"] = table.task.map(
        dict(zip([f"t{i}" for i in range(6)], ["test"] * 3 + ["train"] * 2 + ["validation"], strict=True))
    )
    table.to_csv(path := tmp_path / "split.csv", index=False)
    met = {split: set(tasks_in(of(path).sample(stream(split), 30))) for split in ("train", "validation", "test")}
    assert met == {"train": {3, 4}, "validation": {5}, "test": {0, 1, 2}}
    frame(20).to_csv(one := tmp_path / "one.csv", index=False)
    frame(20, seed=3).to_csv(other := tmp_path / "other.csv", index=False)
    a, b = (set(tasks_in(of(each).sample(stream("test"), 30))) for each in (one, other))
    assert a == b, "other numbers and another order of the rows leave the tasks where they were"


@pytest.mark.parametrize("count", [3, 4, 5, 7, 12])
def test_every_split_has_a_task(tmp_path, count):
    frame(count).to_csv(path := tmp_path / "few.csv", index=False)
    sizes = [len(set(tasks_in(of(path).sample(stream(split), 60)))) for split in ("train", "validation", "test")]
    assert min(sizes) >= 1
    assert sum(sizes) == count


def test_parquet_and_several_inputs(tmp_path):
    table = frame(columns=("x2", "x10", "x1"))
    table["task"] = table.task.str[1:].astype(int)  # numbers name tasks as well
    table.to_parquet(path := tmp_path / "mine.parquet")
    made = of(path)
    assert (made.spec.input_shape, made.spec.output_dim, made.span) == ((3,), 1, None)
    task, known = made.sample(stream("train"), 3), table.set_index("y")[["x1", "x2", "x10"]]
    np.testing.assert_allclose(task.query_x[1].numpy(), known.loc[task.query_y[1, :, 0].numpy()], rtol=1e-6)


def test_a_single_input_is_a_line_with_a_span(csv):
    made, x = of(csv), frame().x.astype(np.float32)
    assert made.spec == LINE
    assert made.span == (x.min(), x.max())
    assert made.draw(stream("test"), 1).truth is None


BROKEN = {
    "no y": (lambda t: t.drop(columns="y"), r"has no column y; it has task, x\."),
    "no x": (lambda t: t.rename(columns={"x": "height"}), r"has no column x; it has task, height, y\."),
    "no task": (lambda t: t.drop(columns="task"), r"has no column task"),
    "another column": (
        lambda t: t.assign(z=1),
        r"has a column 'z', which is none of task, x, x1, x2 \.\.\., y and split",
    ),
    "text": (
        lambda t: t.assign(x=["1.0"] * 9 + ["tall"] + ["2"] * 150),
        r"row 10: x must be a finite number; 'tall' was",
    ),
    "nothing": (lambda t: t.assign(y=[None, *range(159)]), r"row 1: y must be a finite number; it is empty"),
    "nan": (lambda t: t.assign(y=["nan", *range(159)]), r"row 1: y must be a finite number; 'nan' was given"),
    "infinite": (lambda t: t.assign(x=[1e39, *range(159)]), r"row 1: x must be a finite number; .*1e\+39.* was given"),
    "nameless": (lambda t: t.assign(task=["", *t.task[1:]]), r"row 1: task is empty"),
    "few rows": (
        lambda t: t.iloc[: len(t) - 3].pipe(lambda u: u),
        r"has [4567] rows; shots \+ queries = 4 \+ 4 needs as many",
    ),
    "two tasks": (lambda t: t[t.task.isin(["t0", "t1"])], r"has no tasks for train"),
    "wrong split": (
        lambda t: t.assign(split="learn"),
        r"row 1: split must be one of train, validation, test; 'learn' was",
    ),
    "no test": (lambda t: t.assign(split="train"), r"has no tasks for validation and test"),
    "both": (lambda t: t.assign(split=["train", *["test"] * 159]), r"task 't\d+' is in two splits"),
    "empty": (lambda t: t.iloc[:0], r"has 0 rows"),
}


@pytest.mark.parametrize("case", list(BROKEN))
def test_what_is_wrong_with_a_table_is_one_sentence(tmp_path, case):
    change, message = BROKEN[case]
    change(frame()).to_csv(path := tmp_path / "mine.csv", index=False)
    with pytest.raises(BadConfig, match=message) as error:
        of(path, shots=4)
    assert str(error.value).count("\n") == 0
    assert str(error.value).endswith(".")


def test_files_that_are_no_table(tmp_path, monkeypatch):
    with pytest.raises(BadConfig, match=r"cannot be read: No such file or directory"):
        of(tmp_path / "none.csv")
    (tmp_path / "mine.txt").write_text("task,x,y\n")
    with pytest.raises(BadConfig, match=r"is a \.csv or \.parquet file"):
        of(tmp_path / "mine.txt")
    for name in ("bad.csv", "bad.parquet"):
        (tmp_path / name).write_bytes(b"\xff\xfe\x00 \x80")
        with pytest.raises(BadConfig, match="cannot be read as"):
            of(tmp_path / name)
    frame().to_csv(large := tmp_path / "large.csv", index=False)
    monkeypatch.setattr("engine.tasks.table.MOST_BYTES", 100)
    with pytest.raises(BadConfig, match="a table has at most 100"):
        of(large)


def test_without_a_file_nothing_is_drawn_and_nothing_begins(tmp_path):
    with pytest.raises(BadInput, match="set path to a CSV or Parquet file"):
        Table().sample(stream("test"), 1)
    with pytest.raises(BadInput, match="set path to a CSV or Parquet file"):
        plans.plan(make("maml"), Table(), Training(iterations=1), (0,), tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_more_points_than_rows_are_refused_when_they_are_asked_for(csv):
    with pytest.raises(BadInput, match=r"has 8 rows; shots \+ queries = 7 \+ 4 needs as many or more"):
        held_out_tasks(replace(of(csv), shots=7), 2)


@pytest.fixture
def run(csv, tmp_path, monkeypatch):
    monkeypatch.setattr(TaskDistribution, "test_tasks", 6)
    training = Training(iterations=4, validation_tasks=3, validate_every=2)
    learner = make("maml", network={"widths": [4]}, steps=1, test_steps=1, inner_lr=1e-8)  # of targets of thousands
    (folder,) = sessions.train(learner, of(csv), training, (0,), tmp_path / "runs")
    return folder


def test_a_test_takes_every_test_task_once(run, csv):
    """Its interval is over tasks, and there are three."""
    assert of(csv).distinct("test") == 3
    assert load(run).record["metrics"]["test_tasks"] == 3
    found = evaluate_run(load(run), 50)
    assert found["tasks"] == 3
    values = step_scores(load(run).learner, load(run).params, held_out_tasks(of(csv), 3)).losses[:, -1].double().numpy()
    assert found["ci95"] == pytest.approx(stats.t.ppf(0.975, 2) * values.std(ddof=1) / 3**0.5)
    assert sorted(tasks_in(held_out_tasks(of(csv), 3))) == sorted(set(tasks_in(held_out_tasks(of(csv), 50))))


def test_a_run_outlives_its_file(run, csv):
    opened = load(run)
    kept = opened.record["task_parameters"]
    assert kept["path"] == str(csv)
    assert len(kept["sha256"]) == 64
    assert opened.record["metrics"]["test_mse"] > 0
    states = opened.adapt([[0.0], [1.0]], [[0.0], [1.0]])
    before = opened.predict(states, [[0.5]])
    csv.unlink()
    again = load(run)
    assert torch.equal(again.predict(again.adapt([[0.0], [1.0]], [[0.0], [1.0]]), [[0.5]]), before)
    assert again.distribution == opened.distribution
    with pytest.raises(BadInput, match="cannot be read: No such file"):
        held_out_tasks(again.distribution, 2)


def test_another_file_of_the_same_name_is_not_taken_for_it(run, csv):
    frame(seed=1).to_csv(csv, index=False)
    with pytest.raises(BadInput, match="is not the file that this task was made of"):
        held_out_tasks(load(run).distribution, 2)
    assert of(csv) != load(run).distribution


def test_a_record_from_elsewhere_makes_nobody_read_a_file(run, tmp_path):
    """One that names a file but not its hash would make the reader's machine say what is in it."""
    record = json.loads((run / "run.json").read_text())
    record["task_parameters"]["sha256"] = ""
    (run / "run.json").write_text(json.dumps(record))
    with pytest.raises(BadRun, match="lacks sha256 of the task table"):
        archive.unpack(archive.pack(run), tmp_path / "there")
