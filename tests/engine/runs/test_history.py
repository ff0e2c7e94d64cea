"""The history of a run: read as far as it is whole, parsed once, and never further than its limits."""

import json

import pytest

from engine.runs import history
from engine.runs.run import load


def test_history_ends_where_a_line_was_cut_off(folder):
    run = load(folder)
    assert run.history() == []
    (folder / "history.jsonl").write_text('{"iteration": 0}\n{"iteration": 4}\n{"iter')
    assert run.history() == [{"iteration": 0}, {"iteration": 4}]


BAD_ROWS = ['{"iteration": 1, "loss": "0.1"}', '{"iteration": 1, "loss": [1]}', '{"iteration": 1, "loss": true}',
            '{"iteration": true}', '{"iteration": -1}', '{"iteration": 1, "loss": NaN}', '{"iteration": 1e9}',
            '{"iteration": 1, "loss": ' + "9" * 400 + "}", '{"iteration": 1, "x": "' + "y" * 9000 + '"}']  # fmt: skip


@pytest.mark.parametrize("row", BAD_ROWS)
def test_history_ends_at_a_row_that_is_not_of_numbers(folder, row):
    (folder / "history.jsonl").write_text(f'{{"iteration": 0, "loss": null}}\n{row}\n{{"iteration": 2}}\n')
    assert load(folder).history() == [{"iteration": 0, "loss": None}]


def test_a_history_is_parsed_once_and_never_further_than_its_limits(folder, monkeypatch):
    parsed = []
    monkeypatch.setattr(history.json, "loads", lambda text: parsed.append(len(text)) or json.JSONDecoder().decode(text))
    path = folder / "history.jsonl"
    path.write_text('{"iteration": 0}\n{"iteration": 1' + "0" * 50_000_000 + "}\n")
    assert history.read_history(folder) == history.read_history(folder) == [{"iteration": 0}]
    assert parsed == [16]  # the long line is not looked at, and the second look finds what the first one found
    path.write_text('{"iteration": 0}\n{"iteration": 1}\n')
    assert len(history.read_history(folder)) == 2
    monkeypatch.setattr(history, "MAX_BYTES", 20)
    path.write_text('{"iteration": 0}\n{"iteration": 1}\n{"iteration": 2}\n')
    assert history.read_history(folder) == [{"iteration": 0}]
