"""Runs for other programs and other machines: by the shell, as tables, for TensorBoard, as a snippet."""

import io
import json
import shutil
import zipfile
from datetime import datetime
from pathlib import Path

import pytest

from engine.cli.main import main
from engine.errors import EngineError
from engine.runs import exports
from engine.runs.run import load, read_record
from tests.engine.runs.test_archive import NAMES


def test_the_shell_exports_and_imports(trained, tmp_path, capsys):
    out = tmp_path / "run.zip"
    assert main(["export", str(trained), "--out", str(out)]) == 0
    capsys.readouterr()
    assert main(["import", str(out), "--runs", str(tmp_path / "runs")]) == 0
    folder = Path(capsys.readouterr().out.strip())
    assert load(folder).sha256 == load(trained).sha256
    for replace, code in (([], 2), (["--replace"], 0)):  # what is there is not overwritten by accident
        out.write_bytes(b"something else")
        assert main(["export", str(trained), "--out", str(out), *replace]) == code
        assert (out.read_bytes() == b"something else") is (code == 2)
        said = capsys.readouterr().err
        assert ("--replace to overwrite it" in said) is (code == 2)
    pair = [str(trained / name) for name in NAMES[:2]]
    assert main(["import", *pair, "--runs", str(tmp_path / "runs")]) == 2
    assert capsys.readouterr().err == "Error: This run is there already: imported/maml-k4-s0.\n"
    assert main(["import", *pair, "--runs", str(tmp_path / "more")]) == 0
    assert load(Path(capsys.readouterr().out.strip())).sha256 == load(trained).sha256
    for wrong in ([str(tmp_path / "none.zip")], [str(trained / "run.json")], [*pair, str(out)]):
        assert main(["import", *wrong, "--runs", str(tmp_path / "other")]) == 2
        assert capsys.readouterr().err.count("\n") == 1


def test_tables_hold_every_row_in_every_format(trained):
    import pandas as pd

    rows = exports.histories([trained, trained])
    assert len(rows) == 2 * len(load(trained).history())
    assert set(rows["learner"]) == {"maml"}
    record = read_record(trained)
    for frame in (rows, exports.results([trained])):
        for form, read in (("csv", pd.read_csv), ("parquet", pd.read_parquet)):
            again = read(io.BytesIO(exports.table(frame, form)))
            assert list(again.columns) == list(frame.columns)
            assert len(again) == len(frame)
        assert len(json.loads(exports.table(frame, "json"))) == len(frame)
    assert exports.results([trained])["test_mse"][0] == record["metrics"]["test_mse"]
    with pytest.raises(EngineError, match="not as 'xls'"):
        exports.table(rows, "xls")


def events(content):
    """The event files of a zip, by their folder, read back with the protocol of their writer."""
    from tensorboardX.proto.event_pb2 import Event

    found = {}
    with zipfile.ZipFile(io.BytesIO(content)) as made:
        for name in made.namelist():
            file, place = made.read(name), 0
            while place < len(file):  # length (8 bytes), its checksum (4), the event, its checksum (4)
                length = int.from_bytes(file[place : place + 8], "little")
                event = Event.FromString(file[place + 12 : place + 12 + length])
                found.setdefault(name.rpartition("/")[0], []).append(event)
                place += 16 + length
    return found


def test_tensorboard_reads_the_same_numbers_at_the_times_when_they_were_logged(trained):
    (found,) = events(exports.tensorboard([trained])).values()
    scalars = {(value.tag, event.step): (event, value) for event in found for value in event.summary.value}
    rows = load(trained).history()
    for row in rows:
        for key in ("loss", "validation"):
            if row[key] is not None:
                event, value = scalars[key, row["iteration"]]
                assert value.simple_value == pytest.approx(row[key], rel=1e-6)
                assert event.wall_time == row["time"]
    record = read_record(trained)
    assert scalars["metrics/test_mse", 6][1].simple_value == pytest.approx(record["metrics"]["test_mse"])
    end = datetime.fromisoformat(record["updated"]).timestamp()
    assert end - 600 < rows[0]["time"] <= rows[-1]["time"] <= end + 1


def test_tensorboard_has_a_folder_for_each_run_with_its_hyper_parameters(trained, tmp_path):
    from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData

    other = tmp_path / trained.parent.name / trained.name  # of the same name, in a collection of the same name
    shutil.copytree(trained, other)
    rows = [{key: value for key, value in row.items() if key != "time"} for row in load(trained).history()]
    (other / "history.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))  # of an earlier version
    found = events(exports.tensorboard([trained, other, *Path("checkpoints/sine").glob("maml-k5-s[01]")]))
    assert len(found) == 4 and {"checkpoints/sine/maml-k5-s0", "checkpoints/sine/maml-k5-s1"} < {
        "/".join(name.split("/")[-3:]) for name in found
    }
    for name, events_of_run in found.items():
        values = [value for event in events_of_run for value in event.summary.value]
        (start,) = [value for value in values if value.tag == "_hparams_/session_start_info"]
        said = HParamsPluginData.FromString(start.metadata.plugin_data.content).session_start_info.hparams
        assert said["learner"].string_value == "maml" and said["inner_lr"].number_value > 0
        assert said["seed"].number_value == int(name[-1])
        times = [event.wall_time for event in events_of_run if event.summary.value and event.step]
        assert times == sorted(times)
    assert list(events(exports.tensorboard([trained]))) == [f"{trained.parent.name}/{trained.name}"]


def test_the_snippet_opens_the_run(trained):
    opened = {}
    exec(exports.snippet(trained).split("trajectory")[0], opened)
    assert opened["run"].sha256 == load(trained).sha256
