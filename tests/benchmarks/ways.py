"""Meta-gradients with convolutions on a processor: tasks all at once (vmap), one by one, and each replayed.

    python tests/benchmarks/images.py --ways [--sides 14 28] [--channels 16 32 64] [--learners maml] [--json]

Method: 4 tasks of 5 classes, 1 support and 15 query images of each, random numbers for pixels; 3 blocks on 14x14 and 4
on larger images, norms of the support; float32, one seed, one thread. CPU time of the process, the least of a few
calls. A replay is what trainings do after their first updates (`engine.execution.traces`); `made` is what it takes to
make it. `engine.execution.policy.LARGE` says from where on tasks go one by one.
"""

import json
import time
from collections.abc import Callable

import torch

from engine.execution import policy
from engine.execution.gradients import flat_meta_gradient
from engine.execution.traces import faithful
from engine.learners import make
from engine.networks import Conv4
from engine.networks.memory import activations
from engine.tasks import Classes, Image, Task, TaskSpec, stream
from engine.trees import Layout, stack

WAYS, SHOTS, QUERIES, BATCH = 5, 1, 15, 4


def tasks(side: int) -> Task:
    """A meta-batch of random images, with one axis more for the seed."""
    generator = stream("page")

    def points(of_each: int) -> tuple[torch.Tensor, torch.Tensor]:
        x = torch.randn(1, BATCH, WAYS * of_each, 1, side, side, generator=generator)
        return x, torch.arange(WAYS).repeat(1, BATCH, of_each)

    return Task(*points(SHOTS), *points(QUERIES))


def least(call: Callable[[], object], calls: int) -> float:
    """Milliseconds of CPU time of the fastest call but the first."""
    call()
    taken = []
    for _ in range(calls):
        began = time.process_time()
        call()
        taken.append(time.process_time() - began)
    return 1000 * min(taken)


def measure(name: str, side: int, channels: int, calls: int = 3) -> dict[str, object]:
    """One learner on one network."""
    spec = TaskSpec(Image(1, side, side), Classes(WAYS))
    network = Conv4(channels=channels, blocks=3 if side < 28 else 4, norm="support")
    learner = make(name, **{"encoder" if name == "protonet" else "network": network})
    params, batch = stack([learner.init(stream("init"), spec)]), tasks(side)
    layout = Layout(params)
    given = layout.pack(params), batch
    row: dict[str, object] = {"learner": name, "side": side, "channels": channels}
    row["kept"] = activations(network, spec) * WAYS * (SHOTS + QUERIES)
    for way, large in (("at once", 10**18), ("one by one", 0)):
        policy.LARGE = large
        function = flat_meta_gradient(learner, layout, compiled=False)
        row[way] = least(lambda: function(*given), calls)  # noqa: B023
        began = time.process_time()
        replay = faithful(function, given)
        row[f"{way}, made"] = time.process_time() - began
        row[f"{way}, replayed"] = least(lambda: replay(*given), calls)  # noqa: B023
    return row


def compare(learners: list[str], sides: list[int], channels: list[int], as_json: bool) -> None:
    """Prints a line for each."""
    for side in sides:
        for width in channels:
            for name in learners:
                row = measure(name, side, width)
                if as_json:
                    print(json.dumps(row), flush=True)
                    continue
                numbers = [f"{key} {value:,.0f}" for key, value in row.items() if isinstance(value, float | int)]
                print(f"{name}: {'; '.join(numbers)}", flush=True)
