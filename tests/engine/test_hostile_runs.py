"""A thousand runs that somebody else wrote, through all that reads, shows in tables and exports them."""

from __future__ import annotations

import io
import json
import warnings
from pathlib import Path

import pandas as pd
import pytest

from engine.cli.main import main
from engine.errors import EngineError
from engine.jobs import local as jobs
from engine.runs import archive, exports
from engine.runs.ensembles import find_ensembles
from engine.runs.groups import groups
from engine.runs.listing import broken, find
from engine.runs.run import load, read_record
from tests import hostile

BATCH = 100  # runs in one folder: an import looks through those that are there


@pytest.fixture(scope="module")
def accepted(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Those of a thousand zips that are taken up; each of the others is refused in one short sentence."""
    root, found = tmp_path_factory.mktemp("imported"), []
    for number, content in enumerate(hostile.zips()):
        inside = root / f"{number // BATCH}"
        try:
            found.append(archive.unpack(content, inside))
        except EngineError as error:
            assert "\n" not in str(error) and str(error).isprintable(), number
            assert len(str(error)) < 400, (number, str(error)[:1000])
    assert 0.2 < len(found) / hostile.NUMBER < 0.8, "most are of one kind: the test says little"
    return found


def test_what_is_taken_up_can_be_read_compared_and_exported(accepted: list[Path]):
    records = [read_record(folder) for folder in accepted]
    assert sum(len(group.runs) + len(group.repeated) for group in groups(zip(accepted, records, strict=True))) == len(
        accepted
    )
    for frame in (exports.histories(accepted), exports.results(accepted)):
        for form, read in (("csv", pd.read_csv), ("parquet", pd.read_parquet)):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", pd.errors.DtypeWarning)
                again = read(io.BytesIO(exports.table(frame, form)))
            assert again.shape == frame.shape
        assert len(json.loads(exports.table(frame, "json"))) == len(frame)
    for folder in accepted[::10]:
        assert exports.tensorboard([folder])
        assert archive.pack(folder)


def test_no_cell_of_a_table_is_a_formula(accepted: list[Path]):
    lines = exports.csv(exports.results(accepted)).splitlines()
    cells = [cell.strip('"') for line in lines for cell in line.split(",")]
    assert any(cell.startswith("'=") or cell.startswith("'@") for cell in cells)
    for cell in cells:
        if cell[:1] in ("=", "+", "-", "@"):
            float(cell)  # a number


def test_folders_that_nobody_checked_cost_one_sentence_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    made = hostile.folders(tmp_path / "all", min(hostile.NUMBER, 1000))
    sound, bad = dict(find(tmp_path)), dict(broken(tmp_path))
    assert sorted([*sound, *bad]) == made
    assert len(bad) > len(made) / 5
    assert all("\n" not in reason and len(reason) < 400 for reason in bad.values())
    assert {job.folder for job in jobs.jobs(tmp_path)} == set(sound)
    exports.table(exports.results(list(sound)), "parquet")
    exports.table(exports.histories(list(sound)), "csv")
    for ensemble in find_ensembles(tmp_path, "sine", 5)[0]:
        assert len({run.sha256 for run in ensemble.runs}) == len({run.seed for run in ensemble.runs})
    assert main(["jobs", "--runs", str(tmp_path)]) == 0
    assert main(["runs", str(tmp_path)]) == 0
    assert capsys.readouterr().out.count(" broken ") == 2 * len(bad)
    folder = next(iter(bad))
    assert jobs.restore(jobs.delete(folder, tmp_path), tmp_path) == folder


@pytest.mark.parametrize("raw", ['["a\\u0000"]', '["' + "y" * 5000 + '"]', '["../x"]', '"abc"', "[7]"])
def test_a_group_of_nonsense_is_one_line_among_the_jobs(raw: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for number, folder in enumerate(hostile.unchanged(tmp_path, 2)):
        if number:
            record = hostile.changed(json.loads((folder / "run.json").read_text()), ("group",), raw)
            (folder / "run.json").write_text(hostile.written(record))
    assert main(["jobs", "--json", "--runs", str(tmp_path)]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["status"] for row in rows] == ["done", "broken"]
    assert "group" in rows[1]["error"] and len(rows[1]["error"]) < 300


def test_a_rate_that_no_network_holds_is_refused_before_a_page_meets_it(tmp_path: Path):
    (folder,) = hostile.unchanged(tmp_path, 1)
    record = json.loads((folder / "run.json").read_text())
    record["hyper_parameters"]["inner_clip"] = 1e308
    (folder / "run.json").write_text(json.dumps(record))
    with pytest.raises(EngineError, match=r"inner_clip|hyper_parameters must not hold numbers beyond 1e\+38"):
        load(folder)
