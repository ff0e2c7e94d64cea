"""Where do the three learners of the toy flow, from every start, and what do they pay and gain there?

Plain functions of `engine.studies.toy.Toy`: the toy is its own world and needs no trained run.
"""

from dataclasses import dataclass

import numpy as np

from engine.studies.toy import LEARNERS, UPDATES, Toy

SETTLED = 1e-9  # a pair of visits that moves no start further than this has arrived


@dataclass(frozen=True)
class Flow:
    """The three learners from the same starts.

    Attributes:
        visits: pairs of visits (task 1, then task 2) after which x was noted, from 0, (v,).
        paths: x of every start at those, by learner, (v, starts).
        fixed: the fixed point in closed form by learner; None on the plateau, where there is none.
        settled: whether every start had arrived at the last note.
    """

    visits: np.ndarray
    paths: dict[str, np.ndarray]
    fixed: dict[str, float | None]
    settled: bool

    def ends(self, learner: str) -> list[tuple[float, float]]:
        """Where the starts end: (x, share of the starts) of each place, ascending; places a hundredth apart are one."""
        places, counts = np.unique(self.paths[learner][-1].round(2) + 0.0, return_counts=True)
        return [(float(x), float(n / counts.sum())) for x, n in zip(places, counts, strict=True)]


def flow(toy: Toy, starts: np.ndarray, pairs: int = UPDATES // 2) -> Flow:
    """Lets every learner take up to `pairs` pairs of visits, and notes x at ever fewer of them."""
    noted = np.unique(np.geomspace(1, pairs, 40).round().astype(int))
    w = np.stack([toy.weights(learner) for learner in LEARNERS], axis=1)[..., None]  # (T + 1, learners, 1)
    x = np.repeat(np.asarray(starts, float)[None], len(LEARNERS), axis=0)  # (learners, starts)
    visits, path, settled = [0], [x], False
    for pair in range(1, pairs + 1):
        before, x = x, toy.outer_step(2, toy.outer_step(1, x, w), w)
        settled = bool(np.abs(x - before).max() <= SETTLED)
        if pair in noted or settled:
            visits.append(pair)
            path.append(x)
        if settled:
            break
    stacked = np.stack(path, axis=1)  # (learners, v, starts)
    fixed = {learner: None if toy.plateau else toy.fixed_point(learner) for learner in LEARNERS}
    return Flow(np.array(visits), dict(zip(LEARNERS, stacked, strict=True)), fixed, settled)
