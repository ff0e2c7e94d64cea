"""What a disk, a copy or an editor does to run folders: one clear sentence, nothing lost, the others still listed.

A folder that cannot be written is a real one. Where the tests run as root, whom permissions do not bind, a child
process first gives that privilege up.
"""

import ctypes
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from engine.jobs import local as jobs
from engine.runs.history import read_history
from engine.runs.listing import find
from engine.runs.run import load, read_record
from engine.training import plans, sessions
from tests.engine.trainings import DISTRIBUTION, content, train

pytestmark = pytest.mark.usefixtures("few_test_tasks")

ROOT = Path(__file__).resolve().parents[2]
# Capabilities 1 and 2: to write and to read whatever the permissions say. For others than root this changes nothing.
BOUND = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
header = (ctypes.c_uint32 * 2)(0x20080522, 0)
sets = (ctypes.c_uint32 * 6)()
assert libc.capget(header, sets) == 0
for k in (0, 1, 2):
    sets[k] &= ~0b110
assert libc.capset(header, sets) == 0
"""
has_capabilities = hasattr(ctypes.CDLL(None), "capset")
on_linux = pytest.mark.skipif(not has_capabilities, reason="gives up a privilege of root, as on Linux")


def write_protect(root, allowed):
    """Folders and files below `root`: nobody may write them, or the owner again."""
    for path in [root, *root.rglob("*")]:
        path.chmod((0o755 if allowed else 0o555) if path.is_dir() else (0o644 if allowed else 0o444))


@pytest.fixture
def protected(tmp_path):
    """A folder of runs, one trained and one interrupted, that cannot be written; its content before."""
    root = tmp_path / "runs"
    train(root / "done")
    train(root / "cut", until=7)
    before = content(root)
    write_protect(root, allowed=False)
    yield root, before
    write_protect(root, allowed=True)


def bound(code, *arguments):
    """Runs Python in a process whom permissions bind: exit code, output, errors."""
    done = subprocess.run(
        [sys.executable, "-c", BOUND + code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    return done.returncode, done.stdout, done.stderr


EACH = """
import io, json, sys
from contextlib import redirect_stderr, redirect_stdout
from engine.cli.main import main
found = []
for words in json.loads(sys.argv[1]):
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()) as error:
        code = main(words)
    found.append((code, error.getvalue()))
print(json.dumps(found))
"""
SHELL = "import sys; from engine.cli.main import main; sys.exit(main(sys.argv[1:]))"


REFUSED = [
    ["resume", "{root}/cut/maml-k4-s0"],
    ["resume", "{root}/cut/maml-k4-s0", "--detach"],
    ["cancel", "{root}/cut/maml-k4-s0"],
    ["restart", "{root}/cut/maml-k4-s0"],
    ["delete", "{root}/done/maml-k4-s0", "--runs", "{root}"],
    ["train", "maml", "--shots", "4", "--iterations", "4", "--runs", "{root}/new"],
    ["train", "maml", "--shots", "4", "--iterations", "4", "--runs", "{root}/done", "--replace"],
    ["import", "{zip}", "--runs", "{root}"],
]


@on_linux
def test_where_nothing_can_be_written_the_shell_says_so_in_one_sentence(protected, tmp_path):
    from engine.runs import archive

    root, before = protected
    (tmp_path / "run.zip").write_bytes(archive.pack(root / "done" / "maml-k4-s0"))
    commands = [[word.format(root=root, zip=tmp_path / "run.zip") for word in words] for words in REFUSED]
    code, said, errors = bound(EACH, json.dumps(commands))
    assert code == 0, errors
    for words, (code, error) in zip(commands, json.loads(said), strict=True):
        (line,) = error.strip().splitlines()
        assert (code, line[:7]) == (2, "Error: "), words
        assert str(root) in line and "Permission denied" in line, words
    assert content(root) == before


@on_linux
def test_where_nothing_can_be_written_all_can_still_be_read(protected):
    root, before = protected
    code, said, _ = bound(SHELL, "runs", root, "--json")
    assert code == 0
    assert len(json.loads(said)) == 2
    code, said, errors = bound(SHELL, "evaluate", root / "done" / "maml-k4-s0", "--tasks", "5", "--json")
    assert code == 0, errors
    assert content(root) == before


PROTECTED_HALFWAY = """
import os, sys
from pathlib import Path
from engine.training import sessions
folder = Path(sys.argv[1])
def protect(progress):
    if progress.iteration == 8:
        folder.chmod(0o555)
