"""Tasks per second of a meta-gradient on sine, on the processor and on a GPU: all tasks at once, and one after another.

    python tests/benchmarks/devices.py [--device auto] [--learners maml sap op-lstm] [--tasks 25] [--seconds 3]
                                       [--compiled] [--json]

Method: the shipped recipe of each learner, 10 shots, float32, one seed. *vmapped* is `meta_gradient`,
eager; *recorded* is that, recorded and replayed as trainings do that do not compile (a trace on a processor, a CUDA
graph on a GPU); *compiled* is the same through torch.compile, and *both*, on a GPU, the compiled one recorded; *loop*
takes the very same learner's meta-gradient task by task on the same device, and averages. All are warmed up, then take
turns in 5 rounds, each call on another batch that already lies on the device; a call ends when the device has finished
it. Reported is the median call. That all of them compute the same is checked before anything is timed. `--device auto`
measures the processor, and the GPU where there is one.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

ROUNDS = 5
BATCHES = 8
WARM_UP = 2
SHOTS = 10
TOLERANCE = 2e-3  # of a gradient's length, in float32

Call = Callable[[Any], tuple[Any, Any]]


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Tasks/s on the processor and on a GPU, vmapped and in a plain loop.")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"), help="auto: all there are (auto)")
    parser.add_argument("--learners", nargs="+", default=["maml", "sap", "op-lstm"], metavar="NAME")
    parser.add_argument("--tasks", nargs="+", type=int, default=[25], help="tasks of a batch, one size or more (25)")
    parser.add_argument("--seconds", type=float, default=3.0, help="measure each at least this long (3)")
    parser.add_argument("--threads", type=int, default=1, help="threads of PyTorch on the processor (1)")
    parser.add_argument("--compiled", action="store_true", help="torch.compile too: minutes the first time")
    parser.add_argument("--json", action="store_true", help="print a list of measurements")
    return parser.parse_args()


def devices(asked: str) -> list[str]:
    """The devices to measure; says so where there is no GPU, and ends the program if one was asked for."""
    import torch

    if asked == "cpu":
        return ["cpu"]
    if torch.cuda.is_available():
        return ["cuda"] if asked == "cuda" else ["cpu", "cuda"]
    print("No GPU here: " + ("nothing to measure." if asked == "cuda" else "the processor alone."), file=sys.stderr)
    if asked == "cuda":
        sys.exit(2)
    return ["cpu"]


def ways(learner: Any, device: str, compiled: bool) -> dict[str, Call]:
    """The ways to compute the same: (params of one stacked seed, tasks with axes (1, N)) to (gradient, loss)."""
    import torch

    from engine.execution.capture import Captured
    from engine.execution.gradients import flat_meta_gradient, meta_gradient
    from engine.trees import Layout, tree_map

    def loop(given: Any) -> tuple[Any, Any]:
        params, tasks = tree_map(lambda p: p[0], given[0]), tree_map(lambda v: v[0], given[1])
        total, loss = tree_map(torch.zeros_like, params), 0.0
        for index in range(len(tasks.query_x)):
            one, error = learner.meta_gradient(params, tree_map(lambda v: v[index], tasks))  # noqa: B023
            total = tree_map(lambda a, b: a + b, total, one)
            loss = loss + error
        n = len(tasks.query_x)
        return tree_map(lambda g: (g / n).unsqueeze(0), total), torch.as_tensor(loss / n).reshape(1)

    batched = meta_gradient(learner)

    def as_in_training(compiled: bool, recorded: bool) -> Call:
        made: list[Any] = []

        def call(given: Any) -> tuple[Any, Any]:
            layout = Layout(given[0])
            if not made:
                function = flat_meta_gradient(learner, layout, compiled=compiled)
                made.append(Captured.on(device, function, after=0) if recorded else function)
            gradient, loss = made[0](layout.pack(given[0]), given[1])
            return layout.unpack(gradient), loss

        return call

    found: dict[str, Call] = {"vmapped": lambda given: batched(*given), "loop": loop}
    found["recorded"] = as_in_training(compiled=False, recorded=True)
    if compiled:
        found["compiled"] = as_in_training(compiled=True, recorded=False)
    if compiled and device == "cuda":
        found["both"] = as_in_training(compiled=True, recorded=True)
    return found


def batches(learner: Any, sine: Any, tasks: int, device: str) -> Iterator[Any]:
    """Parameters of one seed and batches of tasks, on the device."""
    import torch

    from engine.tasks import NoisyTask, stream
    from engine.trees import tree_map

    params = tree_map(lambda p: p.unsqueeze(0).to(device), learner.init(stream("init", 0), sine.spec))
    for index in range(BATCHES):
        drawn = sine.sample(stream("train", 0, index), tasks)
        if size := learner.noise_size(sine.spec):
            drawn = NoisyTask(*drawn, torch.rand(tasks, size, generator=stream("noise", 0, index)))
        yield params, tree_map(lambda v: v.unsqueeze(0).to(device), drawn)


def finished(device: str) -> None:
    """Waits until the device has done what it was asked for."""
    if device == "cuda":
        import torch

        torch.cuda.synchronize()


def differ(one: Any, other: Any) -> float:
    """How far two gradients are apart, as a share of the length of the first."""
    import torch

    from engine.trees import leaves

    a, b = (torch.cat([leaf.detach().double().cpu().flatten() for leaf in leaves(tree)]) for tree in (one, other))
    return float((a - b).norm() / a.norm())


def measure(name: str, tasks: int, device: str, seconds: float, compiled: bool, **changes: Any) -> list[dict[str, Any]]:
    """One measurement for each way, of the shipped recipe with these changes."""
    from engine.learners import make
    from engine.tasks import Sine
    from engine.training import recipes

    learner = make(name, **recipes.recipe("sine", "default", name, SHOTS).hyper_parameters | changes)
    handed = list(batches(learner, Sine(shots=SHOTS), tasks, device))
    calls = ways(learner, device, compiled)
    right = calls["loop"](handed[0])[0]
    for way, call in calls.items():
        if (off := differ(right, call(handed[0])[0])) > TOLERANCE:
            sys.exit(f"{name}, {way}, {device}: its gradient is {off:.2g} of its length away from the loop's.")
        for batch in handed[:WARM_UP]:
            call(batch)
    finished(device)
    spent: dict[str, list[float]] = {way: [] for way in calls}
    for _ in range(ROUNDS):
        for way, call in calls.items():
            end = time.perf_counter() + seconds / ROUNDS
            while True:
                begin = time.perf_counter()
                call(handed[len(spent[way]) % BATCHES])
                finished(device)
                spent[way].append(time.perf_counter() - begin)
                if time.perf_counter() >= end:
                    break
    rows = []
    for way, times in spent.items():
        middle = statistics.median(times)
        head = {"learner": name, "device": device, "way": way, "tasks": tasks}
        rows.append(head | {"tasks_per_s": tasks / middle, "ms": 1000 * middle, "calls": len(times)})
    return rows


def report(rows: list[dict[str, Any]]) -> str:
    """The measurements for people: beside each the loop on the same device, and the same way on the processor."""
    rate = {(r["learner"], r["tasks"], r["device"], r["way"]): r["tasks_per_s"] for r in rows}
    lines = [f"{'learner':10}{'tasks':>6}{'device':>8}{'way':>10}{'tasks/s':>12}{'ms':>10}{'x loop':>9}{'x cpu':>9}"]
    for row in rows:
        key = (row["learner"], row["tasks"], row["device"])
        beside = [row["tasks_per_s"] / rate[(*key, "loop")]]
        there = rate.get((row["learner"], row["tasks"], "cpu", row["way"]))
        beside += [row["tasks_per_s"] / there] if there else []
        ratios = "".join(f"{ratio:9.1f}" for ratio in beside)
        lines.append(
            f"{row['learner']:10}{row['tasks']:6}{row['device']:>8}{row['way']:>10}{row['tasks_per_s']:12,.0f}"
            f"{row['ms']:10.2f}{ratios}"
        )
    return "\n".join(lines)


def main() -> None:
    """Measures what the command line asks for."""
    args = arguments()
    import torch

    torch.set_num_threads(args.threads)
    there = devices(args.device)
    gpu = torch.cuda.get_device_name() if "cuda" in there else None
    versions = {"python": platform.python_version(), "torch": torch.__version__}
    about = {"gpu": gpu, "cores": os.cpu_count(), "threads": args.threads, **versions}
    rows = []
    for name in args.learners:
        for tasks in args.tasks:
            for device in there:
                rows += measure(name, tasks, device, args.seconds, args.compiled)
    if args.json:
        print(json.dumps([row | about for row in rows], indent=1))
        return
    print(", ".join(f"{key} {value}" for key, value in about.items() if value is not None))
    print(report(rows))


if __name__ == "__main__":
    main()
