"""What the shipped runs reach on 2,000 test tasks, kept in `measured.json` with the hashes of their weights.

What those on images reach, in every domain, is kept beside them (`engine.studies.kept`).
"""

import json
from pathlib import Path
from typing import Any

from engine.errors import EngineError
from engine.runs.files import write_json
from engine.runs.listing import find
from engine.runs.run import RECORD
from engine.studies import domains
from engine.studies.kept import Kept as Answers
from engine.studies.report import evaluate_seeds, of_images
from probes import answers

ROOT = Path(__file__).resolve().parents[1] / "checkpoints"
FILE = Path(__file__).with_name("measured.json")
TASKS = 2000
SHOWN = ("sine", "sine-tuned", "sine-subspace-t10")  # as tables; the others stand beside references
COMMAND = "python -m docs --measure"


class Stale(EngineError):
    """What is kept is not about these weights."""


def name(paths: list[Path]) -> str:
    """One training for people and for the file: sine/maml-k5."""
    first = paths[0]
    return f"{first.parent.name}/{first.name.rsplit('-s', 1)[0]}"


def hashes(paths: list[Path]) -> list[str]:
    """Of the weights, from the records."""
    return [str(json.loads((path / RECORD).read_text())["weights_sha256"]) for path in paths]


def kept() -> dict[str, dict[str, Any]]:
    """By the name of the training: the hashes of its weights and what `evaluate_seeds` said."""
    return json.loads(FILE.read_text()) if FILE.is_file() else {}


class Kept:
    """`evaluate_seeds` from what is kept.

    Raises:
        Stale: other weights were measured, or none.
    """

    def __init__(self) -> None:
        self.content = kept()

    def __call__(self, paths: list[Path], tasks: int, device: str) -> dict[str, Any]:
        found = self.content.get(name(paths))
        if found is None or found["weights"] != hashes(paths) or tasks != TASKS:
            raise Stale(f"{name(paths)} has other weights than were measured. `{COMMAND}` measures it again.")
        return found["result"]


def image_rows() -> list[dict[str, Any]]:
    """The rows of all shipped runs on images, from what is kept.

    Raises:
        Stale: one was not measured with these weights, or not where it was trained.
    """
    found = domains.rows(ROOT, store=lambda folder: Answers(folder, ask=False))
    for row in found:
        if row["domains"][row["task"]] is None or (row["untrained"] or row["domains"])[row["task"]] is None:
            name = f"{row['collection']}/{row['learner']}-k{row['shots']}"
            raise Stale(f"{name} has other weights than were measured. `{COMMAND}` measures it again.")
    return found


def measure(*, again: bool = False) -> list[str]:
    """Measures what is missing or has other weights (with `again`: everything); returns the names."""
    stores: list[Answers] = []

    def store(folder: Path) -> Answers:
        stores.append(Answers(folder, again=again))
        return stores[-1]

    domains.rows(ROOT, store=store)
    return [*_measure_numbers(again), *(name for each in stores for name in each.asked)]


def _measure_numbers(again: bool) -> list[str]:
    trainings: dict[str, list[Path]] = {}
    for path, record in find(ROOT):
        if record.get("status") == "done" and not of_images(record):
            trainings.setdefault(name([path]), []).append(path)
    content = {} if again else kept()
    done = []
    for key, paths in sorted(trainings.items()):
        if content.get(key, {}).get("weights") == hashes(paths):
            continue
        content[key] = {"weights": hashes(paths), "result": answers.short(evaluate_seeds(paths, TASKS))}
        write_json(FILE, {known: content[known] for known in sorted(content) if known in trainings})
        done.append(key)
    return done
