"""What learners of images reach where they were trained to and farther off: scripts never met, digits, clothes.

All that were trained on images are tested on the same tasks, in classes of their own task that training never met and
in every domain (`engine.tasks.images.sets`) whose images have the same size; beside each the same learner untrained,
and what guessing reaches.
"""

import contextlib
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import BadConfig
from engine.evaluation import estimate, mean_of_rest, spoken
from engine.learners import LEARNERS
from engine.runs.groups import Found, Group, differing, groups, largest
from engine.runs.history import read_history
from engine.runs.listing import find
from engine.runs.run import Run, load
from engine.studies.kept import FOLDER, Kept, Right
from engine.studies.report import elsewhere, of_images
from engine.tasks import TaskDistribution, stream
from engine.trees import count

TITLES = {"glyphs": "held-out scripts", "digits": "digits", "mnist": "MNIST", "fashion": "Fashion-MNIST"}
OWN = "held-out classes"  # of a task that is none of these
LATE = 0.1  # of a history: its last rows, over which a training loss is averaged
PLATEAU = 0.03  # so close to the loss of guessing, in its own size, a training loss has not left it
PUBLISHED = {
    "lstm": "The published one stays there too: 20.3 and 19.9 % on miniImageNet with 1 and 5 shots (dissertation, "
    "chapter 5), in training as in tests.",
}
Row = dict[str, Any]


def rows(root: Path, tasks: int | None = None, store: Callable[[Path], Kept] = Kept) -> list[Row]:
    """Evaluates the finished runs on images below `root`, by folder, task, learner and shots.

    Args:
        root: the folder of run folders, or of collections of them.
        tasks: test tasks in each domain; the number of the domain (600) unless given.
        store: makes of a folder, `measured` in that of a collection, the answers that are kept there.

    Returns:
        One object for each group of seeds: collection, task, learner, shots, ways, differs (as `report.rows` has it),
        seeds, domains, missing, untrained, parameters (of one seed), tasks (met in training by one seed), minutes (of
        training, all seeds together), note (why, where it is at chance in its own task; else "").

        `domains` has for each domain None where it is not known (`missing` says why), or accuracy (the mean over tasks
        of the mean over seeds), ci95 (half its 95 % t-interval over tasks), per_seed, spread (the standard deviation of
        the seeds' means; None of one), tasks, diverged (tasks on which any seed diverged; they are left out).
        `untrained` is the same of the weights that the trainings began with; None for a learner that is never trained.
    """
    collections: dict[Path, list[Found]] = {}
    for path, record in find(root):
        if record.get("status") == "done" and of_images(record):
            collections.setdefault(path.parent, []).append((path, record))
    content = []
    for folder, found in sorted(collections.items()):
        every, kept = groups(found), store(folder / FOLDER)
        shown = {(g.task, g.learner, g.shots): g for g in largest(every)}
        for group in every:
            differs = differing(group, shown[group.task, group.learner, group.shots])
            head = {"collection": str(folder.relative_to(root)), "task": group.task, "learner": group.learner}
            content.append({**head, "shots": group.shots, "differs": differs, **_row(group, kept, tasks)})
    return sorted(content, key=_order)


def _row(group: Group, kept: Kept, tasks: int | None) -> Row:
    runs = [load(path) for path in group.paths]
    learner, trained = runs[0].learner, runs[0].distribution
    training = runs[0].record.get("training") or {}
    weights = [(run.params, run.sha256) for run in runs]
    starts = [(learner.init(stream("init", run.seed), trained.spec), f"the start of seed {run.seed}") for run in runs]
    missing: dict[str, str] = {}

    def answers(sets: list[tuple[Any, str]]) -> dict[str, Row | None]:
        found: dict[str, Row | None] = {}
        for name, domain in _domains(trained):
            every = [kept.of(learner, params, sha, domain, tasks or domain.test_tasks) for params, sha in sets]
            known = [one for one in every if not isinstance(one, str)]
            found[name] = _summary(known) if len(known) == len(every) else None
            if found[name] is None:
                missing[name] = next(one for one in every if isinstance(one, str))
        return found

    domains, ways = answers(weights), trained.spec.output_dim
    own = domains[trained.name]
    chance = own is not None and abs(own["accuracy"] - 1 / ways) <= own["ci95"]
    return {
        "ways": ways,
        "seeds": len(runs),
        "domains": domains,
        "missing": missing,
        "untrained": answers(starts) if learner.meta_trained else None,
        "parameters": count(runs[0].params),
        "tasks": training.get("iterations", 0) * training.get("meta_batch", 0),
        "minutes": runs[0].record.get("seconds", 0) / 60,
        "note": _why(runs, ways) if chance else "",
    }


def _domains(trained: TaskDistribution) -> Iterator[tuple[str, TaskDistribution]]:
    """The task of training and all domains with images of that size, with as many shots, ways and queries."""
    yield trained.name, trained
    for name in TITLES:
        if name == trained.name:
            continue
        with contextlib.suppress(BadConfig):  # it has no images of that size
            found = elsewhere(trained, name, {})
            if found.spec == trained.spec and found.spec.output_dim <= getattr(found, "ways_there", math.inf):
                yield name, found


