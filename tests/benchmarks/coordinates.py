"""What one meta-step of a learned optimiser takes on a large network: peak memory and time, in chunks and at once.

    python tests/benchmarks/coordinates.py [--width 315] [--tasks 1] [--steps 5]

A perceptron 1-w-w-1 has w^2 + 4 w + 1 coordinates. Each case runs in a process of its own, with one thread; "bound" is
what a training states before it starts, without what any process holds.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

LEARNERS = ("turtle", "turtle-first-order", "meta-lstm", "meta-lstm-enhanced")


def measured(name: str, width: int, tasks: int, steps: int, whole: bool) -> tuple[int, float, int]:
    """Peak bytes beyond those before, seconds, and the stated bound, of one meta-step in this process."""
    import torch

    from engine.execution.gradients import meta_gradient
    from engine.learners import coordinates, make
    from engine.networks import MLP
    from engine.processes import peak_memory
    from engine.tasks import Sine, stream
    from engine.training.memory import bytes_of_task
    from engine.trees import stack

    torch.set_num_threads(1)
    if whole:
        coordinates.CHUNK = sys.maxsize
    learner, distribution = make(name, network=MLP((width, width)), steps=steps), Sine(shots=5, queries=10)
    params = stack([learner.init(stream("init"), distribution.spec)])
    batch = stack([distribution.sample(stream("page"), tasks)])
    small = make(name, network=MLP((2,)), steps=1)  # what a first call loads is not counted
    meta_gradient(small)(stack([small.init(stream("init"), distribution.spec)]), batch)
    before, began = peak_memory(), time.perf_counter()
    meta_gradient(learner)(params, batch)
    return peak_memory() - before, time.perf_counter() - began, tasks * bytes_of_task(learner, distribution)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for option, default in (("width", 315), ("tasks", 1), ("steps", 5)):
        parser.add_argument(f"--{option}", type=int, default=default)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    sizes = given.width, given.tasks, given.steps
    if given.one:
        print(*measured(given.one[0], *sizes, given.one[1] == "whole"))
        sys.exit()
    print(f"{given.width**2 + 4 * given.width + 1:,} coordinates, {given.tasks} tasks, {given.steps} steps")
    for name in LEARNERS:
        for way in ("whole", "chunks"):
            options = [f"--{key}={value}" for key, value in zip(("width", "tasks", "steps"), sizes, strict=True)]
            command = [sys.executable, __file__, *options, "--one", name, way]
            found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
            print(f"{name:20} {way:7} {int(found[0]) / 1e6:8,.0f} MB {float(found[1]):6.1f} s", end="")
            print(f"   bound {int(found[2]) / 1e6:,.0f} MB" if way == "chunks" else "")
