"""From how many tasks on does torch.compile pay? Each learner's updates run eagerly, as a trace, and compiled.

    python tests/benchmarks/compiling.py [--learners maml sap ...] [--tasks 4] [--seeds 3] [--seconds 1] [--json]

Method: the shipped recipe of each learner on sine, 10 shots, one thread, all seeds at once, both warmed up. It tells
milliseconds of an update, the seconds until the first compiled one with an empty cache, and the tasks, of all seeds
together, from which compiling saves what it takes: `engine.execution.policy` rounds them.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SHOTS = 10


def main() -> None:
    """Measures every learner that the command line names."""
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ["TORCHINDUCTOR_FORCE_DISABLE_CACHES"] = "1"
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    import torch

    from engine.learners import LEARNERS

    able = [name for name, cls in LEARNERS.items() if cls.meta_trained and "regression" in cls.kinds]
    parser = argparse.ArgumentParser(description="Traced against compiled meta-gradients.")
    parser.add_argument("--learners", nargs="+", choices=able, default=able, metavar="NAME", help="(all)")
    parser.add_argument("--tasks", type=int, default=4, help="tasks of a seed in one update (4)")
    parser.add_argument("--seeds", type=int, default=3, help="seeds at once (3)")
    parser.add_argument("--seconds", type=float, default=1.0, help="measure each at least this long (1)")
    parser.add_argument("--json", action="store_true", help="print a list of measurements")
    args = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for name in args.learners:
        row = measure(name, args.tasks, args.seeds, args.seconds)
        rows.append(row)
        if not args.json:
            pays = "never" if row["pays_from"] is None else f"from {row['pays_from']:,} tasks on"
            print(
                f"{name:20} eager {row['eager_ms']:7.2f} ms  traced {row['traced_ms']:7.2f} ms, first after "
                f"{row['first_traced_s']:4.1f} s  compiled {row['compiled_ms']:7.2f} ms, first after "
                f"{row['first_compiled_s']:4.1f} s  pays {pays}",
                flush=True,
            )
    if args.json:
        print(json.dumps(rows, indent=1))


def measure(name: str, tasks: int, seeds: int, seconds: float) -> dict[str, Any]:
    """One learner, both ways."""
    from engine.learners import make
    from engine.runs.budget import Training
    from engine.tasks import Sine
    from engine.training import recipes
    from engine.training.trainer import Trainer

    learner = make(name, **recipes.recipe("sine", "default", name, SHOTS).hyper_parameters)
    budget, numbers = Training(meta_batch=tasks), tuple(range(seeds))
    found: dict[str, Any] = {"learner": name, "tasks": tasks, "seeds": seeds}
    for way, compiled in (("traced", False), ("compiled", True)):
        trainer = Trainer(learner, Sine(shots=SHOTS), budget, numbers, compiled=compiled)
        if not compiled:
            trainer.record(after=sys.maxsize)
            trainer.update()
            found["eager_ms"] = 1000 * per_call(trainer.update, seconds)
        trainer.record()
        began = time.perf_counter()
        trainer.update()
        found[f"first_{way}_s"] = time.perf_counter() - began
        for _ in range(3):
            trainer.update()
        found[f"{way}_ms"] = 1000 * per_call(trainer.update, seconds)
    gain = (found["traced_ms"] - found["compiled_ms"]) / 1000
    found["pays_from"] = round(found["first_compiled_s"] / gain * tasks * seeds) if gain > 0 else None
    return found


def per_call(call: Callable[[], object], seconds: float) -> float:
    """Mean seconds of a call, in so many seconds."""
    began, count = time.perf_counter(), 0
    while not count or time.perf_counter() - began < seconds:
        call()
        count += 1
    return (time.perf_counter() - began) / count


if __name__ == "__main__":
    main()
