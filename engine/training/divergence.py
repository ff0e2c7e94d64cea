"""When a training has diverged, and what to change then.

What is looked at is a seed's validations and how many of its updates were skipped. It has *diverged* if

    skipped   more than half of its updates were skipped, because their meta-gradient was not finite;
    never     no validation left a single task that did not diverge (as `engine.evaluation` has it);
    worse     at its end more than half of the validation tasks diverge, and no validation was better than the untrained
              start, whose weights would be all there is.

All three are judged at its end. Before that, *skipped* is, and *never* only where not one validation task has even a
finite loss, both not before a tenth of the budget and 100 updates are done: a training with finite losses and finite
gradients is never stopped, however slow it is and however long it stays on a plateau. A seed that has diverged stays
so, whatever seeds train beside it; the training ends early once every seed has.
"""

from dataclasses import fields
from typing import NamedTuple

from torch import Tensor

from engine.learners import Learner

EARLY, AT_LEAST = 0.1, 100  # share of the budget, and updates, before which nothing is judged except at the end


class Validation(NamedTuple):
    """Every seed on the validation tasks.

    Attributes:
        error: mean query error over the tasks that did not diverge (NaN: all did), (seeds,).
        diverged: how many tasks did, (seeds,).
        finite: how many have a finite loss, (seeds,).
    """

    error: Tensor
    diverged: Tensor
    finite: Tensor


class Standing(NamedTuple):
    """One seed at a validation.

    Attributes:
        iteration, iterations: updates done, and of the whole budget.
        skipped: how many of those done were skipped.
        tasks, diverged, finite: validation tasks, how many diverged now, and how many have a finite loss now.
        best: at which update the best validation so far was; None if none left a task that did not diverge.
    """

    iteration: int
    iterations: int
    skipped: int
    tasks: int
    diverged: int
    finite: int
    best: int | None

    def verdict(self) -> str:
        """Why the training has diverged, in one sentence; "" if it has not."""
        done, end = self.iteration, self.iteration >= self.iterations
        if not done or not (end or done >= max(AT_LEAST, EARLY * self.iterations)):
            return ""
        if 2 * self.skipped > done:
            return f"{self.skipped:,} of {done:,} updates were skipped, because their meta-gradient was not finite."
        if self.best is None and (end or not self.finite):
            return f"In every validation up to update {done:,}, all {self.tasks:,} tasks diverged."
        if end and self.best == 0 and 2 * self.diverged > self.tasks:
            return (
                f"After the last update {self.diverged:,} of {self.tasks:,} validation tasks diverge; no validation "
                "was better than before the first one."
            )
        return ""


def advice(learner: Learner) -> str:
    """What to change, in one sentence, of what this learner and its training have."""
    has = {field.name for field in fields(learner)}
    lower = [name for name in ("inner_lr", "training.lr") if name in has or "." in name]
    limit = [name for name in ("inner_clip", "training.clip") if name in has or "." in name]
    return f"Lower {' or '.join(lower)}, or set {' or '.join(limit)}."
