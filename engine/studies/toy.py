r"""The toy of chapter 4: two tasks, one number to learn, and three learners that are one rule (arXiv 2310.06148).

One parameter x, and two losses that are visited in turn, task 1 first (Huisman, Plaat & van Rijn 2023):

    L_1(x) = 1.3 (x - 5)^2
    L_2(x) = (x - 100)^2                                                     scenario 1
    L_2(x) = (x - 100)^2 if x > 50, else 2500 + 5 (50 - x)                   scenario 2: a plateau

From x_0 = x, T inner steps x_{t+1} = x_t - alpha L'(x_t) look ahead. Then all three learners take the same outer step,

    x <- x - eta sum over t = 0 ... T of w_t L'(x_t)

    finetuning  w = (1, 0, ..., 0)          the loss where one stands
    FOMAML      w = (0, ..., 0, 1)          the loss after T steps, first order
    Reptile     w = alpha (1, ..., 1, 0)    x <- x + eta (x_T - x): the start and every step before the last

Nothing is random: 100 starts equally spaced on [-200, 200], 15,000 outer steps, all rates 0.1.
"""

from dataclasses import dataclass

import numpy as np

from engine.errors import BadInput, UnknownName

LEARNERS = ("finetuning", "fomaml", "reptile")
STARTS = np.linspace(-200.0, 200.0, 100)
UPDATES = 15_000
CURVATURES, MINIMA = np.array([1.3, 1.0]), np.array([5.0, 100.0])
EDGE, SLOPE = 50.0, 5.0  # of the plateau


@dataclass(frozen=True)
class Toy:
    """One scenario.

    Attributes:
        plateau: whether task 2 is nearly flat left of x = 50 (scenario 2).
        steps: inner steps T.
        inner_lr, outer_lr: alpha and eta.
    """

    plateau: bool = False
    steps: int = 5
    inner_lr: float = 0.1
    outer_lr: float = 0.1

    def loss(self, task: int, x: np.ndarray) -> np.ndarray:
        """The loss of task 1 or 2, entry by entry."""
        value = CURVATURES[task - 1] * (x - MINIMA[task - 1]) ** 2
        if task == 2 and self.plateau:
            return np.where(x > EDGE, value, (MINIMA[1] - EDGE) ** 2 + SLOPE * (EDGE - x))
        return value

    def gradient(self, task: int, x: np.ndarray) -> np.ndarray:
        """Its derivative."""
        slope = 2 * CURVATURES[task - 1] * (x - MINIMA[task - 1])
        return np.where(x > EDGE, slope, -SLOPE) if task == 2 and self.plateau else slope

    def weights(self, learner: str) -> np.ndarray:
        """The weights w_0 ... w_T of a learner in the one outer step, (T + 1,)."""
        if learner not in LEARNERS:
            raise UnknownName("learner in the toy", learner, list(LEARNERS))
        w = np.zeros(self.steps + 1)
        if learner == "reptile":
            w[:-1] = self.inner_lr
        else:
            w[{"finetuning": 0, "fomaml": -1}[learner]] = 1.0
        return w

    def adapted(self, task: int, x: np.ndarray) -> np.ndarray:
        """x_T, after T inner steps on one task."""
        for _ in range(self.steps):
            x = x - self.inner_lr * self.gradient(task, x)
        return x

    def outer_step(self, task: int, x: np.ndarray, w: np.ndarray) -> np.ndarray:
        """The one rule; x is any shape, w (T + 1, ...) broadcasts with it step by step."""
        ahead, total = x, np.zeros_like(x)
        for t in range(self.steps + 1):
            slope = self.gradient(task, ahead)
            total = total + w[t] * slope
            ahead = ahead - self.inner_lr * slope
        return x - self.outer_lr * total

    def converge(self, starts: np.ndarray = STARTS, updates: int = UPDATES) -> dict[str, np.ndarray]:
        """Where each learner ends from each start, after `updates` outer steps in all: {learner: like starts}."""
        w = np.stack([self.weights(learner) for learner in LEARNERS], axis=1)[..., None]  # (T + 1, learners, 1)
        x = np.repeat(starts[None].astype(np.float64), len(LEARNERS), axis=0)  # (learners, starts)
        for _ in range(updates // 2):
            before, x = x, self.outer_step(2, self.outer_step(1, x, w), w)
            if np.array_equal(before, x):
                break  # a fixed point of both visits: every further one would change nothing
        return dict(zip(LEARNERS, x, strict=True))

    def fixed_point(self, learner: str) -> float:
        """Where a learner ends after many updates, read after task 2, in closed form.

        On a quadratic, a visit to task i pulls x by a share of its distance to the minimum, with r_i = 1 - 2 alpha c_i:
        sum over t of w_t 2 eta c_i r_i^t. The end depends on the order of the visits.

        Raises:
            BadInput: with the plateau, there is no closed form.
        """
        if self.plateau:
            raise BadInput("The closed form is that of two quadratics; with the plateau, simulate.")
        t = np.arange(self.steps + 1)[:, None]
        r = 1 - 2 * self.inner_lr * CURVATURES
        a, b = (2 * self.outer_lr * CURVATURES * (self.weights(learner)[:, None] * r**t)).sum(0)
        return float(((1 - b) * a * MINIMA[0] + b * MINIMA[1]) / (1 - (1 - a) * (1 - b)))

    def direct_loss(self, x: np.ndarray) -> np.ndarray:
        """The mean of both losses at x."""
        return (self.loss(1, x) + self.loss(2, x)) / 2

    def loss_after_adaptation(self, x: np.ndarray) -> np.ndarray:
        """The mean of both losses, each after T inner steps on its own task."""
        return (self.loss(1, self.adapted(1, x)) + self.loss(2, self.adapted(2, x))) / 2
