"""What every learner, network and task must satisfy: the tests that our own pass, for those of other people.

>>> from engine.checks import check_learner
>>> check_learner(MyLearner(), Sine(shots=7))  # raises CheckFailed with one sentence

`python -m engine check learner NAME` goes through all of them and says each one's outcome.
"""

from engine.checks.checking import Check, CheckFailed, outcomes
from engine.checks.learners import CHECKS as LEARNER_CHECKS
from engine.checks.learners import check_learner
from engine.checks.networks import CHECKS as NETWORK_CHECKS
from engine.checks.networks import check_network
from engine.checks.tasks import CHECKS as TASK_CHECKS
from engine.checks.tasks import check_task

__all__ = [
    "LEARNER_CHECKS",
    "NETWORK_CHECKS",
    "TASK_CHECKS",
    "Check",
    "CheckFailed",
    "check_learner",
    "check_network",
    "check_task",
    "outcomes",
]
