"""Asking probes by name: finding one, checking what it is asked, and writing its answer as plain data."""

import json
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from engine.configure import configure
from engine.errors import BadInput
from engine.runs.ensembles import Ensemble
from engine.runs.groups import Found, groups
from engine.runs.run import load
from probes import PROBES
from probes.probe import Probe, Progress, silent


def find(name: str) -> Probe[Any, Any]:
    """The probe `name`.

    Raises:
        UnknownName: there is none.
    """
    return PROBES.known(name)


def ask(name: str, ensembles: Sequence[Ensemble], values: dict[str, Any], progress: Progress = silent) -> Any:
    """Asks the probe `name` about the ensembles that it applies to.

    Args:
        name: a key of `PROBES`.
        ensembles: trained learners; those that the probe does not apply to are left out.
        values: plain values for what can be set.
        progress: told the share that is done.

    Raises:
        UnknownName: there is no such probe.
        BadConfig: a value is unknown or not allowed.
        BadInput: the probe applies to none of the ensembles.
    """
    probe = find(name)
    config = configure(probe.config, values, f"probe {name}")
    reasons = [probe.applies(ensemble) for ensemble in ensembles]
    asked = [ensemble for ensemble, reason in zip(ensembles, reasons, strict=True) if reason is None]
    if not asked:
        raise BadInput(reasons[0] if reasons else f"The probe {name} needs at least one run.")
    return probe.ask(asked, config, progress)


def ask_about(ensemble: Ensemble, name: str, values: dict[str, Any]) -> Any:
    """The same about a single one, as an errand for `engine.jobs.crew`."""
    return ask(name, [ensemble], values)


def gather(folders: Sequence[Path]) -> list[Ensemble]:
    """Run folders as ensembles: runs of one folder that differ only in their seed belong together.

    A run that is named twice, or copied to another folder, counts once (`engine.runs.groups`).

    Raises:
        BadRun: a folder does not hold a run that can be opened.
    """
    runs = {folder: load(folder) for folder in folders}
    known: dict[tuple[str, str], Path] = {}
    by_parent: dict[Path, list[Found]] = {}
    for folder, run in runs.items():
        if known.setdefault((run.sha256, f"{run.learner}{run.distribution}"), folder) == folder:
            by_parent.setdefault(folder.parent, []).append((folder, run.record))
    found = (group for records in by_parent.values() for group in groups(records))
    return [Ensemble(tuple(runs[path] for path in group.paths)) for group in found]


def plain(value: Any) -> Any:
    """Dataclasses, arrays and tensors as dictionaries, lists and numbers (NaN and infinity as None)."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Tensor):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, dict):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def write(path: Path, result: Any) -> None:
    """Writes an answer as JSON.

    Raises:
        BadInput: the folder does not exist or the name does not end in .json.
    """
    if path.suffix != ".json" or not path.parent.is_dir():
        raise BadInput(f"--out takes a .json file in a folder that exists; {path} was given.")
    path.write_text(json.dumps(plain(result), allow_nan=False) + "\n")
