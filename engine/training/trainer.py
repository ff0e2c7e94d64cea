"""The one meta-training loop, for every learner, task and seed.

Several seeds train at once as one batch: their parameters are stacked, each has its own initialisation and its own
stream of tasks, and nothing crosses between them (gradients are clipped seed by seed).
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.optim.adam import adam

from engine.evaluation import diverged, final_errors, knowing_nothing
from engine.execution.capture import Captured
from engine.execution.gradients import flat_meta_gradient
from engine.learners import Learner, Params
from engine.runs.budget import Training
from engine.tasks import NoisyTask, Pooled, Task, TaskDistribution, rows_of, stream
from engine.training.divergence import Standing, Validation
from engine.trees import Layout, count, stack, tree_map

CLASSIFIER = "classifier"  # the group of parameters that only a training on all classes at once has
BLOCK = 50  # iterations whose tasks are drawn at once, from the stream with that block's index
LOGGED = 100  # rows of a history, besides the validations


@dataclass(frozen=True)
class Progress:
    """An event of a training: one number per seed.

    `loss` is of the last update, NaN before the first. `validation` is None between validations, else the mean error
    over the tasks that did not diverge (NaN if all did), and `diverged` how many did; `best` is the error of the best
    validation so far, infinite as long as all tasks of all of them diverged. `lost`: how many seeds have diverged.
    `logged`: whether it belongs into the history, which depends on the iteration alone.
    """

    iteration: int
    iterations: int
    loss: list[float]
    validation: list[float] | None
    diverged: list[int] | None
    best: list[float]
    tasks_per_s: float
    seconds: float
    eta_s: float
    lost: int = 0
    logged: bool = False


class Trainer:
    """A training of one learner with several seeds, from any iteration to any other.

    Args:
        learner, distribution, training: what, on what, how. One distribution for all seeds, or one for each.
        seeds: one stack of parameters each.
        device: where to train.
        compiled: use torch.compile.
    """

    def __init__(
        self,
        learner: Learner,
        distribution: TaskDistribution | tuple[TaskDistribution, ...],
        training: Training,
        seeds: tuple[int, ...],
        *,
        device: str = "cpu",
        compiled: bool = False,
    ):
        self.learner, self.training, self.seeds, self.device = learner, training, seeds, device
        self.distributions = distribution if isinstance(distribution, tuple) else (distribution,) * len(seeds)
        self._flat = [d.flat() if learner.flat else None for d in self.distributions]
        inits = [self._init(index) for index in range(len(seeds))]
        groups = sorted(inits[0], key=lambda key: key in learner.running)  # running averages come last
        drawn: Params = stack([{key: init[key] for key in groups} for init in inits])
        self._layout = Layout(drawn)
        self._optimised = count({key: drawn[key] for key in groups if key not in learner.running}) // len(seeds)
        self.flat = self._layout.pack(drawn).to(device)  # (seeds, N)
        self.params: Params = self._layout.unpack(self.flat)  # views
        self.best: Params = tree_map(torch.clone, self.params)
        self.best_error = torch.full((len(seeds),), math.inf, dtype=torch.float64)
        self.best_diverged = torch.full((len(seeds),), training.validation_tasks)
        self.best_iteration = [0] * len(seeds)
        self.lost = [""] * len(seeds)  # why a seed has diverged
        self.iteration, self._seen = 0, -1  # what was reported last
        self.loss = torch.full((len(seeds),), math.nan)  # of the last update
        self.skipped = torch.zeros(len(seeds), dtype=torch.int64)
        self.seconds = 0.0
        self.optimiser = self._make_optimiser()
        gradient = flat_meta_gradient(learner, self._layout, compiled=compiled)
        self._gradient = (
            gradient if compiled and device == "cpu" else Captured.on(device, gradient, calls=training.iterations)
        )
        self._block: tuple[int, Callable[[int], Task | NoisyTask]] | None = None
        self._validation: dict[TaskDistribution, tuple[Task | Pooled, float]] = {}

    def _init(self, index: int) -> Params:
        drawn, flat = stream("init", self.seeds[index]), self._flat[index]
        params = self.learner.init(drawn, self.distributions[index].spec)
        return params if flat is None else {**params, CLASSIFIER: self.learner.classifier(drawn, flat.spec)}

    def _make_optimiser(self) -> torch.optim.Optimizer:
        optimised = [self.flat[:, : self._optimised]]
        if self.training.optimiser == "adam":
            whole = optimised[0].is_contiguous()  # the fused kernel wants that; it takes half the time of the other
            return torch.optim.Adam(optimised, lr=self.training.lr, fused=whole, foreach=not whole)
        return torch.optim.SGD(optimised, lr=self.training.lr)

    def tasks(self, iteration: int) -> Task | NoisyTask:
        """The tasks of one iteration, axes (seeds, meta_batch): a function of the seeds and the iteration alone."""
        index, offset = divmod(iteration, BLOCK)
        batch = self.training.meta_batch
        if self._block is None or self._block[0] != index:
            per_seed = [self._draw(member, index, BLOCK * batch) for member in range(len(self.seeds))]
            self._block = (index, self._by_iteration(per_seed))
        return self._block[1](offset)

    def _by_iteration(self, per_seed: list[Task | NoisyTask | Pooled]) -> Callable[[int], Task | NoisyTask]:
        """The tasks of a block by iteration; inputs that are indices so far are gathered iteration by iteration."""
        batch = self.training.meta_batch
        if any(isinstance(drawn, Pooled) for drawn in per_seed):

            def gathered(offset: int) -> Task | NoisyTask:
                part = slice(offset * batch, (offset + 1) * batch)
                found = stack([rows_of(drawn, part) for drawn in per_seed])
                return tree_map(lambda v: v.to(self.device), found)

            return gathered
        whole = tree_map(lambda v: v.to(self.device), stack(per_seed))
        each = zip(*(value.split(batch, dim=1) for value in whole), strict=True)
        return [type(whole)(*values) for values in each].__getitem__

    @property
    def distribution(self) -> TaskDistribution:
        """The task distribution of the first seed."""
        return self.distributions[0]

    def _draw(self, member: int, index: int, tasks: int) -> Task | NoisyTask | Pooled:
        seed, distribution = self.seeds[member], self.distributions[member]
        drawn = (self._flat[member] or distribution).lazy(stream("train", seed, index), tasks)
        if size := self.learner.noise_size(distribution.spec):
            dtype = torch.float32 if isinstance(drawn, Pooled) else drawn.support_x.dtype
            noise = torch.rand(tasks, size, generator=stream("noise", seed, index), dtype=dtype)
            return replace(drawn, noise=noise) if isinstance(drawn, Pooled) else NoisyTask(*drawn, noise)
        return drawn

    def validate(self) -> Validation:
        """Every seed on the validation tasks; the best weights so far are kept, and who has diverged is noted.

        The best have the fewest tasks that diverge, and among those the lowest mean error on the others.
        """
        each = []
        for index, distribution in enumerate(self.distributions):
            mine = tree_map(lambda p: p[index].detach(), self.params)  # noqa: B023
            tasks, nothing = self._validation_tasks(distribution)
            losses = final_errors(self.learner, mine, tasks, self.device if isinstance(tasks, Pooled) else None)
            away = torch.from_numpy(diverged(losses.double().cpu().numpy()[:, None], nothing))
            kept = losses[~away.to(losses.device)].double()
            each.append((kept.mean().cpu(), away.sum(), losses.isfinite().sum().cpu()))
        found = Validation(*map(torch.stack, zip(*each, strict=True)))
        for index, (error, away, finite) in enumerate(zip(*(values.tolist() for values in found), strict=True)):
            if (away, error) < (int(self.best_diverged[index]), float(self.best_error[index])):
                tree_map(lambda best, now: best[index].copy_(now[index].detach()), self.best, self.params)  # noqa: B023
                self.best_iteration[index] = self.iteration
                self.best_diverged[index], self.best_error[index] = away, error
            self.lost[index] = self.lost[index] or self._standing(index, away, finite).verdict()
        return found

    def _standing(self, index: int, away: int, finite: int) -> Standing:
        return Standing(
            self.iteration,
            self.training.iterations,
            int(self.skipped[index]),
            self.training.validation_tasks,
            away,
            finite,
            self.best_iteration[index] if math.isfinite(self.best_error[index]) else None,
        )

    def _validation_tasks(self, distribution: TaskDistribution) -> tuple[Task | Pooled, float]:
        """The tasks, and the loss of knowing nothing on them."""
        if distribution not in self._validation:
            drawn = distribution.lazy(stream("validation"), self.training.validation_tasks)
            nothing = knowing_nothing(distribution, drawn)
            here = drawn if isinstance(drawn, Pooled) else tree_map(lambda v: v.to(self.device), drawn)
            self._validation[distribution] = here, nothing
        return self._validation[distribution]

    @property
    def plain_updates(self) -> int:
        """How many updates come before the meta-step is recorded; 0 where it is compiled instead."""
        return self._gradient.after if isinstance(self._gradient, Captured) else 0

    def record(self, after: int = 0) -> None:
        """Records the meta-step after so many updates, if that has not been done and it is not compiled instead."""
        if isinstance(self._gradient, Captured):
            self._gradient.after = after

    def update(self) -> Tensor:
        """One meta-update of all seeds; returns the meta-losses before it, (seeds,)."""
        gradient, loss = self._meta_gradient(self.tasks(self.iteration))
        gradient, end = self._clip(gradient), self._optimised
        self._descend(gradient[:, :end])
        if end < self._layout.size:
            self.flat[:, end:] -= gradient[:, end:]  # running averages
        self.iteration += 1
        return loss

    def _descend(self, gradient: Tensor) -> None:
        """One step of the optimiser, by its kernel alone where possible: what surrounds that takes much longer."""
        (group,) = self.optimiser.param_groups
        (parameters,) = group["params"]
        group["lr"] = self.training.lr_at(self.iteration)
        state = self.optimiser.state.get(parameters)
        if not state or not group.get("fused"):
            parameters.grad = gradient
            self.optimiser.step()
            return
        first, second, step = ([state[name]] for name in ("exp_avg", "exp_avg_sq", "step"))
        beta1, beta2 = group["betas"]
        options = {key: group[key] for key in ("lr", "eps", "weight_decay", "amsgrad", "maximize", "fused", "foreach")}
        adam([parameters], [gradient], first, second, [], step, beta1=beta1, beta2=beta2, **options)

    def _meta_gradient(self, tasks: Task | NoisyTask) -> tuple[Tensor, Tensor]:
        """The mean over the tasks, chunk by chunk: gradients (seeds, N) and losses (seeds,)."""
        batch, most = self.training.meta_batch, self.training.tasks_at_once or self.training.meta_batch
        if most >= batch:
            return self._gradient(self.flat, tasks)
        gradient, loss = torch.zeros_like(self.flat), self.flat.new_zeros(len(self.seeds))
        for first in range(0, batch, most):
            chunk = tree_map(lambda v: v[:, first : first + most], tasks)  # noqa: B023
            share = min(most, batch - first) / batch
            found, error = self._gradient(self.flat, chunk)
            gradient, loss = gradient.add_(found, alpha=share), loss.add_(error, alpha=share)
        return gradient, loss

    def _clip(self, gradient: Tensor) -> Tensor:
        """Seed by seed: zero where a gradient is not finite (counted in `skipped`), at most `clip` long elsewhere.

        Running averages are replaced, not descended: they count neither for the length nor are they shortened.
        """
        end, clip = self._optimised, self.training.clip
        norm = torch.linalg.vector_norm(gradient[:, :end], dim=1)  # (seeds,)
        whole = norm if end == gradient.shape[1] else torch.linalg.vector_norm(gradient, dim=1)
        if not all(map(math.isfinite, whole.tolist())):
            fine = whole.isfinite()
            self.skipped += (~fine).cpu()
            gradient = torch.where(fine.unsqueeze(1), gradient, 0.0)
        if clip is not None:
            scale = (clip / norm.clamp_min(clip)).nan_to_num(0.0).unsqueeze(1)
            gradient = torch.cat([gradient[:, :end] * scale, gradient[:, end:]], dim=1)
        return gradient

    def run(self, until: int | None = None, report: Callable[[Progress], None] = lambda _: None) -> None:
        """Trains up to iteration `until` (the whole budget unless given), or until every seed has diverged.

        Reports every logged iteration, and others ten times a second at most; none twice.
        """
        until = self.training.iterations if until is None else until
        began, reported = time.perf_counter(), -math.inf
        every = max(1, self.training.iterations // LOGGED)
        while True:
            due = self.iteration % self.training.validate_every == 0 or self.iteration == self.training.iterations
            fresh = self.iteration != self._seen  # it is not where a run before this one stopped
            validation = self.validate() if due and fresh else None
            now, logged = time.perf_counter(), due or self.iteration % every == 0
            if fresh and (logged or now - reported > 0.1 or self.iteration >= until):
                self._seen, reported = self.iteration, now
                seconds = self.seconds + now - began
                rate = self.iteration / seconds
                report(
                    Progress(
                        self.iteration,
                        self.training.iterations,
                        self.loss.tolist(),
                        None if validation is None else validation.error.tolist(),
                        None if validation is None else validation.diverged.tolist(),
                        self.best_error.tolist(),
                        rate * self.training.meta_batch * len(self.seeds),
                        seconds,
                        (self.training.iterations - self.iteration) / rate if rate else math.nan,
                        sum(map(bool, self.lost)),
                        logged,
                    )
                )
            if self.iteration >= until or all(self.lost):
                break
            self.loss = self.update()
        self.seconds += time.perf_counter() - began

    def seed_params(self, index: int, *, now: bool = False) -> Params:
        """The best-validation weights of one seed, or those of now, without what only training needs; on the CPU."""
        params = {key: v for key, v in (self.params if now else self.best).items() if key != CLASSIFIER}
        return tree_map(lambda p: p[index].detach().cpu().clone(), params)
