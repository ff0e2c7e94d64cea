"""Kept answers: what comes back is what was asked for, and nothing else ever is."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.runs.ensembles import Ensemble
from engine.runs.run import Run, load
from probes import answers, asking, cli
from probes.questions import meta_gradients
from tests.probes.questions.test_diversity import changed, ensemble

SETTINGS = {"tasks": 2, "points": 10}
SHIPPED = Path(__file__).resolve().parents[2] / "checkpoints" / "answers"


def with_hashes(made: Ensemble, word: str = "a") -> Ensemble:
    """The same runs with hashes of weights in their records, as runs on disk have them."""
    record = [{**run.record, "weights_sha256": f"{word}{i}"} for i, run in enumerate(made.runs)]
    return Ensemble(
        tuple(Run(r.path, r.learner, r.distribution, r.params, d) for r, d in zip(made.runs, record, strict=True))
    )


def same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray):
        return bool(np.allclose(a, b, rtol=1e-5, equal_nan=True))
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    if hasattr(a, "__dataclass_fields__"):
        return type(a) is type(b) and all(same(getattr(a, f.name), getattr(b, f.name)) for f in fields(a))
    return a == b


def test_an_answer_comes_back_as_it_was(tmp_path):
    made = [with_hashes(ensemble("maml"))]
    found = asking.ask("diversity", made, SETTINGS)
    answers.write(tmp_path, "diversity", made, SETTINGS, found)
    assert same(found, answers.read(tmp_path, "diversity", made, SETTINGS))


def test_other_weights_settings_or_probes_find_nothing(tmp_path):
    made = [with_hashes(ensemble("maml"))]
    answers.write(tmp_path, "diversity", made, SETTINGS, asking.ask("diversity", made, SETTINGS))
    assert answers.read(tmp_path, "diversity", [with_hashes(changed(made[0], 0.1), "b")], SETTINGS) is None
    assert answers.read(tmp_path, "diversity", made, {**SETTINGS, "tasks": 3}) is None
    assert answers.read(tmp_path, "diversity", made, {**SETTINGS, "no such setting": 3}) is None
    assert answers.read(tmp_path, "similarity", made, {}) is None
    assert answers.read(tmp_path / "nowhere", "diversity", made, SETTINGS) is None


def test_settings_that_are_not_given_are_the_defaults(tmp_path):
    made = [with_hashes(ensemble("maml"))]
    assert answers.question("diversity", made, {}) == answers.question("diversity", made, {"tasks": 20})


@pytest.mark.parametrize("spoil", ["", "{", "[]", "{}", "probe", "missing", "extra", "kind"])
def test_a_file_that_does_not_fit_is_passed_over(tmp_path, spoil: str):
    made = [with_hashes(ensemble("maml"))]
    file = answers.write(tmp_path, "diversity", made, SETTINGS, asking.ask("diversity", made, SETTINGS))
    content = json.loads(file.read_text())
    if spoil == "probe":
        content["probe"] = "similarity"
    elif spoil == "missing":
        del content["answer"]["layers"][0]["width"]
    elif spoil == "extra":
        content["answer"]["more"] = 1
    elif spoil == "kind":
        content["answer"]["tasks"] = "2"
    file.write_text(json.dumps(content) if len(spoil) > 2 else spoil)
    assert answers.read(tmp_path, "diversity", made, SETTINGS) is None


@dataclass(frozen=True)
class Nested:
    """Every kind of value that an answer may have."""

    a: np.ndarray
    b: list[tuple[int, ...]]
    c: dict[str, float]
    d: str | None
    e: Any
    f: tuple[str, float]


def test_every_kind_of_value_survives():
    value = Nested(np.array([[1.0, np.nan]]), [(1, 2), ()], {"x": float("nan")}, None, [1, {"y": 2}], ("s", 0.5))
    back = answers.restored(Nested, json.loads(json.dumps(asking.plain(value))))
    assert same(back.a, value.a)
    assert np.isnan(back.c["x"])
    assert (back.b, back.d, back.e, back.f) == (value.b, value.d, value.e, value.f)
    with pytest.raises(TypeError, match="expected"):
        answers.restored(dict[str, int], {"x": 0.5})


def test_the_command_keeps_one_answer_for_each_learner(tmp_path, capsys):
    runs = [
        SHIPPED.parent / "sine" / f"{name}-k10-s{seed}" for name, seed in (("maml", 0), ("maml", 1), ("finetuning", 0))
    ]
    parts = [part for run in runs for part in ("--run", str(run))]
    assert cli.main(["diversity", *parts, "--set", "tasks=2", "--keep", str(tmp_path)]) == 0
    assert len(list(tmp_path.iterdir())) == 2
    both = asking.gather(runs)
    found = answers.read(tmp_path, "diversity", both[:1], {"tasks": 2})
    assert same(found, asking.ask("diversity", both[:1], {"tasks": 2}))


@pytest.mark.parametrize("file", sorted(SHIPPED.glob("*.json")), ids=lambda file: file.stem)
def test_shipped_answers_fit_the_probes(file: Path):
    found = json.loads(file.read_text())
    asked = {key: found[key] for key in ("probe", "config", "weights")}
    assert answers.path(SHIPPED, asked) == file, "its name says what was asked"
    assert answers.restored(asking.find(found["probe"]).answer, found["answer"])


def test_a_shipped_answer_is_what_the_probe_says_today():
    """MAML's shipped meta-gradients against the probe; the curvature on the first group of tasks alone."""
    runs = [load(SHIPPED.parent / "sine" / f"maml-k10-s{seed}") for seed in range(3)]
    found = answers.read(SHIPPED, "meta-gradients", [Ensemble(tuple(runs))], {})
    assert found is not None, "shipped"
    settings = {"curved": 1, "groups_kept": 0, "vectors": 2}
    now = asking.ask("meta-gradients", [Ensemble(tuple(runs))], settings)
    trained = [next(m for m in one.measured if m.moment == meta_gradients.TRAINED) for one in (found, now)]
    assert trained[0].cosine == pytest.approx(trained[1].cosine, rel=1e-4)
    assert trained[0].eigenvalue[:, :1] == pytest.approx(trained[1].eigenvalue, rel=1e-3)


def test_every_shipped_answer_is_about_shipped_weights():
    """Runs that were trained again need their answers kept again (`python -m probes NAME --run ... --keep`)."""
    hashes = {json.loads(record.read_text()).get("weights_sha256") for record in SHIPPED.parent.glob("*/*/run.json")}
    orphans = [f.name for f in SHIPPED.glob("*.json") if not set(json.loads(f.read_text())["weights"]) <= hashes]
    assert not orphans
