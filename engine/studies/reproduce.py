"""Reference results beside ours: the same networks and inner loops, the published outer loop and a better one.

References are means over the test tasks of all runs with their 95 % intervals. Those of chapter 5 are published: they
come from the stored outputs of the authors' notebooks (arXiv 2310.14139: 3 runs x 2,000 tasks). Those of chapter 6 are
*not*: its printed tables give no sine values that could be read, so that a pilot of our own stands there, one run of
the authors' classes (one seed, 2,000 tasks, weights of the last update).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import BadInput
from engine.evaluation import spoken
from engine.runs.groups import Found, groups, largest
from engine.runs.listing import find
from engine.studies.report import Evaluate, diverged_of, evaluate_seeds

CHAPTER5 = "chapter 5: sine"
PERMUTATION = "chapter 5: order of the support"
CHAPTER6 = "chapter 6: sine, T = 1"
PUBLISHED, PILOT = "published", "our pilot, authors' classes, one seed"


@dataclass(frozen=True)
class Cell:
    """One reference value: its 95 % interval is `reference` plus and minus `interval`; `source` says whose it is."""

    table: str
    learner: str
    shots: int
    reference: float
    interval: float
    source: str = PUBLISHED


def _cells(table: str, learner: str, values: dict[int, tuple[float, float]]) -> list[Cell]:
    return [Cell(table, learner, shots, *value) for shots, value in values.items()]


CELLS = [
    *_cells(CHAPTER5, "maml", {5: (0.1765, 0.0094), 10: (0.0329, 0.0030), 20: (0.00487, 0.00051)}),
    *_cells(CHAPTER5, "lstm", {5: (0.0406, 0.0023), 10: (0.0141, 0.0007), 20: (0.00651, 0.00021)}),
    *_cells(CHAPTER5, "op-lstm", {5: (0.1054, 0.0090), 10: (0.00757, 0.00073), 20: (0.00269, 0.00015)}),
    *_cells(
        PERMUTATION,
        "lstm",
        {
            5: (0.0406, 0.0023),
            10: (0.01414, 0.00070),
            20: (0.00651, 0.00021),
            30: (0.00639, 0.00016),
            40: (0.00431, 0.00012),
            50: (0.00375, 0.00012),
        },
    ),
    *_cells(
        PERMUTATION,
        "lstm-sequential",
        {
            5: (0.0536, 0.0086),
            10: (0.01773, 0.00100),
            20: (0.00801, 0.00025),
            30: (0.00562, 0.00015),
            40: (0.00570, 0.00015),
            50: (0.00811, 0.00027),
        },
    ),
    *[
        Cell(CHAPTER6, learner, 5, value, interval, PILOT)
        for learner, value, interval in (
            ("maml", 0.777, 0.037),
            ("mt-net", 0.589, 0.029),
            ("t-net", 0.566, 0.030),
            ("sap", 0.500, 0.028),
        )
    ],
]

# Per table: the published outer loop, then ours, each by the collections that may hold it (the first one wins).
RECIPES: dict[str, dict[str, tuple[str, ...]]] = {
    CHAPTER5: {"published": ("sine-as-published",), "ours": ("sine-long", "sine-published", "sine-tuned")},
    PERMUTATION: {"ours": ("sine-permutation",)},
    CHAPTER6: {"published": ("sine-subspace-published",), "ours": ("sine-subspace",)},
}

NOT_TRAINED: dict[str, Any] = {
    **dict.fromkeys(("mse", "ci95", "median")),
    "per_seed": [],
    "seeds": 0,
    "tasks": 0,
    "diverged": 0,
}


def rows(root: Path, tasks: int, device: str = "cpu", evaluate: Evaluate = evaluate_seeds) -> list[dict[str, Any]]:
    """Evaluates the runs that answer to each reference value.

    Args:
        root: the folder of collections, such as `checkpoints`.
        tasks: test tasks.
        device: "cpu" or "cuda".
        evaluate: what says how good the seeds of one training are.

    Returns:
        One object per reference value and outer loop: table, method, shots, source (of the reference), reference,
        reference_ci95, recipe ("published" or "ours": the outer loop), collection, ours, ci95, median, per_seed, seeds,
        tasks, diverged. `ours` is None, and seeds 0, where no such run is shipped. Tasks that diverge are treated as in
        `report.rows`.

    Raises:
        BadInput: there is no such folder.
    """
    if not root.is_dir():
        raise BadInput(f"There is no folder of runs at {root}.")
    runs: dict[str, list[Found]] = {}
    for path, record in find(root):
        if record.get("status") == "done":
            runs.setdefault(path.parent.name, []).append((path, record))
    found = {(name, g.learner, g.shots): g.paths for name, every in runs.items() for g in largest(groups(every))}
    known: dict[tuple[str, str, int], dict[str, Any]] = {}
    content = []
    for cell in CELLS:
        for recipe, collections in RECIPES[cell.table].items():
            candidates = [(name, cell.learner, cell.shots) for name in collections]
            chosen = next((candidate for candidate in candidates if candidate in found), None)
            if chosen and chosen not in known:
                known[chosen] = evaluate(found[chosen], tasks, device)
            ours = known[chosen] if chosen else NOT_TRAINED
            content.append(
                {
                    "table": cell.table,
                    "method": cell.learner,
                    "shots": cell.shots,
                    "source": cell.source,
                    "reference": cell.reference,
                    "reference_ci95": cell.interval,
                    "recipe": recipe,
                    "collection": chosen[0] if chosen else None,
                    "ours": ours["mse"],
                    **{name: ours[name] for name in ("ci95", "median", "per_seed", "seeds", "tasks", "diverged")},
                }
            )
    return content


def markdown(content: list[dict[str, Any]], tasks: int) -> str:
    """The tables as Markdown, one line per reference value: beside it the published outer loop and ours."""
    lines = [
        "| table | method | shots | reference | whose | published outer loop, our code | our outer loop | our seeds |",
        "|---|---|---|---|---|---|---|---|",
    ]
    cells: dict[tuple[str, str, int], list[dict[str, Any]]] = {}
    for row in content:
        cells.setdefault((row["table"], row["method"], row["shots"]), []).append(row)
    for (table, method, shots), group in cells.items():
        ours = {row["recipe"]: _value(row["ours"], row["ci95"]) + diverged_of(row) for row in group}
        seeds = max(row["seeds"] for row in group)
        first = group[0]
        reference = f"{_value(first['reference'], first['reference_ci95'])} | {first['source']}"
        lines.append(
            f"| {table} | {method} | {shots} | {reference} | {ours.get('published', '')} | {ours['ours']} | {seeds} |"
        )
    lines += [
        "",
        f"Mean query MSE ± 95 % t-interval over {tasks:,} test tasks (ours: of the error averaged over seeds).",
    ]
    if any(row["diverged"] for row in content):
        lines[-1] += " Tasks that diverged for any seed are left out of the mean."
    return "\n".join(lines)


def _value(mean: float | None, interval: float | None) -> str:
    if mean is None:
        return "not trained"
    form = ".4f" if mean < 0.02 else ".3f"
    return spoken(mean, form) + (f" ± {spoken(interval, form)}" if interval is not None else "")
