"""What tests of run folders share."""

from pathlib import Path

import pytest

from engine.learners import make
from engine.networks import MLP
from engine.runs.budget import Training
from engine.runs.run import describe, save
from engine.tasks import Sine, stream
from engine.training import sessions
from tests.engine.conftest import short


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run of MAML that was never trained."""
    learner = make("maml", network=MLP((5,)))
    save(tmp_path / "run", learner.init(stream("init"), Sine.spec), describe(learner, Sine(), 0))
    return tmp_path / "run"


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of MAML after six meta-updates, which no test changes."""
    root = tmp_path_factory.mktemp("runs")
    training = Training(iterations=6, meta_batch=2, validate_every=2, validation_tasks=3, lr=0.01)
    (folder,) = sessions.train(short("maml", steps=2, test_steps=3), Sine(shots=4), training, (0,), root)
    return folder
