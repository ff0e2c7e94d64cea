"""Runs as files, and what others may give for one: nothing unsound is taken up, and nothing outside is touched."""

import hashlib
import io
import json
import random
import warnings
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from engine.errors import BadRun, EngineError
from engine.runs import archive
from engine.runs.listing import find
from engine.runs.run import load

NAMES = ("run.json", "weights.safetensors", "history.jsonl")


@pytest.fixture(scope="module")
def parts(trained):
    return Parts((name, (trained / name).read_bytes()) for name in NAMES)


class Parts(dict):
    """Files by name, whose contents stay out of reports of failures."""

    def __repr__(self):
        return f"Parts({list(self)})"


def zipped(files, **options):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, **options) as made:
        for name, part in files:
            made.writestr(name, part)
    return content.getvalue()


def nothing_left(root):
    """No run, no staging folder, no other file."""
    return [path for path in Path(root).rglob("*") if path.is_file()] == []


def test_a_run_survives_the_round_trip(trained, tmp_path):
    folder = archive.unpack(archive.pack(trained), tmp_path)
    before, after = load(trained), load(folder)
    assert after.sha256 == before.sha256
    assert (after.learner, after.distribution, after.seed) == (before.learner, before.distribution, before.seed)
    assert after.history() == before.history()
    assert after.record["metrics"] == before.record["metrics"]
    assert after.record["imported"] is True
    assert [path for path, _ in find(tmp_path)] == [folder]


def test_what_is_there_already_is_not_taken_up_again(trained, parts, tmp_path):
    """Copies would count as seeds. Other weights of the same name are another run."""
    content = archive.pack(trained)
    first = archive.unpack(content, tmp_path)
    elsewhere = tmp_path / "moved" / "renamed"
    elsewhere.parent.mkdir()
    for where in ("imported/maml-k4-s0", "moved/renamed"):
        with pytest.raises(archive.KnownRun, match=f"This run is there already: {where}."):
            archive.unpack(content, tmp_path)
        if first.exists():
            first.replace(elsewhere)
    assert [path for path, _ in find(tmp_path)] == [elsewhere]
    other = with_parameter(parts, "hyper_parameters", "inner_lr", 0.5)  # the same weights, used in another way
    archive.take_up(other, tmp_path)
    second = archive.take_up(with_parameter(parts, "hyper_parameters", "inner_lr", 0.7), tmp_path)
    assert second.name == "maml-k4-s0-2"


LEFT = """__MACOSX/run/._run.json run/.DS_Store Thumbs.db run/desktop.ini run/.lock run/.run.json.x1 run/kept/ run/
run/run.json~ run/snapshot.safetensors .git/run.json run\\Thumbs.db run/nohup.out""".split()


def test_what_file_managers_shells_and_trainings_leave_is_passed_over(parts, tmp_path):
    files = [*((name, b"anything") for name in LEFT), *((f"run/{name}", part) for name, part in parts.items())]
    files += [(f"__MACOSX/{i}", b"") for i in range(50)]
    assert {path.name for path in archive.unpack(zipped(files), tmp_path).iterdir()} == set(NAMES)


def test_kept_weights_and_the_log_travel_with_a_run(trained, parts, tmp_path):
    weights = parts["weights.safetensors"]
    files = {**parts, "log.txt": b"all went well", "kept/00000002.safetensors": weights}
    first = archive.unpack(zipped((f"run/{name}", part) for name, part in files.items()), tmp_path / "one")
    again = archive.unpack(archive.pack(first), tmp_path / "two")
    assert list(load(again).kept()) == [2]
    assert (again / "log.txt").read_bytes() == b"all went well"
    for name, part in (("kept/x.safetensors", weights), ("kept/2.txt", b""), ("kept/2.safetensors", b"\x80pickle")):
        with pytest.raises(BadRun, match=r"not part of a run|not a safetensors file"):
            archive.unpack(zipped({**parts, name: part}.items()), tmp_path / "three")
    assert nothing_left(tmp_path / "three")


