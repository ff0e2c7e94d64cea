"""How long 70,000 sine tasks take, compilation and validation included, beside the published code's time.

    python tests/benchmarks/seventy_thousand.py [--seeds 1 5] [--learners maml sap] [--ways traced compiled] [--json]

The work of the dissertation's chapter 6, one inner step (T = 1), 5 shots, on 1-40-40-1: 17,500 meta-updates of 4 tasks,
1,000 validation tasks after every 2,500 training tasks, one thread. The published code took 218 s (MAML) and 490 s
(SAP) for one run on one core of a comparable machine; five runs, which its protocol asks for, take it five times that.
A training takes the way marked with a star unless told otherwise.
"""

import argparse
import itertools
import json
import os
import sys
import time
from pathlib import Path

PUBLISHED = {"maml": 218.0, "sap": 490.0}  # seconds for one run


def main() -> None:
    """Measures every combination that the command line asks for."""
    parser = argparse.ArgumentParser(description="Seconds for 70,000 tasks, compilation included.")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 5], help="runs trained at once (1 5)")
    parser.add_argument("--learners", nargs="+", choices=list(PUBLISHED), default=list(PUBLISHED))
    parser.add_argument("--ways", nargs="+", choices=("traced", "compiled"), default=["traced", "compiled"])
    parser.add_argument("--json", action="store_true", help="print a list of measurements")
    args = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ["TORCHINDUCTOR_FORCE_DISABLE_CACHES"] = "1"
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    import torch

    from engine.execution.policy import compiling_pays
    from engine.learners import make
    from engine.processes import keep_memory
    from engine.runs.budget import Training
    from engine.tasks import Sine
    from engine.training.trainer import Trainer

    torch.set_num_threads(1)
    keep_memory()  # as the command line does
    training = Training(iterations=17_500, meta_batch=4, lr=0.001, validate_every=625, validation_tasks=1000)
    rows = []
    for name, seeds, way in itertools.product(args.learners, args.seeds, args.ways):
        torch.compiler.reset()
        learner, numbers = make(name, steps=1, test_steps=1), tuple(range(seeds))
        began, cpu = time.perf_counter(), time.process_time()
        trainer = Trainer(learner, Sine(shots=5), training, numbers, compiled=way == "compiled")
        trainer.run(1)
        first = time.perf_counter() - began
        trainer.run()
        seconds = time.perf_counter() - began
        usual = compiling_pays(learner, training.total_tasks(seeds)) == (way == "compiled")
        row = {"learner": name, "seeds": seeds, "way": way, "default": usual, "seconds": seconds}
        row |= {"cpu_seconds": time.process_time() - cpu, "first_update_s": first}
        row |= {"published_s": PUBLISHED[name] * seeds, "times_faster": PUBLISHED[name] * seeds / seconds}
        rows.append(row)
        if not args.json:
            print(
                f"{name:5} {seeds} at once, {way + '*' * usual:9}: {seconds:6.1f} s ({first:.1f} until the first "
                f"update), published {row['published_s']:,.0f} s: {row['times_faster']:.1f} times faster",
                flush=True,
            )
    if args.json:
        print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
