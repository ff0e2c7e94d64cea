"""Learners: how tasks are learned. `LEARNERS` names them; a new one is one file and one line here."""

from dataclasses import fields
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from engine.errors import BadConfig, UnknownName, quoted
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

LEARNERS: dict[str, type[Learner]] = {
    cls.name: cls
    for cls in (
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
    )
}

LARGEST = 1e38  # of any number that something is configured with: networks hold 32-bit floats


def learner_class(name: str) -> type[Learner]:
    """The learner registered as `name`.

    Raises:
        UnknownName: there is none.
    """
    if name not in LEARNERS:
        raise UnknownName("learner", name, list(LEARNERS))
    return LEARNERS[name]


def make(name: str, **hyper_parameters: Any) -> Learner:
    """The learner `name` with checked hyper-parameters.

    Raises:
        UnknownName: there is no such learner.
        BadConfig: a hyper-parameter does not exist or has a value that is not allowed.
    """
    return configure(learner_class(name), hyper_parameters, f"learner {name}")


def configure(cls: type, values: dict[str, Any], owner: str) -> Any:
    """An instance of a frozen dataclass from plain values, every one checked against its field's type.

    Raises:
        BadConfig: names the parameter, what is allowed and what was given.
    """
    known = [field.name for field in fields(cls)]
    for key, value in values.items():
        if key not in known:
            raise BadConfig(f"The {owner} has no parameter {quoted(key)}; it has {', '.join(known)}.")
        if not _finite(value):
            raise BadConfig(
                f"The {owner} cannot take {key} = {quoted(value)}: every number must be finite, at most {LARGEST:g}."
            )
    try:
        return _adapter(cls).validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][:1])
        message = first["msg"].removeprefix("Value error, ")
        what = message[0].lower() + message[1:]
        if not where:  # what several parameters must satisfy together
            raise BadConfig(f"The {owner} is not possible: {what}.") from None
        raise BadConfig(f"The {owner} cannot take {where} = {quoted(values.get(where))}: {what}.") from None


@cache
def _adapter(cls: type) -> TypeAdapter[Any]:
    return TypeAdapter(cls)


def _finite(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(_finite(entry) for entry in value)
    return not isinstance(value, int | float) or abs(value) <= LARGEST  # NaN is not


__all__ = ["LEARNERS", "Learner", "Params", "State", "Trajectory", "configure", "learner_class", "make"]
