"""A short training with run folders, and what lies in them."""

from engine.runs.budget import Training
from engine.tasks import Sine
from engine.training import sessions
from tests.engine.conftest import short

DISTRIBUTION = Sine(shots=4, queries=6)
TRAINING = Training(iterations=12, meta_batch=2, validate_every=4, validation_tasks=5, snapshot_every=3, lr=0.01)


def train(root, until=None, seeds=(0,)):
    learner = short("maml", steps=2, test_steps=3)
    return sessions.train(learner, DISTRIBUTION, TRAINING, seeds, root, until=until)


def content(root):
    """Every file but the locks, with its bytes."""
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file() and p.name != ".lock"}
