"""The weights that an adapted state stands for."""

from engine.learners import Learner, Params, State
from engine.networks import Net


def weights_of(learner: Learner, params: Params, state: State) -> Net | None:
    """The weights of the network that a state stands for; None for a learner that adapts no network."""
    acting = learner.acting(params, state)
    return None if acting is None else acting.weights