def test_weights_with_their_record_are_enough(parts, tmp_path):
    folder = archive.take_up({name: parts[name] for name in NAMES[:2]}, tmp_path)
    assert load(folder).history() == []
    with pytest.raises(BadRun, match=r"needs run\.json"):
        archive.take_up({"weights.safetensors": parts["weights.safetensors"]}, tmp_path)


def changed(parts, **more):
    return {**parts, "run.json": json.dumps({**json.loads(parts["run.json"]), **more}).encode()}


def with_network(parts, widths):
    return with_parameter(parts, "hyper_parameters", "network", {"name": "mlp", "widths": widths})


def with_parameter(parts, group, key, value):
    return changed(parts, **{group: {**json.loads(parts["run.json"])[group], key: value}})


def infinite(parts):
    tensors = load_tensors(parts["weights.safetensors"])
    tensors["net.weight1"][0] = float("inf")
    content = save_tensors(tensors)
    return changed({**parts, "weights.safetensors": content}, weights_sha256=hashlib.sha256(content).hexdigest())


UNSOUND = {
    "another schema": lambda p: changed(p, schema=99),
    "a learner that does not exist": lambda p: changed(p, learner="__import__('os')"),
    "a negative seed": lambda p: changed(p, seed=-1),
    "a seed with a path": lambda p: changed(p, seed="../../x"),
    "another hash": lambda p: changed(p, weights_sha256="0" * 64),
    "a billion parameters": lambda p: with_parameter(
        p, "hyper_parameters", "network", {"name": "mlp", "widths": [90_000, 90_000]}
    ),
    "endless adaptation": lambda p: with_parameter(p, "hyper_parameters", "test_steps", 99_999),
    "endless layers": lambda p: with_network(p, [1] * 5000),
    "a huge task": lambda p: with_parameter(p, "task_parameters", "queries", 10**12),
    "a parameter that does not exist": lambda p: with_parameter(p, "hyper_parameters", "__class__", 1),
    "a rate that is not a number": lambda p: with_parameter(p, "hyper_parameters", "inner_lr", "NaN"),
    "a history of numbers": lambda p: {**p, "history.jsonl": b"1\n2\n"},
    "a pickle for weights": lambda p: {**p, "weights.safetensors": b"\x80\x04\x95cos\nsystem\n(S'true'\ntR."},
    "a record of a list": lambda p: {**p, "run.json": b"[]"},
    "a record nested without end": lambda p: {**p, "run.json": b"[" * 100_000},
    "a weight that is infinite": infinite,
    "a metric that is infinite": lambda p: {
        **p,
        "run.json": p["run.json"].replace(b'"test_tasks": 2000', b'"x": 1e999'),
    },
}


@pytest.mark.parametrize("what", UNSOUND)
def test_what_is_unsound_is_one_sentence_and_leaves_nothing(what, parts, tmp_path):
    with pytest.raises(EngineError) as error:
        archive.unpack(zipped(UNSOUND[what](parts).items()), tmp_path)
    assert "\n" not in str(error.value)
    assert str(tmp_path) not in str(error.value)
    assert nothing_left(tmp_path)


ESCAPES = ("../../{}", "/tmp/{}", "..\\..\\{}", "C:\\{}", "a/../../../{}", "~/{}", "./../{}")


@pytest.mark.parametrize("form", ESCAPES)
def test_a_path_that_leads_out_leads_nowhere(form, parts, tmp_path):
    """Names with folders are only ever looked at for their last part: the content lands in the runs folder."""
    root = tmp_path / "in" / "runs"
    folder = archive.unpack(zipped((form.format(name), part) for name, part in parts.items()), root)
    assert folder.parent == root / archive.IMPORTED
    assert {path.name for path in tmp_path.iterdir()} == {"in"}
    assert {path.name for path in (tmp_path / "in").iterdir()} == {"runs"}


