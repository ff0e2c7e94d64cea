"""Learners: how tasks are learned. `LEARNERS` names them; a new one is one file and one line here, or a plug-in."""

from typing import Any

from engine.configure import configure
from engine.learners.centroid_finetuning import CentroidFinetuning
from engine.learners.film import FiLM
from engine.learners.finetuning import Finetuning
from engine.learners.learner import Learner, Params, State, Trajectory
from engine.learners.lstm import PooledLSTM
from engine.learners.lstm_sequential import SequentialLSTM
from engine.learners.maml import FOMAML, MAML
from engine.learners.meta_lstm import EnhancedMetaLSTM, MetaLSTM
from engine.learners.op_lstm import OPLSTM, FirstOrderOPLSTM
from engine.learners.protonet import ProtoNet
from engine.learners.reptile import Reptile
from engine.learners.sap import SAP, FirstOrderSAP
from engine.learners.scratch import Scratch
from engine.learners.t_net import MTNet, TNet
from engine.learners.turtle import FirstOrderTurtle, Turtle
from engine.learners.warp_maml import WarpMAML
from engine.registry import ClassRegistry

LEARNERS: ClassRegistry[Learner] = ClassRegistry(
    "learner",
    Learner,
    (
        Scratch,
        Finetuning,
        CentroidFinetuning,
        MAML,
        FOMAML,
        Reptile,
        MetaLSTM,
        EnhancedMetaLSTM,
        Turtle,
        FirstOrderTurtle,
        PooledLSTM,
        SequentialLSTM,
        OPLSTM,
        FirstOrderOPLSTM,
        ProtoNet,
        SAP,
        FirstOrderSAP,
        TNet,
        MTNet,
        WarpMAML,
        FiLM,
    ),
)


def learner_class(name: str) -> type[Learner]:
    """The learner registered as `name`.

    Raises:
        UnknownName: there is none.
    """
    return LEARNERS.known(name)


def make(name: str, **hyper_parameters: Any) -> Learner:
    """The learner `name` with checked hyper-parameters.

    Raises:
        UnknownName: there is no such learner.
        BadConfig: a hyper-parameter does not exist or has a value that is not allowed.
    """
    return configure(learner_class(name), hyper_parameters, f"learner {name}")


__all__ = ["LEARNERS", "Learner", "Params", "State", "Trajectory", "learner_class", "make"]
