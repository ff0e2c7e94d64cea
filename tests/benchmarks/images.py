"""Milliseconds of one meta-gradient of a convolutional network on images, by several engines in one run.

    python tests/benchmarks/images.py [--learners maml fomaml protonet] [--shots 1 5] [--sides 14] [--channels 32]
                                      [--engines recorded loop jax] [--rounds 9] [--threads 1] [--json]
    python tests/benchmarks/images.py --ways [--sides 14 28] [--channels 16 32 64] [--learners maml]

Method: 4 tasks of 5 classes, 15 query images of each, random numbers for pixels, float32; 3 blocks on 14x14 and 4 on
larger images; norms of the batch. All engines of one work are built and warmed up first, and then take turns, with
another batch in every round. Processor time of this process, the least and the median of the rounds; ratios are of the
least, which a busy machine disturbs least. With `--ways` our own ways alone, all tasks at once and one by one, by which
`engine.execution.policy.LARGE` and `engine.operations.convolve.MANY` were chosen (`ways.py`).
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

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the engine and the peers, from any working directory

from tests.benchmarks.meta_step import clock, limit_threads

BATCHES = 8  # drawn; a run that needs more starts again with the first
WARM_UP = 3  # calls, the first of which records or compiles
NOT_ASKED = ("compiled", "jax-conv-vmap")  # unless by name: minutes to compile, and seconds a call


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--learners", nargs="+", default=["maml", "fomaml", "protonet"])
    parser.add_argument("--shots", type=int, nargs="+", default=[1, 5])
    parser.add_argument("--sides", type=int, nargs="+", help="14; with --ways 14 and 28")
    parser.add_argument("--channels", type=int, nargs="+", help="32; with --ways 16, 32 and 64")
    parser.add_argument("--engines", nargs="+", metavar="NAME", help=f"all but {' and '.join(NOT_ASKED)}")
    parser.add_argument("--rounds", type=int, default=9, help="calls of each engine on the clock (9)")
    parser.add_argument("--threads", type=int, default=1, help="for every engine (1)")
    parser.add_argument("--ways", action="store_true", help="our own ways alone")
    parser.add_argument("--json", action="store_true", help="print objects instead of tables")
    return parser.parse_args()


def measure(work: Any, names: list[str], rounds: int) -> list[dict[str, Any]]:
    """One measurement for each engine that knows the learner, in the order of `names`."""
    from tests.benchmarks.peers import Missing
    from tests.benchmarks.peers.images import ENGINES, build

    net, batches = work.net(), work.batches(BATCHES)
    rows, running = [], {}
    for name in names:
        if work.learner not in ENGINES[name][2]:
            continue
        row: dict[str, Any] = {"learner": work.learner, "shots": work.shots, "side": work.side}
        row |= {"channels": work.channels, "engine": name}
        rows.append(row)
        began = time.process_time()
        try:
            engine = build(name, work, net)
            handed = [engine.accept(batch) for batch in batches]
            for batch in handed[:WARM_UP]:
                engine(batch)
        except Missing as reason:
            row["missing"] = str(reason)
            continue
        row["warm_up_s"] = time.process_time() - began
        running[name] = (engine, handed, [])
    for turn in range(rounds):
        for engine, handed, times in running.values():
            times.append(clock(engine, handed[turn % BATCHES]))
    for row in rows:
        if times := running.get(row["engine"], (None, None, None))[2]:
            wall, cpu = ([1000 * t for t in column] for column in zip(*times, strict=True))
            row |= {"ms": min(cpu), "median_ms": statistics.median(cpu), "wall_ms": statistics.median(wall)}
    return rows


def table(work: Any, rows: list[dict[str, Any]]) -> str:
    """The measurements of one work for people: how many times sooner our recorded one is done than each."""
    took = {row["engine"]: row["ms"] for row in rows if "ms" in row}
    lines = [work.title, f"  {'engine':14}{'ms':>8}{'median':>8}{'wall':>8}{'warm-up s':>11}{'x recorded':>12}"]
    for row in rows:
        if "missing" in row:
            lines.append(f"  {row['engine']:14} missing: {row['missing']}")
            continue
        ratio = f"{row['ms'] / took['recorded']:.2f}" if "recorded" in took else "-"
        numbers = f"{row['ms']:8.0f}{row['median_ms']:8.0f}{row['wall_ms']:8.0f}{row['warm_up_s']:11.1f}"
        lines.append(f"  {row['engine']:14}{numbers}{ratio:>12}")
    return "\n".join([*lines, *verdict(took)])


def verdict(took: dict[str, float]) -> list[str]:
    """Ours beside the best of each kind of peer."""
    from tests.benchmarks.peers.images import JAX, OURS, TORCH

    best = {kind: min((took[n], n) for n in kind if n in took) for kind in (OURS, TORCH, JAX) if {*kind} & {*took}}
    if OURS not in best:
        return []
    mine, name = best[OURS]
    peers = [(label, *best[kind]) for label, kind in (("PyTorch", TORCH), ("JAX", JAX)) if kind in best]
    return [f"  {name}: {its / mine:.2f} x the best of {label} ({peer})" for label, its, peer in peers]


def installed() -> dict[str, str]:
    """Versions of what is compared."""
    versions = {"python": platform.python_version()}
    for package in ("torch", "higher", "jax", "jaxlib"):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "missing"
    return versions


def main() -> None:
    """Measures what the command line asks for."""
    args = arguments()
    limit_threads(args.threads)
    warnings.filterwarnings("ignore", module=r"(torch|jax|higher)\b")

    import torch

    from tests.benchmarks import ways
    from tests.benchmarks.peers.images import ANY, ENGINES, ImageWork

    torch.set_num_threads(args.threads)
    names = args.engines or [name for name in ENGINES if name not in NOT_ASKED]
    for given, known in ((names, ENGINES), (args.learners, ANY)):
        for name in given:
            if name not in known:
                raise SystemExit(f"expected some of {', '.join(known)}, got {name}")
    if args.ways:
        ways.compare(args.learners, args.sides or [14, 28], args.channels or [16, 32, 64], args.json)
        return
    versions = installed()
    if not args.json:
        load = f"; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores" if hasattr(os, "getloadavg") else ""
        print(f"threads: {args.threads}; " + ", ".join(f"{k} {v}" for k, v in versions.items()) + load, flush=True)
    for learner in args.learners:
        for side in args.sides or [14]:
            for channels in args.channels or [32]:
                for shots in args.shots:
                    blocks = 3 if side < 28 else 4
                    work = ImageWork(learner, shots=shots, side=side, channels=channels, blocks=blocks)
                    rows = measure(work, names, args.rounds)
                    if not args.json:
                        print("\n" + table(work, rows), flush=True)
                        continue
                    for row in rows:
                        print(json.dumps(row | {"threads": args.threads, "versions": versions}), flush=True)


if __name__ == "__main__":
    main()
