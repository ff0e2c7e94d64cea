"""Does a training that was killed and taken up by another process end with the same bits? Every learner, as shipped.

    python tests/benchmarks/resumption.py [--learners maml ...] [--seeds 1 3] [--ways traced compiled] [--json]

One process trains 60 updates as the default recipe says (10 points), and its run folders are copied as a kill would
leave them: before its meta-step is recorded, just then and after (updates 49, 50 and 51). Another process resumes each
copy. All must end with the weights of the first, to the bit. Ends with 1 if any does not.
"""

import argparse
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
END, CUTS, SHOTS = 60, (49, 50, 51), 10


def whole(root: Path, name: str, seeds: int, compiled: bool) -> None:
    """Trains to the end, and copies all run folders after each of the cuts."""
    from engine.configure import configure
    from engine.learners import LEARNERS
    from engine.runs.budget import Training
    from engine.tasks import Sine
    from engine.training import recipes, sessions
    from engine.training.trainer import Progress

    recipe = recipes.recipe("sine", "default", name, SHOTS)
    often = {"iterations": END, "snapshot_every": 1, "keep_every": END, "validate_every": END, "validation_tasks": 10}
    learner = configure(LEARNERS[name], recipe.hyper_parameters, name)
    training = configure(Training, {**recipe.training, **often}, "training")

    def copy(progress: Progress) -> None:
        before = progress.iteration - 1  # whose snapshot is there when this one is reported
        if before in CUTS and not (root / str(before)).exists():
            shutil.copytree(root / "whole", root / str(before))

    numbers = tuple(range(seeds))
    sessions.train(learner, Sine(shots=SHOTS), training, numbers, root / "whole", compiled=compiled, report=copy)


def again(root: Path) -> None:
    """Resumes what was copied."""
    from engine.training import sessions

    for cut in CUTS:
        sessions.resume(next(iter(sorted((root / str(cut)).glob("*-s0")))))


def differing(root: Path) -> list[str]:
    """The files of weights, of all seeds and cuts, that are not those of the training that ran through."""
    files = sorted(path.relative_to(root / "whole") for path in (root / "whole").glob(f"*/kept/{END:08d}.safetensors"))
    ends = [(cut, file, (root / str(cut) / file)) for cut, file in itertools.product(CUTS, files)]
    assert files, "no weights were kept"
    return [
        f"{cut}/{file.parts[0]}"
        for cut, file, path in ends
        if path.read_bytes() != (root / "whole" / file).read_bytes()
    ]


def main() -> int:
    """Asks for every combination; the processes that it starts are this script again."""
    sys.path.insert(0, str(ROOT))
    if sys.argv[1:2] == ["--whole"]:
        whole(Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]), sys.argv[5] == "compiled")
        return 0
    if sys.argv[1:2] == ["--again"]:
        again(Path(sys.argv[2]))
        return 0
    from engine.learners import LEARNERS

    names = [name for name, cls in LEARNERS.items() if cls.meta_trained and "regression" in cls.kinds]
    parser = argparse.ArgumentParser(description="Whether interrupted trainings end with the same bits.")
    parser.add_argument("--learners", nargs="+", choices=names, default=names)
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 3])
    parser.add_argument("--ways", nargs="+", choices=("traced", "compiled"), default=["traced", "compiled"])
    parser.add_argument("--json", action="store_true", help="print a list of results")
    args = parser.parse_args()
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    rows: list[dict[str, Any]] = []
    for name, seeds, way in itertools.product(args.learners, args.seeds, args.ways):
        with tempfile.TemporaryDirectory() as folder:
            for words in (["--whole", folder, name, str(seeds), way], ["--again", folder]):
                subprocess.run([sys.executable, "-W", "ignore", __file__, *words], check=True, env=environment)
            rows.append({"learner": name, "seeds": seeds, "way": way, "differing": differing(Path(folder))})
        if not args.json:
            found = rows[-1]["differing"]
            print(
                f"{name:22} {seeds} at once, {way:8}: {'DIFFER: ' + ', '.join(found) if found else 'same bits'}",
                flush=True,
            )
    if args.json:
        print(json.dumps(rows, indent=1))
    return int(any(row["differing"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
