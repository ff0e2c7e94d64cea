"""What copies, editors and programs that died leave of a run: one clear sentence, and the others still listed."""

import hashlib
import json

import pytest

from engine.errors import BadRun
from engine.jobs import local as jobs
from engine.runs.history import HISTORY, read_history
from engine.runs.listing import find
from engine.runs.run import RECORD, WEIGHTS, load, read_record
from engine.training import plans, sessions
from tests.engine.conftest import short
from tests.engine.trainings import DISTRIBUTION, content, train

pytestmark = pytest.mark.usefixtures("few_test_tasks")


def test_weights_that_break_under_an_honest_hash_are_named_and_the_others_are_listed(tmp_path):
    """Bytes of the header flipped or missing, and the hash made to fit: whoever did this meant it."""
    bad, good = train(tmp_path, seeds=(0, 1))
    whole, sound = (bad / WEIGHTS).read_bytes(), content(good)
    for place in (*range(0, 64), len(whole) // 2, -1):
        torn = bytearray(whole)
        torn[place] ^= 0xFF
        _put(bad, bytes(torn))
        _refused_or_read(bad)
    for size in (0, 1, 7, 8, 9, 100, len(whole) - 1):
        _put(bad, whole[:size])
        with pytest.raises(BadRun, match=r"weights\.safetensors is not a safetensors file") as error:
            load(bad)
        assert "\n" not in str(error.value)
    assert [path for path, _ in find(tmp_path)] == [bad, good]
    assert content(good) == sound


def _put(folder, weights):
    (folder / WEIGHTS).write_bytes(weights)
    record = {**read_record(folder), "weights_sha256": hashlib.sha256(weights).hexdigest()}
    (folder / RECORD).write_text(json.dumps(record))


def _refused_or_read(folder):
    try:
        load(folder)  # another number in the weights is a weight
    except BadRun as error:
        assert "\n" not in str(error) and WEIGHTS in str(error)


TORN = {
    "the last line": (lambda lines: [*lines[:-1], lines[-1][:9]], 12),
    "a line in the middle": (lambda lines: [*lines[:5], lines[5][:9], *lines[6:]], 5),
    "an empty file": (lambda _: [], 0),
    "a block of zeros": (lambda lines: [*lines[:5], "\0" * 512], 5),
    "no text": (lambda lines: [*lines[:5], b"\xff\xfe\x9c".decode("latin-1")], 5),
    "a row that is a number": (lambda lines: [*lines[:5], "7", *lines[6:]], 5),
    "a row without its iteration": (lambda lines: [*lines[:5], '{"loss": 1}', *lines[6:]], 5),
}


@pytest.mark.parametrize("how", TORN)
def test_a_torn_history_is_read_as_far_as_it_is_whole_and_mended_by_resuming(how, tmp_path):
    tear, whole_rows = TORN[how]
    (whole,), (cut,) = train(tmp_path / "whole"), train(tmp_path / "cut", until=7)
    for folder, kept in ((whole, whole_rows), (cut, min(whole_rows, 7))):
        path = folder / HISTORY
        rows = read_history(folder)
        path.write_bytes("\n".join(tear(path.read_text().splitlines())).encode("latin-1"))
        assert read_history(folder) == rows[:kept]
    sessions.resume(cut)
    assert [row["iteration"] for row in load(cut).history()] == list(range(13))
    assert load(cut).sha256 == load(whole).sha256


WRONG = {
    "iteration": "many",
    "seconds": [1],
    "tasks_per_s": "fast",
    "metrics": {"test_mse": "good"},
    "training": {"iterations": "many"},
    "schema": 3,
    "group": "maml-k4-s0",
}


@pytest.mark.parametrize("key", WRONG)
def test_a_record_with_a_wrong_value_is_one_sentence_and_the_others_are_listed(key, tmp_path):
    bad, good = train(tmp_path, until=7, seeds=(0, 1))
    record = json.loads((bad / RECORD).read_text())
    (bad / RECORD).write_text(json.dumps({**record, "group": [bad.name], key: WRONG[key]}))
    (good / RECORD).write_text(json.dumps({**read_record(good), "group": [good.name]}))
    before = content(bad)
    with pytest.raises(BadRun, match=rf"run\.json.*\b{key}\b") as error:
        sessions.resume(bad)
    assert "\n" not in str(error.value)
    assert content(bad) == before
    assert [path for path, _ in find(tmp_path)] == [good]
    assert [job.folder for job in jobs.jobs(tmp_path)] == [good]


def test_a_renamed_run_is_a_job_of_its_own(tmp_path):
    """Its record still calls it by its old name."""
    (folder,) = train(tmp_path / "runs")
    new = folder.rename(folder.with_name("the best one"))
    assert [(job.folder, job.status) for job in jobs.jobs(tmp_path)] == [(new, "done")]
    (another,) = train(tmp_path / "runs")
    assert {job.folder for job in jobs.jobs(tmp_path)} == {new, another}
    assert plans.run_folder(tmp_path / "runs", DISTRIBUTION, short("maml"), 0) == another