sessions.resume(folder, report=protect)
"""


@on_linux
def test_write_protected_in_the_middle_it_goes_on_later_to_the_same_bits(tmp_path):
    (whole,) = train(tmp_path / "whole")
    (cut,) = train(tmp_path / "cut", until=7)
    code, _, said = bound(PROTECTED_HALFWAY, cut)
    assert code == 1
    assert "Permission denied" in said.strip().splitlines()[-1]
    assert jobs.job(cut).status == "interrupted"  # the record cannot say more, but nobody is there
    assert read_history(cut)
    cut.chmod(0o755)
    sessions.resume(cut)
    assert load(cut).sha256 == load(whole).sha256


FULL = [
    ["import", "{zip}", "--runs", "{root}/new"],
    ["export", "{root}/maml-k4-s0", "--out", "{root}/out.zip"],
    ["train", "maml", "--shots", "4", "--iterations", "4", "--runs", "{root}/new"],
    ["train", "maml", "--shots", "4", "--iterations", "4", "--runs", "{root}/new", "--detach"],
    ["restart", "{root}/maml-k4-s0"],
]


def test_on_a_full_disk_the_shell_says_so_and_nothing_is_half_there(tmp_path):
    """No file may grow beyond 100 bytes: not even a record fits. Each command has a folder of its own."""
    from engine.runs import archive

    roots = [tmp_path / str(i) / "runs" for i in range(len(FULL))]
    train(roots[0])
    for other in roots[1:]:
        shutil.copytree(roots[0], other)
    (tmp_path / "run.zip").write_bytes(archive.pack(roots[0] / "maml-k4-s0"))
    commands = [
        [word.format(root=root, zip=tmp_path / "run.zip") for word in words]
        for words, root in zip(FULL, roots, strict=True)
    ]
    limit = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
    done = subprocess.run(
        [sys.executable, "-c", limit + EACH, json.dumps(commands)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    for root, (code, error) in zip(roots, json.loads(done.stdout), strict=True):
        (line,) = error.strip().splitlines()
        assert (code, line[:7]) == (2, "Error: "), error
        assert "File too large" in line
        left = ("out.zip", ".run.json*", ".import*")
        assert not [path for pattern in left for path in root.rglob(pattern)]
        assert [path for path, _ in find(root)] == [root / "maml-k4-s0"]
        assert [job.status for job in jobs.jobs(root)] == ["done"]
        assert load(root / "maml-k4-s0").history()


def test_no_training_goes_on_from_the_snapshot_of_one_that_it_replaces(tmp_path, monkeypatch):
    """Whatever moment of a restart a process dies in: the next one begins anew, with the new configuration."""
    import itertools

    whole = train(tmp_path / "whole")[0]
    for death in itertools.count():
        (cut,) = train(tmp_path / str(death), until=7)
        old = plans.plan_of(cut)
        new = plans.Plan(old.learner, old.distribution, replace(old.training, lr=0.02), old.seeds, old.folders)
        steps = [0]

        def dies(act):
            def instead(*arguments, **options):
                if steps[0] == death:  # noqa: B023
                    raise KeyboardInterrupt
                steps[0] += 1  # noqa: B023
                return act(*arguments, **options)

            return instead

        with monkeypatch.context() as patch:
            patch.setattr(plans.os, "replace", dies(os.replace))
            patch.setattr(plans.Path, "unlink", dies(Path.unlink))
            try:
                new.prepare("queued")
                break
            except KeyboardInterrupt:
                pass
        sessions.resume(cut)
        fresh = read_record(cut)["training"]["lr"] == 0.02
        assert fresh or load(cut).sha256 == load(whole).sha256
        if fresh:
            (again,) = sessions.train(new.learner, DISTRIBUTION, new.training, (0,), tmp_path / f"{death}-again")
            assert load(cut).sha256 == load(again).sha256
            assert load(cut).history()[-1]["iteration"] == 12
    assert death > 5
