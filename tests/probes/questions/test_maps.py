"""Maps: distances that mean what they say, points that are what they are called, and a cap that is kept."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.errors import BadInput
from engine.runs.ensembles import Ensemble
from engine.tasks import GaussianClasses, stream
from engine.trees import leaves, tree_map
from probes import asking
from probes.questions import maps
from probes.questions.similarity import debiased_cka
from probes.tools.representations import tasks_of
from tests.probes.questions.test_diversity import ensemble
from tests.probes.tools.test_scoring import ensemble as classes

ROOT = Path(__file__).resolve().parents[3]
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def pair():
    return [ensemble("maml", steps=2, test_steps=3), ensemble("lstm")]


def test_the_squared_distance_of_two_fingerprints_is_two_less_twice_their_cka():
    f, g = RNG.normal(size=(12, 5)), RNG.normal(size=(12, 9))
    a, b = maps.fingerprint(f), maps.fingerprint(g)
    assert np.square(a - b).sum() == pytest.approx(2 - 2 * debiased_cka(f, g), abs=1e-10)
    assert np.square(a).sum() == pytest.approx(1)


def test_every_point_is_the_learner_task_and_step_it_is_called(pair):
    found = asking.ask("maps", pair, {"tasks": 6, "places": 7, "space": "predictions"})
    assert found.learners == ["maml", "lstm"]
    assert found.total == len(found.xy) == 2 * 6 * (3 + 4)  # steps 0, 1, 3 and 0, 1, 2, 4
    tasks, parameters = tasks_of(pair[0].distribution, 6)
    for row in range(0, found.total, 5):
        run = next(r for r in pair[found.learner[row]].runs if r.seed == found.seed[row])
        task = found.task[row]
        trajectory = run.adapt(tasks.support_x[task], tasks.support_y[task])
        said = run.predict(trajectory, found.places[:, None], int(found.step[row]))[:, 0].double().numpy()
        assert found.said[row] == pytest.approx(said, abs=1e-4)
        assert found.share[row] == pytest.approx(found.step[row] / (len(trajectory) - 1))
        wave = parameters["amplitude"][task] * np.sin(found.places + parameters["phase"][task])
        assert found.error[row] == pytest.approx(np.square(said - wave).mean(), rel=1e-3)
    assert np.array_equal(found.amplitude, parameters["amplitude"])


def test_pca_of_predictions_keeps_the_distances_that_it_can(pair):
    found = asking.ask("maps", pair, {"tasks": 6, "places": 7, "space": "predictions"})
    centred = found.said - found.said.mean(0)
    s = np.linalg.svd(centred, compute_uv=False)
    assert np.square(found.xy).sum(0) == pytest.approx(np.square(s[:2]), rel=1e-6)
    assert found.explained == pytest.approx(np.square(s[:2]) / np.square(s).sum(), rel=1e-6)


def test_features_that_do_not_adapt_stay_where_they_are():
    found = asking.ask("maps", [ensemble("finetuning", test_steps=4), ensemble("maml", steps=2)], {"tasks": 5})
    still = found.xy[(found.learner == 0) & (found.seed == 0)]
    assert np.ptp(still, axis=0) == pytest.approx([0, 0], abs=1e-6)
    assert np.ptp(found.xy[(found.learner == 1) & (found.seed == 0)], axis=0).min() > 1e-3


@pytest.mark.parametrize("space", ["features", "predictions"])
def test_what_never_changes_has_no_map(space: str):
    still = ensemble("lstm")
    for leaf in leaves(still.params):
        leaf.zero_()
    with pytest.raises(BadInput, match=r"the same on every task and at every step: it has no map\.$"):
        asking.ask("maps", [still], {"tasks": 6, "places": 7, "space": space})


def test_at_most_so_many_points_of_whole_tasks(pair, monkeypatch):
    monkeypatch.setattr(maps, "CAP", 50)
    found = asking.ask("maps", pair, {"tasks": 9, "places": 6})
    assert found.total == 9 * 14
    assert len(found.xy) == 3 * 14, "three whole tasks fit"
    assert len(np.unique(found.task)) == 3
    other = asking.ask("maps", pair, {"tasks": 9, "places": 6, "seed": 1})
    assert set(other.task) != set(found.task)
    monkeypatch.setattr(maps, "CAP", 13)
    with pytest.raises(BadInput, match="Choose fewer"):
        asking.ask("maps", pair, {"tasks": 9, "places": 6})


@pytest.mark.parametrize(("last", "expected"), [(0, (0,)), (1, (0, 1)), (2, (0, 1, 2)), (10, (0, 1, 5, 10))])
def test_steps_shown(last: int, expected: tuple[int, ...]):
    assert maps.stops(last) == expected


def test_umap_is_imported_only_when_asked_for():
    code = (
        "import sys, numpy as np; from probes.questions import maps; maps.reduced(np.eye(9), maps.Config());"
        " print('umap' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.filterwarnings("ignore::ImportWarning", "ignore::DeprecationWarning")
def test_umap_is_the_same_for_the_same_seed_and_keeps_neighbours(pair):
    config = {"tasks": 8, "places": 8, "space": "predictions", "method": "umap", "neighbours": 8}
    first, again = (asking.ask("maps", pair, config) for _ in range(2))
    assert np.array_equal(first.xy, again.xy)
    assert first.explained.shape == (0,)
    shuffled = np.random.default_rng(0).permutation(len(first.xy))

    def stays_near(xy: np.ndarray) -> float:
        """How many of the 5 nearest by prediction are among the 20 nearest of the map."""
        near = np.argsort(np.linalg.norm(first.said[:, None] - first.said, axis=-1), 1)[:, 1:6]
        close = np.argsort(np.linalg.norm(xy[:, None] - xy, axis=-1), 1)[:, 1:21]
        return float(np.mean([np.isin(a, b).mean() for a, b in zip(near, close, strict=True)]))

    assert stays_near(first.xy) > 0.7
    assert stays_near(first.xy[shuffled]) < 0.5


def test_classes_are_mapped_by_what_is_seen_with_their_accuracy():
    wide = classes("maml", GaussianClasses(shots=2, queries=3), network={"widths": [6]}, steps=2, test_steps=2)
    made = Ensemble(tuple(replace(run, params=tree_map(torch.Tensor.float, run.params)) for run in wide.runs))
    found = asking.ask("maps", [made], {"tasks": 5, "places": 6})
    assert (found.total, found.places.size, found.amplitude.size, found.said.shape) == (2 * 5 * 3, 0, 0, (30, 0))
    drawn = made.distribution.sample(stream("test"), 5)
    for row in range(0, 30, 4):
        run = next(r for r in made.runs if r.seed == found.seed[row])
        task = found.task[row]
        state = run.learner.adapt(run.params, drawn.support_x[task], drawn.support_y[task])[found.step[row]]
        right = run.learner.predict(run.params, state, drawn.query_x[task]).argmax(-1) == drawn.query_y[task]
        assert found.error[row] == pytest.approx(1 - float(right.double().mean()))
    with pytest.raises(BadInput, match="a class means something within one task only"):
        asking.ask("maps", [made], {"tasks": 5, "places": 6, "space": "predictions"})
