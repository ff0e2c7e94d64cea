"""examples/ and docs/add-a-learner.md, as a reader uses them: checked, trained, and on the pages."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dashboard.widgets import library
from engine import plugins, registry
from engine.checks import check_learner, check_network, check_task
from engine.checks.learners import few, short
from engine.cli.main import main
from engine.learners import LEARNERS, make
from engine.networks import NETWORKS
from engine.runs.run import load
from engine.tasks import TASKS
from probes import PROBES
from probes.cli import main as ask
from tests.dashboard.pages import charts, fine, linked
from tests.test_guides import block

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"
KINDS = {"learner": "sign_maml", "network": "tanh", "task": "steps", "probe": "moved"}


@pytest.fixture
def examples(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are installed."""
    monkeypatch.setenv(plugins.VARIABLE, str(EXAMPLES))


@pytest.mark.parametrize(("kind", "name"), KINDS.items())
def test_guides_show_the_examples_which_are_short(kind: str, name: str):
    text = (EXAMPLES / f"{name}.py").read_text()
    assert block(kind) == text
    assert len(text.splitlines()) <= 60
    assert sorted(path.stem for path in EXAMPLES.glob("*.py")) == sorted(KINDS.values())


@pytest.mark.usefixtures("examples")
def test_they_are_found_and_pass_what_ours_pass():
    assert (list(LEARNERS)[-1], list(NETWORKS)[-1]) == ("sign-maml", "tanh")
    assert (list(TASKS)[-1], list(PROBES)[-1]) == ("steps", "moved")
    assert registry.complaints() == []
    check_network(NETWORKS["tanh"](width=6))
    check_task(TASKS["steps"]())
    for kind in LEARNERS["sign-maml"].kinds:
        check_learner(short(LEARNERS["sign-maml"]), few(kind))
    check_learner(make("sign-maml", network={"name": "tanh", "width": 8}, steps=2), TASKS["steps"](shots=6, queries=9))


@pytest.mark.usefixtures("examples")
def test_all_four_work_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    words = ["train", "sign-maml", "--task", "steps", "--iterations", "3", "--set", "network=tanh", "--shots", "5"]
    assert main([*words, "--set", "training.validation_tasks=4", "--runs", str(tmp_path), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    run = load(row["path"])
    assert {kind: owner.split()[0] for kind, owner in run.record["plugins"].items()} == {
        "learner": "sign_maml.py",
        "network": "tanh.py",
        "task": "steps.py",
    }
    assert ask(["moved", "--run", row["path"], "--set", "tasks=2"]) == 0
    assert list(json.loads(capsys.readouterr().out)["by_learner"]) == ["sign-maml"]


def test_the_guide_followed_in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Its commands, to the letter; then the pages are asked for what it promises."""
    (commands,) = re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / "add-a-learner.md").read_text(), flags=re.S)
    (tmp_path / "sign_maml.py").write_text(block("learner"))
    *lines, last = commands.splitlines()
    assert last == "python -m dashboard"
    script = "set -e\n" + "\n".join(lines).replace("python ", f"{sys.executable} ")
    outside = {key: value for key, value in os.environ.items() if not key.startswith("INNERLOOP")}
    environment = {**outside, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        ["sh", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAILED" not in done.stdout
    (run,) = (tmp_path / "runs" / "sine").iterdir()

    monkeypatch.setenv(plugins.VARIABLE, str(tmp_path / "sign_maml.py"))
    monkeypatch.setattr(library, "RUNS", tmp_path / "runs")
    library._load.clear()
    library._shots.clear()
    library._tasks.clear()
    assert load(run).learner == make("sign-maml")
    live = fine(linked("live", {"runs": "my-sine"}))
    assert not live.warning
    (pad,) = live.get("bidi_component") or live.get("component_instance")
    assert "Sign-MAML" in str(pad.proto)
    behaviour = linked("behaviour", {"runs": "my-sine", "behaviour-tasks": "50"})
    fine(behaviour)
    assert behaviour.button_group(key="behaviour-learners").value == ["sign-maml"]
    assert any("Sign-MAML" in json.dumps(chart["data"]) for chart in charts(behaviour))


@pytest.mark.usefixtures("examples")
def test_a_probe_is_a_part_of_a_page_once_it_is_there(monkeypatch: pytest.MonkeyPatch):
    at = fine(linked("behaviour", {"behaviour-part": "Your probes", "on": "maml,scratch"}))
    assert PROBES["moved"].question in [title.value for title in at.subheader]
    assert not at.dataframe, "it is asked on demand"
    assert any("From scratch" in caption.value and "Not in what follows" in caption.value for caption in at.caption)
    fine(at.button(key="behaviour-yours-moved-ask").click().run())
    table = at.dataframe[0].value.set_index("part")
    assert table.loc["by_learner / maml", "value"] == "3 × 100"
    assert table.loc["by_learner / maml", "mean"] > 0
    monkeypatch.delenv(plugins.VARIABLE)
    others = fine(linked("behaviour", {"behaviour-part": "Your probes", "on": "maml", "behaviour-tasks": "50"}))
    assert "Your probes" not in [tab.label for tab in others.tabs]


def test_a_broken_plug_in_is_a_sentence_on_the_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "broken.py").write_text("import no_such_<b>module</b>")
    monkeypatch.setenv(plugins.VARIABLE, str(tmp_path))
    (said,) = [warning.value for warning in fine(linked("train", {})).warning]
    assert "broken.py is left out: SyntaxError" in said.replace("\\", "")
    assert "<b>" not in said
