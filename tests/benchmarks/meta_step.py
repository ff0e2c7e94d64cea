"""Tasks per second of one second-order MAML meta-gradient, by several engines on the same work in one run.

    python tests/benchmarks/meta_step.py [--json] [--seconds 5] [--engines compiled jax] [--networks 1-40-40-1]

Method: all engines of one network are built and warmed up first; then, in interleaved rounds, each is handed fresh
batches of tasks (drawn and converted outside of the clock) and each call is timed. The median over all calls of all
rounds is reported, by the clock on the wall and by the processor time of this process: on a busy machine a long
call is interrupted more often than a short one, so with one thread the ratios are those of processor time.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
import warnings
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # the engine and the peers, from any working directory

ROUNDS = 5
BATCHES = 40  # batches drawn per network; a run that needs more starts again with the first
WARM_UP = 3  # calls after the one that compiles


def limit_threads(threads: int) -> None:
    """The same number of threads for every engine; to be called before torch or jax is imported.

    XLA has no setting for all of its thread pools, but sizes them by the processors that it may use.
    """
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NPROC"):
        os.environ[variable] = str(threads)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads:])
    os.environ["JAX_PLATFORMS"] = "cpu"


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Tasks/s of the second-order MAML meta-gradient, ours and others'.")
    parser.add_argument("--json", action="store_true", help="print a list of measurements instead of tables")
    parser.add_argument("--seconds", type=float, default=5.0, help="measure each engine at least this long (5)")
    parser.add_argument("--engines", nargs="+", metavar="NAME", help="compiled, eager, higher, loop, jax (all)")
    parser.add_argument("--networks", nargs="+", metavar="NAME", help="1-40-40-1, 1-91-91-91-1 (all)")
    parser.add_argument(
        "--threads",
        type=int,
        default=os.cpu_count() or 1,
        help="threads for every engine (all cores, as in a training)",
    )
    parser.add_argument("--cached", action="store_true", help="let torch.compile reuse its cache on the disk")
    return parser.parse_args()


def measure(work: Any, names: list[str], seconds: float) -> list[dict[str, Any]]:
    """One measurement for each engine, in the order of `names`."""
    from engine.learners import MAML
    from engine.networks import MLP
    from engine.tasks import Sine, stream
    from engine.trees import tree_map
    from tests.benchmarks.peers import Missing, build

    sine = Sine(shots=work.shots, queries=work.queries)
    net = MAML(network=MLP(work.widths)).init(stream("init"), sine.spec)["net"]
    drawn = sine.sample(stream("train"), BATCHES * work.tasks)
    batches = [tree_map(lambda v: v[i : i + work.tasks], drawn) for i in range(0, BATCHES * work.tasks, work.tasks)]  # noqa: B023
    rows, running = [], {}
    for name in names:
        row = {"network": work.network, "steps": work.steps, "tasks": work.tasks, "engine": name}
        row |= dict.fromkeys(("tasks_per_s", "tasks_per_cpu_s", "ms", "calls", "first_call_s", "compile_s"))
        rows.append(row)
        try:
            engine = build(name, work, net)
            handed = [engine.accept(batch) for batch in batches]
            first = clock(engine, handed[0])[0]
            later = [clock(engine, batch)[0] for batch in handed[1 : 1 + WARM_UP]]
        except Missing as reason:
            row["missing"] = str(reason)
            continue
        row["first_call_s"] = first
        row["compile_s"] = max(first - min(later), 0.0) if name in ("compiled", "jax") else 0.0
        running[name] = (engine, handed, [])
    for _ in range(ROUNDS):
        for engine, handed, times in running.values():
            end = time.perf_counter() + seconds / ROUNDS
            while True:
                times.append(clock(engine, handed[len(times) % BATCHES]))
                if time.perf_counter() >= end:
                    break
    for row in rows:
        if times := running.get(row["engine"], (None, None, None))[2]:
            wall, cpu = (statistics.median(column) for column in zip(*times, strict=True))
            row |= {"tasks_per_s": work.tasks / wall, "tasks_per_cpu_s": work.tasks / cpu}
            row |= {"ms": wall * 1000, "calls": len(times)}
    return rows


def clock(engine: Any, batch: Any) -> tuple[float, float]:
    """Seconds of one call: on the wall, and of processor time."""
    wall, cpu = time.perf_counter(), time.process_time()
    engine(batch)
    return time.perf_counter() - wall, time.process_time() - cpu


def table(rows: list[dict[str, Any]], basis: str) -> str:
    """The measurements of one network for people, with ratios by `basis`."""
    first = rows[0]
    lines = [
        f"{first['network']}, {first['steps']} inner steps, {first['tasks']} tasks",
        f"  {'engine':9}{'compile s':>10}{'ms':>10}{'tasks/s':>10}{'tasks/CPU s':>13}{'x higher':>10}{'x jax':>8}",
    ]
    rate = {row["engine"]: row[basis] for row in rows}
    for row in rows:
        if "missing" in row:
            lines.append(f"  {row['engine']:9} missing: {row['missing']}")
            continue
        ratios = [row[basis] / rate[peer] if rate.get(peer) else None for peer in ("higher", "jax")]
        higher, jax = ("-" if ratio is None else f"{ratio:.2f}" for ratio in ratios)
        lines.append(
            f"  {row['engine']:9}{row['compile_s']:10.1f}{row['ms']:10.2f}{row['tasks_per_s']:10.0f}"
            f"{row['tasks_per_cpu_s']:13.0f}{higher:>10}{jax:>8}"
        )
    return "\n".join(lines)


def main() -> None:
    """Measures what the command line asks for."""
    args = arguments()
    limit_threads(args.threads)
    if not args.cached:
        os.environ["TORCHINDUCTOR_FORCE_DISABLE_CACHES"] = "1"
    warnings.filterwarnings("ignore", module=r"(torch|jax)\b")

    import torch

    from tests.benchmarks.peers import ENGINES, Work

    torch.set_num_threads(args.threads)
    works = [
        Work((40, 40), steps=5, tasks=25),
        Work((91, 91, 91), steps=14, tasks=2, inner_lr=0.00377),
        Work((91, 91, 91), steps=14, tasks=25, inner_lr=0.00377),
    ]
    names = args.engines or list(ENGINES)
    networks = args.networks or [work.network for work in works]
    for given, known in ((names, list(ENGINES)), (networks, [work.network for work in works])):
        for name in given:
            if name not in known:
                raise SystemExit(f"expected some of {', '.join(dict.fromkeys(known))}, got {name}")
    versions = {"python": platform.python_version()}
    for package in ("torch", "higher", "jax", "jaxlib"):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "missing"
    basis = "tasks_per_cpu_s" if args.threads == 1 else "tasks_per_s"
    if not args.json:
        print(f"threads: {args.threads}; " + ", ".join(f"{k} {v}" for k, v in versions.items()))
        print(f"10 shots, 10 queries, float32; ratios of {basis}; at least {args.seconds:g} s per engine")
    everything = []
    for work in works:
        if work.network not in networks:
            continue
        rows = measure(work, names, args.seconds)
        everything += [row | {"threads": args.threads, "cached": args.cached, "versions": versions} for row in rows]
        if not args.json:
            print("\n" + table(rows, basis), flush=True)
    if args.json:
        print(json.dumps(everything, indent=1))


if __name__ == "__main__":
    main()
