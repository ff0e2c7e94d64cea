"""Runs that differ only in their seed, stacked so that all of them adapt at once."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from engine.errors import BadInput, EngineError, quoted
from engine.learners import LEARNERS, Learner, Params, Trajectory
from engine.runs.groups import Group, differing, groups, largest
from engine.runs.inputs import checked_inputs, checked_steps, checked_support, whole
from engine.runs.listing import find
from engine.runs.run import TRAINED, Run, load
from engine.tasks import TaskDistribution
from engine.trees import repeat, stack

MOST_SAID = 3  # parameters, runs or trainings that sentences name


@dataclass(frozen=True)
class Ensemble:
    """Several seeds of one training.

    Attributes:
        runs: equal in everything but the seed; at least one.
    """

    runs: tuple[Run, ...]

    def __post_init__(self) -> None:
        first = self.runs[0]
        for run in self.runs[1:]:
            if run.learner != first.learner or run.distribution != first.distribution:
                raise BadInput(f"{run.path} and {first.path} differ in more than their seed.")

    @property
    def learner(self) -> Learner:
        """The learner that all runs share."""
        return self.runs[0].learner

    @property
    def distribution(self) -> TaskDistribution:
        """The task distribution that all runs were trained on."""
        return self.runs[0].distribution

    @cached_property
    def params(self) -> Params:
        """The meta-parameters with a leading axis of seeds."""
        return stack([run.params for run in self.runs])

    @cached_property
    def saved(self) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
        """The folders and the hashes of the weights, by which others find them; None if they were never saved."""
        hashes = [run.record.get("weights_sha256") for run in self.runs]
        folders = tuple(str(run.path.absolute()) for run in self.runs)
        return None if None in hashes else (folders, tuple(str(each) for each in hashes))

    def adapt(self, support_x: Any, support_y: Any, steps: int | None = None) -> Trajectory:
        """All seeds adapt to one support set (K, *input_shape), (K, output_dim); states have a leading axis of seeds.

        Raises:
            BadInput: a shape is wrong, a value is not finite, or the steps are not 0, 1, 2, ...
        """
        x, y = checked_support(self.distribution.spec, support_x, support_y, self.runs[0].device)
        with torch.no_grad():
            return self.learner.adapt(self.params, x, y, checked_steps(steps))

    def predict(self, trajectory: Trajectory, query_x: Any, steps: list[int]) -> Tensor:
        """Predictions after each of the given steps: (len(steps), seeds, Q, output_dim). Later steps repeat the last.

        Raises:
            BadInput: a shape is wrong, a value is not finite, or a step is not 0, 1, 2, ...
        """
        x = checked_inputs(self.distribution.spec, "query_x", query_x, self.runs[0].device)
        reached, places = _reached(trajectory, steps)
        with torch.no_grad():
            return self.learner.predict(self.params, stack([trajectory[step] for step in reached]), x)[places]

    def predict_each(
        self, support_x: Any, support_y: Any, queries: Sequence[tuple[Any, Sequence[int]]]
    ) -> list[Tensor]:
        """All seeds adapt to several support sets of one size at once, and predict.

        Costs less than one set after the other, because most of the time goes into the number of operations. Numbers
        are those of `adapt` and `predict` up to rounding; of a single set, exactly those.

        Args:
            support_x: (sets, K, *input_shape).
            support_y: (sets, K, output_dim), or class indices (sets, K).
            queries: inputs (sets, Q, *input_shape) with the steps after which to predict; later steps repeat the last.

        Returns:
            For each of the queries (sets, len(steps), seeds, Q, output_dim).

        Raises:
            BadInput: a shape is wrong, a value is not finite, or a step is not 0, 1, 2, ...
        """
        spec, device = self.distribution.spec, self.runs[0].device
        support = [checked_support(spec, x, y, device) for x, y in zip(support_x, support_y, strict=True)]
        asked = [[checked_inputs(spec, "query_x", one, device) for one in inputs] for inputs, _ in queries]

        seeds, sets = len(self.runs), len(support)
        x, y = (torch.stack(each).repeat_interleave(seeds, 0) for each in zip(*support, strict=True))
        params = repeat(self.params, sets)  # every set has a stack of seeds of its own
        found = []
        with torch.inference_mode():  # nothing is kept that could be differentiated later
            trajectory = self.learner.adapt(params, x, y)
            for inputs, (_, steps) in zip(asked, queries, strict=True):
                reached, places = _reached(trajectory, steps)
                states = stack([trajectory[step] for step in reached])
                said = self.learner.predict(params, states, torch.stack(inputs).repeat_interleave(seeds, 0))[places]
                found.append(said.unflatten(1, (sets, seeds)).transpose(0, 1))
        return found


def _reached(trajectory: Sequence[Any], steps: Sequence[int]) -> tuple[list[int], list[int]]:
    """The steps that a trajectory has among the given ones, and the place of each given one in them."""
    asked, last = [whole("each of the steps", step) for step in steps], len(trajectory) - 1
    if min(asked, default=-1) < 0:
        raise BadInput(f"Predictions are made after 0 steps or more, at least once; {quoted(list(steps))} was given.")
    reached = sorted({min(step, last) for step in asked})
    return reached, [reached.index(min(step, last)) for step in asked]


def find_ensembles(
    root: Path, task: str, shots: int, among: Callable[[dict[str, Any]], bool] = lambda record: True
) -> tuple[list[Ensemble], list[str]]:
    """The finished trainings below `root` on a task at a number of shots, one ensemble per learner.

    Of a learner that was trained in several ways, the one with most seeds is returned (`engine.runs.groups`).

    Args:
        root: the folder that is searched.
        task: name of the task.
        shots: support points in training.
        among: which records count; all unless given.

    Returns:
        The ensembles; and one sentence for each run that could not be opened, and for what is left out.
    """
    finished = (
        (path, record)
        for path, record in find(root)
        if record.get("status") in TRAINED and record["task"] == task and record.get("shots") == shots and among(record)
    )
    every = groups(finished)
    found, complaints = [], []
    for group in largest(every):
        runs = []
        for path in group.paths:
            try:
                runs.append(load(path))
            except EngineError as error:
                complaints.append(str(error))
        try:
            found += [Ensemble(tuple(runs))] if runs else []
        except EngineError as error:  # a record that says the same in a way that nobody foresaw
            complaints.append(str(error))
        complaints += left_out(group, [one for one in every if one.learner == group.learner and one is not group])
    return found, complaints


def left_out(shown: Group, others: Sequence[Group]) -> list[str]:
    """What pages do not show of a learner, and why: its other trainings, and second runs of a seed."""
    name, said = LEARNERS[shown.learner].title if shown.learner in LEARNERS else shown.learner, []
    for other in others[:MOST_SAID]:
        many, number = len(other.paths) > 1, len(shown.paths)
        said.append(
            f"{name}: {len(other.paths)} run{'s' * many} ({_few(path.name for path in other.paths)}) with "
            f"{_few(differing(other, shown))} {'are' if many else 'is'} not shown beside the {number} with "
            f"{_few(differing(shown, other))}."
        )
    if len(others) > MOST_SAID:
        said.append(f"{name}: {len(others) - MOST_SAID} more trainings are not shown either.")
    if shown.repeated:
        pairs = (f"{path.name} repeats {stands.name}" for path, stands in shown.repeated)
        said.append(f"{name}: equal weights or seeds count once; {_few(pairs)}.")
    return said


def _few(names: Iterable[str]) -> str:
    """The first few of several names, and how many more there are."""
    every = list(names)
    more = f" and {len(every) - MOST_SAID} more" if len(every) > MOST_SAID else ""
    return f"{', '.join(every[:MOST_SAID])}{more}"