def _summary(every: list[Right]) -> Row:
    """Of all seeds on the same tasks."""
    share, away = np.stack([one.share for one in every]), np.stack([one.away for one in every])
    gone = np.asarray(away.any(0))
    final, seeds = estimate(share.mean(0), gone, worst=0.0), mean_of_rest(share.T, gone)
    spread = float(np.std(seeds, ddof=1)) if len(seeds) > 1 else None
    found = {"accuracy": final.mean, "ci95": final.ci95, "per_seed": seeds, "spread": spread}
    return {**found, "tasks": final.tasks, "diverged": final.diverged}


def _why(runs: list[Run], ways: int) -> str:
    """Why trained learners are at chance: whether they learned their training tasks."""
    guessing, ends = math.log(ways), []
    for run in runs:
        losses = [row["loss"] for row in read_history(run.path) if row.get("loss") is not None]
        ends += [float(np.mean(losses[-max(1, round(LATE * len(losses))) :]))] if losses else []
    said = f"guessing has ln {ways} = {guessing:.3f}"
    if not ends:
        why = "At chance; nothing is known of its training loss."
    elif min(ends) > (1 - PLATEAU) * guessing:
        many = " and ".join((", ".join(f"{end:.3f}" for end in ends[:-1]), f"{ends[-1]:.3f}")).removeprefix(" and ")
        why = f"At chance, and in training too: its loss ended at {many}, {said}. It never left that plateau."
    else:
        why = f"At chance in classes never met, but not in training: its loss ended at {min(ends):.3f}, {said}."
    return " ".join(filter(None, (why, PUBLISHED.get(runs[0].learner.name))))


def _order(row: Row) -> tuple[Any, ...]:
    own = row["domains"][row["task"]]
    return row["collection"], row["task"], row["ways"], row["shots"], -own["accuracy"] if own else 0.0, row["learner"]


# ---- as Markdown -------------------------------------------------------------------------------------


def markdown(content: list[Row]) -> str:
    """A table for each collection, task and number of ways, and what stands below them."""
    parts = []
    for key in dict.fromkeys((row["collection"], row["task"], row["ways"]) for row in content):
        here = [row for row in content if (row["collection"], row["task"], row["ways"]) == key]
        shown = [name for name in here[0]["domains"] if any(row["domains"].get(name) for row in here)]
        where = "" if key[0] == "." else f"{key[0]}: "
        parts += [f"{where}trained on {key[1]}, {key[2]} ways.", _table(here, shown, key[2])]
        out = [name for name in here[0]["domains"] if name not in shown]
        parts += [f"{_title(name)} is left out. {here[0]['missing'][name]}" for name in out]
        parts += [f"{_name(row)}, {_shots(row)}: {row['note']}" for row in here if row["note"]]
    return "\n\n".join([*parts, _legend(content)])


def _table(here: list[Row], shown: list[str], ways: int) -> str:
    head = ["learner", "shots", *map(_title, shown), "parameters", "tasks", "minutes"]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for row in here:
        size = [f"{row['parameters']:,}", f"{row['tasks']:,}", f"{row['minutes']:.1f}"]
        for name, domains, more in ((_name(row), row["domains"], size), ("untrained", row["untrained"], [""] * 3)):
            if domains is not None:
                cells = [_cell(domains.get(name)) for name in shown]
                lines.append(f"| {' | '.join([name, str(row['shots']), *cells, *more])} |")
    lines.append(f"| {' | '.join(['chance', '', *[f'{1 / ways:.3f}'] * len(shown), '', '', ''])} |")
    return "\n".join(lines)


def _title(domain: str) -> str:
    return TITLES.get(domain, OWN)


def _name(row: Row) -> str:
    title = LEARNERS[row["learner"]].title if row["learner"] in LEARNERS else row["learner"]
    return ", ".join([title, *row["differs"]])


def _shots(row: Row) -> str:
    return f"{row['shots']} shot{'s' * (row['shots'] != 1)}"


def _cell(found: Row | None) -> str:
    if found is None:
        return "not measured"
    mean = f"{spoken(found['accuracy'], '.3f')} ± {spoken(found['ci95'], '.3f')}"
    seeds = " ".join(spoken(value, ".3f") for value in found["per_seed"])
    spread = "" if found["spread"] is None else f"; s {spoken(found['spread'], '.3f')}"
    gone = f" ({found['diverged']:,} of {found['tasks']:,} tasks diverged)" if found["diverged"] else ""
    return f"{mean} [{seeds}{spread}]{gone}"


def _legend(content: list[Row]) -> str:
    cells = [one for row in content for one in (*row["domains"].values(), *(row["untrained"] or {}).values()) if one]
    counts = sorted({one["tasks"] for one in cells}) or [0]
    said = (
        f"Accuracy over {' or '.join(f'{number:,}' for number in counts)} test tasks of each domain, the same for all: "
        "the mean over tasks of the mean over seeds ± its 95 % t-interval over tasks, and in brackets every seed with "
        "their standard deviation s. Parameters are those of one seed, tasks are what a seed met in training, and "
        "minutes train all seeds together. Untrained is the same learner with the weights that its training began with."
    )
    if any(one["diverged"] for one in cells):
        said += " Tasks that diverged for any seed are left out."
    return said