def test_a_zip_bomb_is_read_no_further_than_its_limit(parts, tmp_path, monkeypatch):
    """A gigabyte of zeros in a megabyte, and an entry that lies about its size."""
    monkeypatch.setitem(archive.MAX_BYTES, "history.jsonl", 1000)
    bomb = zipped([*list(parts.items())[:2], ("history.jsonl", b"0" * 50_000_000)])
    assert len(bomb) < 100_000
    with pytest.raises(BadRun, match=r"history\.jsonl is larger than 1,000 bytes"):
        archive.unpack(bomb, tmp_path)
    assert nothing_left(tmp_path)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([("a/run.json", b"{}"), ("b/run.json", b"{}")], "twice"),
        ([("evil.py", b"import os")], "not part of a run"),
        ([(f"{i}.txt", b"") for i in range(30)], "at most 4"),
        ([], r"needs run\.json"),
    ],
)
def test_other_archives_are_refused(files, message, tmp_path):
    with pytest.raises(BadRun, match=message):
        archive.unpack(zipped(files), tmp_path)


HOSTILE = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def never_harmful(root, take):
    """Either a sound run or one sentence: no other error, no file elsewhere, nothing half-taken."""
    try:
        folder = take()
    except EngineError as error:
        assert "\n" not in str(error)
    else:
        assert load(folder).record["imported"]
        for path in sorted(folder.iterdir()):
            path.unlink()
        folder.rmdir()
    assert nothing_left(root)


@HOSTILE
@given(seed=st.integers(0, 10**6))
def test_a_damaged_archive_never_harms(seed, trained, tmp_path):
    """Bytes changed, dropped and doubled anywhere."""
    luck, content = random.Random(seed), bytearray(archive.pack(trained))
    for _ in range(luck.randrange(1, 20)):
        place = luck.randrange(len(content))
        match luck.randrange(3):
            case 0:
                content[place] = luck.randrange(256)
            case 1:
                del content[place : place + luck.randrange(50)]
            case 2:
                content[place:place] = bytes(luck.randrange(256) for _ in range(luck.randrange(50)))
    never_harmful(tmp_path, lambda: archive.unpack(bytes(content), tmp_path))


@HOSTILE
@given(seed=st.integers(0, 10**6))
def test_damaged_weights_with_an_honest_hash_never_harm(seed, parts, tmp_path):
    """Bytes of the tensors' header or of the tensors changed, dropped and doubled, and everything else made to fit."""
    luck, content = random.Random(seed), bytearray(parts["weights.safetensors"])
    header = 8 + int.from_bytes(content[:8], "little")
    for _ in range(luck.randrange(1, 8)):
        place = luck.randrange(header if luck.random() < 0.7 else len(content))
        match luck.randrange(4):
            case 0:
                content[place] = luck.randrange(256)
            case 1:
                del content[place : place + luck.randrange(9)]
            case 2:
                content[place:place] = bytes(luck.randrange(256) for _ in range(luck.randrange(9)))
            case 3:  # a digit of a shape or an offset
                content[place] = ord(str(luck.randrange(10)))
    hashed = hashlib.sha256(content).hexdigest()
    files = changed({**parts, "weights.safetensors": bytes(content)}, weights_sha256=hashed)
    never_harmful(tmp_path, lambda: archive.unpack(zipped(files.items()), tmp_path))


@HOSTILE
@given(data=st.data())
def test_any_files_under_any_names_never_harm(data, parts, tmp_path):
    """Zips of sound and unsound parts, with names of all kinds, entries that are links, and a comment."""
    names = st.sampled_from([*NAMES, *(form.format(name) for form in ESCAPES for name in NAMES)]) | st.text(max_size=30)
    contents = st.sampled_from(list(parts.values())) | st.binary(max_size=60)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archived, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a name that is there twice
        for name, content in data.draw(st.lists(st.tuples(names, contents), max_size=6)):
            entry = zipfile.ZipInfo(name.replace("\0", "") or "x")
            entry.external_attr = data.draw(st.sampled_from([0, 0o120777 << 16, 0o100644 << 16, 0o040755 << 16]))
            entry.compress_type = data.draw(st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))
            archived.writestr(entry, content)
        archived.comment = data.draw(st.binary(max_size=20))
    never_harmful(tmp_path, lambda: archive.unpack(made.getvalue(), tmp_path))
