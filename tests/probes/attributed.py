"""What attributions are asked of in tests: four points, and untrained learners in float64."""

from dataclasses import replace

import numpy as np

from engine.networks import MLP
from engine.runs.ensembles import Ensemble
from engine.trees import tree_map
from tests.probes.questions.test_diversity import ensemble

POINTS = np.array([[-3.0, 1.0], [-1.0, -0.5], [0.5, 2.0], [2.5, 0.7]])
SMALL = {"maml": {"network": MLP((8, 8)), "steps": 3, "inner_lr": 0.05}}


def double(name: str, **settings: object) -> Ensemble:
    """Two untrained seeds in float64."""
    found = ensemble(name, **{**SMALL.get(name, {}), **settings})
    runs = tuple(replace(run, params=tree_map(lambda leaf: leaf.double(), run.params)) for run in found.runs)
    return Ensemble(runs)
