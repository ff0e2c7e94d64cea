"""`python -m tests.unmoved`: which runs predict other bits than when they were stored, and how far off."""

import sys

import torch

from tests.unmoved import distance, learner_of, machine, predictions, store, stored

if __name__ == "__main__":
    torch.set_num_threads(1)
    if "--store" in sys.argv:
        store()
    then, where = stored()
    moved: dict[str, tuple[float, int, int]] = {}  # of each learner: the largest distance, runs that moved, runs
    for name, values in then.items():
        learner, far = learner_of(name), distance(predictions(name), values)
        most, others, runs = moved.get(learner, (0.0, 0, 0))
        moved[learner] = max(most, far), others + (far > 0), runs + 1
    print(f"stored on {where}" + ("" if where == machine() else f"; this is {machine()}"))
    for learner, (most, others, runs) in sorted(moved.items()):
        print(f"{learner:24} {'the same bits' if not others else f'{others} of {runs} moved, {most:.1e} at most'}")
