"""What every run predicted when its values were stored: a change of the house must not move them."""

import json
import platform
import re
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

import engine
from engine.tasks import TASKS, stream

ROOT = Path(__file__).resolve().parents[2]
STORED = Path(__file__).with_name("predictions.safetensors")
QUERIES = 4


def predictions(name: str) -> Tensor:
    """What a run says after every inner step about the first queries of one test task: (T + 1, queries, outputs).

    Args:
        name: a folder below `checkpoints/`, or "untrained/learner-on-task".
    """
    if name.startswith("untrained/"):
        learner, _, task = name.removeprefix("untrained/").partition("-on-")
        run = untrained(learner, task)
    else:
        run = engine.load(ROOT / "checkpoints" / name)
    x, y, query, _ = (value[0] for value in run.distribution.sample(stream("test"), 1))
    trajectory = run.adapt(x, y)
    return torch.stack([run.predict(trajectory, query[:QUERIES], step) for step in range(len(trajectory))])


def untrained(learner: str, task: str) -> engine.Run:
    """A learner as it is drawn for a task."""
    made, distribution = engine.make(learner), TASKS[task]()
    return engine.Run(ROOT, made, distribution, made.init(stream("init"), distribution.spec), {"seed": 0})


def names() -> list[str]:
    """All shipped runs by their folder below `checkpoints/`, and all learners untrained on both kinds of task."""
    root = ROOT / "checkpoints"
    shipped = [str(path.relative_to(root)) for path, _ in engine.find(root)]
    fitting = [
        f"untrained/{learner}-on-{task}"
        for task in ("sine", "gaussian-classes")
        for learner, cls in engine.LEARNERS.items()
        if TASKS[task]().spec.kind in cls.kinds
    ]
    return shipped + fitting


def learner_of(name: str) -> str:
    """The learner that a stored run is of."""
    return re.split("-on-|-k[0-9]", name.rpartition("/")[2])[0]


def machine() -> dict[str, str]:
    """What decides how sums are rounded."""
    names = [line.partition(":")[2].strip() for line in _cpuinfo() if line.startswith("model name")]
    return {
        "torch": torch.__version__,
        "processor": names[0] if names else platform.processor(),
        "vectors": torch.backends.cpu.get_cpu_capability(),
    }


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def stored() -> tuple[dict[str, Tensor], dict[str, str]]:
    """The stored predictions by run, and the machine that made them."""
    with safe_open(STORED, "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, json.loads(file.metadata()["machine"])


def store() -> None:
    """Stores what all of them predict now."""
    found = {name: predictions(name).contiguous() for name in names()}
    save_file(found, STORED, metadata={"machine": json.dumps(machine())})


def distance(now: Tensor, then: Tensor) -> float:
    """The largest difference, relative to the largest stored number of the same step."""
    scale = then.abs().amax((-2, -1), keepdim=True).clamp_min(1e-30)
    return float(((now - then).abs() / scale).max())
