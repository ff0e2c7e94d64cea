"""How runs score on every single test task, kept beside them: a table of many learners is not measured again each time.

An answer is found by what was asked: the hash of the weights, the learner with its hyper-parameters, and the tasks.
Others have another name, so that an answer is never taken for what it does not belong to.
"""

import contextlib
import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.configure import plain_values
from engine.errors import BadInput, BadRun
from engine.evaluation import final_scores, held_out_lazily, knowing_nothing
from engine.learners import Learner, Params
from engine.runs.files import write_atomically
from engine.tasks import TaskDistribution

FOLDER = "measured"  # in the folder of a collection
MOST_BYTES = 5_000_000


@dataclass(frozen=True)
class Right:
    """What one set of weights says about N tasks of classes, after its last inner step.

    Attributes:
        share: of the queries, which are right, (N,).
        away: which tasks diverged, (N,).
    """

    share: np.ndarray
    away: np.ndarray


class Kept:
    """Answers below one folder.

    Args:
        folder: theirs.
        device: where to compute what is not there yet.
        ask: compute what is not there yet.
        again: compute everything anew.
    """

    def __init__(self, folder: Path, device: str = "cpu", *, ask: bool = True, again: bool = False):
        self.folder, self.device, self.ask, self.again = folder, device, ask, again
        self.asked: list[str] = []  # the names of what was computed

    def of(
        self, learner: Learner, params: Params, weights: str, distribution: TaskDistribution, tasks: int
    ) -> Right | str:
        """The answer, kept or computed; if neither can be, a sentence that says why.

        Args:
            learner: with its hyper-parameters.
            params: its meta-parameters.
            weights: what tells them from others: their hash.
            distribution: of tasks of classes.
            tasks: how many.
        """
        values = json.loads(json.dumps([plain_values(learner), asdict(distribution)]))
        question = {"weights": weights, "learner": learner.name, "hyper_parameters": values[0]}
        question |= {"task": distribution.name, "task_parameters": values[1], "tasks": tasks}
        digest = hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()
        name = f"{learner.name}-k{distribution.shots}-{distribution.name}-{digest[:16]}"
        file = self.folder / f"{name}.json"
        if not self.again and (found := _read(file, question)):
            return found
        if not self.ask:
            return getattr(distribution, "needs", "") or "It has not been measured."
        try:
            drawn = held_out_lazily(distribution, tasks)
        except BadInput as error:  # the images are not on this machine
            return str(error)
        scores = final_scores(learner, params, drawn, self.device)
        if scores.accuracies is None:
            raise BadRun(f"{learner.name} on {distribution.name}: its targets are numbers, not classes.")
        right = Right(scores.headline[:, -1].double().numpy(), scores.diverged(knowing_nothing(distribution, drawn)))
        self.asked.append(name)
        queries = drawn.query_y.shape[-1]
        content: dict[str, Any] = {**question, "queries": queries}
        content |= {"right": np.rint(right.share * queries).astype(int).tolist()}
        content |= {"diverged": np.flatnonzero(right.away).tolist()}
        with contextlib.suppress(OSError):  # of a folder that cannot be written nothing is kept
            write_atomically(file, json.dumps(content, separators=(",", ":")).encode() + b"\n")
        return _right(content)


def _read(file: Path, question: dict[str, Any]) -> Right | None:
    """What a file says to a question; None where there is none, or one that is not sound."""
    try:
        if file.stat().st_size > MOST_BYTES:
            return None
        found = json.loads(file.read_bytes())
        return _right(found) if {key: found[key] for key in question} == question else None
    except (OSError, ValueError, KeyError, TypeError, IndexError, RecursionError):
        return None


def _right(content: dict[str, Any]) -> Right:
    share = np.array(content["right"], float) / content["queries"]
    away = np.zeros(len(share), bool)
    away[content["diverged"]] = True
    return Right(share, away)
