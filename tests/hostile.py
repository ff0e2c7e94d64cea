"""Runs that somebody else wrote, with odd values anywhere: drawn from a seed, each a small change of a sound one."""

from __future__ import annotations

import copy
import functools
import hashlib
import io
import json
import os
import random
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SOUND = Path(__file__).resolve().parents[1] / "checkpoints" / "sine" / "maml-k5-s0"
RECORD, WEIGHTS, HISTORY = "run.json", "weights.safetensors", "history.jsonl"
NUMBER = int(os.environ.get("HOSTILE", "1000"))  # HOSTILE=20000 pytest ... draws more
# Written as JSON, so that what Python's own writer refuses is among them.
BAD = [
    '"\\ud800"', '"a\\u0000b"', '"\\u202egnp"', '"' + "x" * 5000 + '"', '"' + "9" * 400 + '"', "1" + "0" * 30,
    "9" * 400,
    "-1", "1e308", "-1e308", "1e-320", "1e999", "NaN", "-Infinity", "true", "null", "[]", "{}", "[[[[[[[[1]]]]]]]]",
    '[1, "a", null]', '{"a": {"b": [1e308]}}', '"![](https://example.org/x.png)"', '"=1+1"', '"../../etc/passwd"',
    '["a/../b"]', '["' + "y" * 5000 + '"]', "0", "-0.0", "1.5", '"7"', '""', "[" + "0," * 5000 + "0]", "2147483648",
]  # fmt: skip
ODD = ["0.5", "3", "17", "1000", "1e-9", "12345678.9", '"-2+3"', '"@SUM(1)"', '"ü☃ 𝔘"', '"[a](b) `c` $x$ <b>"', "0.0"]
MORE = {  # keys that we do not write, and values that are no mistake
    "remark": '"+cmd|calc"', "a key with ` and $": "[1, [2, 3]]", "error": '"a\\nb\\tc"', 
    "metrics": '{"=x": 1e99, "y": 3}',
    "versions": '{"python": "<b>", "torch": null}', "status": '"cancelled"', "training": '{"iterations": 0}',
    "recipe": '"![a](b)"', "device": '"-"', "updated": '"@now"', "imported": "false", "group": '["-x", "=y"]',
    "seconds": "0", "memory": "1e15", "tasks_per_s": "0.0", "iteration": "1000000000",
}  # fmt: skip


class Raw(str):
    """JSON that stands for itself."""


def places(value: Any, before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every value of JSON content, by its keys."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, one in entries for place in ((*before, key), *places(one, (*before, key)))]


def changed(value: Any, place: tuple[Any, ...], raw: str) -> Any:
    """The content with one value replaced by JSON, or by nothing."""
    value = copy.deepcopy(value)
    *way, last = place
    inside = value
    for key in way:
        inside = inside[key]
    inside[last] = Raw(raw)
    return value


def written(value: Any) -> str:
    """As JSON, with what is raw as it is."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)}: {written(one)}" for key, one in value.items()) + "}"
    return "[" + ", ".join(map(written, value)) + "]" if isinstance(value, list) else json.dumps(value)


@functools.cache
def sound() -> tuple[dict[str, Any], list[dict[str, Any]], bytes]:
    """Record, history and weights of the run that all others are changes of."""
    rows = [json.loads(line) for line in (SOUND / HISTORY).read_text().splitlines()]
    return json.loads((SOUND / RECORD).read_text()), rows, (SOUND / WEIGHTS).read_bytes()


def files(seed: int) -> dict[str, bytes]:
    """The files of one run: its record changed in one to three places, every third also its history."""
    luck = random.Random(seed)
    record, rows, weights = sound()
    weights = weights[:-4] + struct.pack("<f", seed * 1e-6)  # every run has weights of its own: none is a copy
    record = {**record, "seed": seed, "weights_sha256": hashlib.sha256(weights).hexdigest()}
    kind = luck.random()
    for _ in range(luck.choice((1, 1, 2, 3))):
        if kind < 0.35:
            key = luck.choice(list(MORE))
            record = {**record, key: Raw(MORE[key])}
        else:
            found = [place for place in places(record) if not any(isinstance(p, Raw) for p in place)]
            record = changed(record, luck.choice(found), luck.choice(BAD if kind < 0.75 else ODD))
    lines = [written(row) for row in rows]
    if seed % 3 == 0:
        place = luck.randrange(len(rows))
        lines[place] = written(changed(rows[place], (luck.choice(list(rows[place])),), luck.choice([*BAD, *ODD])))
    return {
        RECORD: written(record).encode("utf-8", "surrogatepass"),
        WEIGHTS: weights,
        HISTORY: ("\n".join(lines) + "\n").encode("utf-8", "surrogatepass"),
    }


def zips(number: int = NUMBER) -> Iterator[bytes]:
    """So many runs as zips, the same ones each time."""
    for seed in range(number):
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as made:
            for name, part in files(seed).items():
                made.writestr(f"run/{name}", part)
        yield content.getvalue()


def folders(root: Path, number: int) -> list[Path]:
    """So many runs as folders that nobody has checked."""
    made = []
    for seed in range(number):
        folder = root / f"run-{seed:04d}"
        folder.mkdir(parents=True)
        for name, part in files(seed).items():
            (folder / name).write_bytes(part)
        made.append(folder)
    return made


def unchanged(root: Path, number: int) -> list[Path]:
    """So many sound runs, which differ in their seed and in one weight."""
    made = []
    record, _, weights = sound()
    for seed in range(number):
        folder = root / f"run-{seed:04d}"
        folder.mkdir(parents=True)
        mine = weights[:-4] + struct.pack("<f", seed * 1e-6)
        more = {"seed": seed, "weights_sha256": hashlib.sha256(mine).hexdigest(), "group": [folder.name]}
        (folder / RECORD).write_text(json.dumps({**record, **more}))
        (folder / WEIGHTS).write_bytes(mine)
        made.append(folder)
    return made
