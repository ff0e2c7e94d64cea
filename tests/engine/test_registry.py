"""Plug-ins: found in files and packages, refused in one sentence, remembered by runs, found by other processes."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from engine import plugins, registry
from engine.cli.main import main
from engine.errors import BadRun, UnknownName
from engine.jobs import local as jobs
from engine.jobs.helper import Errand, Helper
from engine.learners import LEARNERS, MAML, make
from engine.networks import NETWORKS
from engine.runs.budget import Training
from engine.runs.ensembles import Ensemble
from engine.runs.groups import parameters
from engine.runs.origins import changed
from engine.runs.run import describe, load, save
from engine.tasks import TASKS, Sine, stream
from engine.training import estimates, plans
from probes import PROBES, asking

LEARNER = """
from dataclasses import dataclass
from engine.learners import MAML

@dataclass(frozen=True)
class Mine(MAML):
    name = "mine"
    title = "Mine"
    inner_lr: float = 0.02
"""
PROBE = """
from dataclasses import dataclass
from probes.probe import Probe

@dataclass(frozen=True)
class Config:
    more: int = 0

@dataclass(frozen=True)
class Seeds:
    seeds: int

def ask(ensembles, config, progress):
    return Seeds(len(ensembles[0].runs) + config.more)

PROBE = Probe("my-seeds", "How many seeds?", Config, (), ask)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of plug-ins, which is looked into from now on."""
    made = tmp_path / "plug ins"
    made.mkdir()
    monkeypatch.setenv(plugins.VARIABLE, str(made))
    return made


def package(root: Path, name: str, version: str, entry_points: str) -> None:
    """What pip would leave of a package."""
    info = root / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(entry_points)


def test_without_plug_ins_there_is_what_ships():
    assert "maml" in LEARNERS
    assert [LEARNERS.owner("maml"), LEARNERS.owner("nobody")] == [None, None]
    assert len(LEARNERS) == len(list(LEARNERS)) == len(dict(LEARNERS))
    assert registry.complaints() == []


def test_classes_of_files_are_found_by_name_and_go_with_the_variable(folder, monkeypatch):
    (folder / "my_learner.py").write_text(LEARNER)
    (folder / "_helper.py").write_text("raise RuntimeError('files with an underscore are not run')")
    assert list(LEARNERS)[-1] == "mine"
    assert make("mine", inner_lr=0.5).inner_lr == 0.5
    assert LEARNERS.owner("mine").startswith("my_learner.py ")
    assert "Mine" not in {cls.title for cls in LEARNERS.values() if cls is not LEARNERS["mine"]}
    assert registry.complaints() == []
    monkeypatch.delenv(plugins.VARIABLE)
    with pytest.raises(UnknownName):
        make("mine")


def test_one_file_may_bring_several_kinds_and_several_files_may_be_named(folder, monkeypatch):
    everything = LEARNER + "from engine.networks import MLP\nfrom engine.tasks import Sine\n" + PROBE
    for base in ("MLP", "Sine"):
        everything += f"@dataclass(frozen=True)\nclass My{base}({base}):\n    name = 'my-{base.lower()}'\n"
    (folder / "my_things.py").write_text(everything)
    (other := folder.parent / "other.py").write_text(LEARNER.replace('"mine"', '"other"'))
    monkeypatch.setenv(plugins.VARIABLE, f"{folder}{os.pathsep}{other}")
    assert list(LEARNERS)[-2:] == ["mine", "other"]
    assert (list(NETWORKS)[-1], list(TASKS)[-1], list(PROBES)[-1]) == ("my-mlp", "my-sine", "my-seeds")
    assert make("mine", network="my-mlp").network == NETWORKS["my-mlp"]()
    assert registry.complaints() == []


BROKEN = {
    "def (": "is left out: SyntaxError: invalid syntax",
    "raise SystemExit(3)": "is left out: SystemExit: 3",
    "import no_such_module": "ModuleNotFoundError: No module named 'no_such_module'",
    LEARNER.replace('name = "mine"', 'name = "maml"'): "The learner 'maml' of broken.py",
    LEARNER.replace('name = "mine"', ""): "The learner 'maml' of broken.py",
    LEARNER.replace("@dataclass(frozen=True)", ""): "Mine must be a frozen dataclass",
    LEARNER.replace('"mine"', '"../mine"'): "the name of Mine may hold letters, digits and . _ - only, at most 60",
    LEARNER.replace('"Mine"', "3"): "Mine must say its title as text",
    LEARNER.replace("float = 0.02", "float = None\n    def __post_init__(self): 1 / 0"): "but Mine() fails: ZeroDivis",
    PROBE + "AGAIN = PROBE": "",
    PROBE.replace("my-seeds", "maps"): "The probe 'maps' of broken.py",
    PROBE.replace("my-seeds", "my seeds"): "the name of a probe may hold letters, digits and . _ - only, at most 60",
    PROBE.replace("seeds?", "seeds"): "the question of my-seeds must be text that ends with a question mark",
    PROBE.replace(", Config,", ", {},"): "the config of my-seeds must be a dataclass",
    PROBE.replace("()", "None"): "my-seeds needs a tuple of needs, and a function to ask",
}


@pytest.mark.parametrize("content", BROKEN)
def test_what_is_broken_is_one_sentence_and_the_rest_is_there(folder, content, capsys):
    (folder / "a_sound.py").write_text(LEARNER.replace('"mine"', '"sound"'))
    (folder / "broken.py").write_text(content)
    assert ("sound" in LEARNERS, "mine" in LEARNERS, "my-seeds" in PROBES) == (True, False, not BROKEN[content])
    said = registry.complaints()
    assert len(said) == bool(BROKEN[content])
    for one in said:
        assert BROKEN[content] in one
        assert one.endswith(".") and "\n" not in one
    assert main(["learners"]) == 0
    assert capsys.readouterr().err.splitlines() == [f"Warning: {one}" for one in said]


def test_a_name_clash_names_both_owners(folder):
    (folder / "a.py").write_text(LEARNER)
    (folder / "b.py").write_text(LEARNER + "\n")
    owners = [
        f"{name}.py {plugins.hashlib.sha256((folder / f'{name}.py').read_bytes()).hexdigest()[:12]}" for name in "ab"
    ]
    assert LEARNERS.owner("mine") == owners[0]
    assert registry.complaints() == [
        f"The learner 'mine' of {owners[1]} is left out: {owners[0]} has one of this name."
    ]


def test_what_does_not_exist_is_said(folder, monkeypatch):
    monkeypatch.setenv(plugins.VARIABLE, str(folder / "none.py"))
    assert len(LEARNERS) > 1
    assert registry.complaints() == [f"INNERLOOP_PLUGINS names {folder / 'none.py'}, which does not exist."]


def test_installed_packages_are_found_by_their_entry_points(folder, tmp_path, monkeypatch):
    (tmp_path / "mine_of_a_package.py").write_text(LEARNER)
    (tmp_path / "asks_for_a_package.py").write_text(PROBE)
    points = "[innerloop.learners]\na = mine_of_a_package:Mine\nb = mine_of_a_package:none\nc = engine.tasks:Sine\n"
    points += "[innerloop.probes]\nseeds = asks_for_a_package:PROBE\nno = asks_for_a_package:ask\n"
    package(tmp_path, "my-package", "1.2", points)
    monkeypatch.syspath_prepend(tmp_path)
    assert LEARNERS.owner("mine") == "my-package 1.2"
    assert asking.find("my-seeds").question == "How many seeds?"
    none, wrong, no_probe = registry.complaints()
    assert none.startswith("The learner 'b' of my-package 1.2 is left out: AttributeError: ")
    assert wrong.startswith("A learner of my-package 1.2 is left out: <class 'engine.tasks.sine.Sine'> is no class")
    assert no_probe.startswith("A probe of my-package 1.2 is left out: its entry point no names <function ask at ")


def test_a_plug_in_that_looks_for_others_while_it_is_loaded_sees_what_ships(folder):
    ask = "from engine.learners import LEARNERS\nfrom engine.tasks import TASKS\nSEEN = len(LEARNERS), len(TASKS)\n"
    (folder / "looks.py").write_text(LEARNER.replace("\n\n@", f"\n{ask}\n@"))
    assert "mine" in LEARNERS
    assert next(iter(TASKS)) == "sine"
    assert registry.complaints() == []


def test_a_run_remembers_its_plug_ins_and_says_which_is_missing(folder, monkeypatch):
    (folder / "my_learner.py").write_text(LEARNER)
    learner, run = make("mine"), folder.parent / "run"
    save(run, learner.init(stream("init"), Sine().spec), describe(learner, Sine(), 0))
    owner = LEARNERS.owner("mine")
    assert load(run).record["plugins"] == {"learner": owner}
    assert parameters(load(run).record)["plug-in of the learner"] == json.dumps(owner)
    assert "plugins" not in describe(MAML(), Sine(), 0)
    assert changed(load(run).record) == []
    (folder / "my_learner.py").write_text(LEARNER + "# another version\n")
    monkeypatch.setenv(plugins.VARIABLE, f"{folder}{os.pathsep}")
    assert changed(load(run).record) == [("learner", owner, LEARNERS.owner("mine"))]
    monkeypatch.delenv(plugins.VARIABLE)
    with pytest.raises(BadRun) as refused:
        load(run)
    sentence = f"{run}/run.json needs the learner 'mine' of the plug-in {owner}, which is not installed here."
    assert str(refused.value) == sentence


def test_other_processes_find_the_same(folder, monkeypatch):
    """Helpers, workers and trials work elsewhere than where a relative path was meant."""
    (folder / "my_learner.py").write_text(LEARNER)
    (folder / "my_seeds.py").write_text(PROBE)
    learner, run = make("mine"), folder.parent / "run"
    save(run, learner.init(stream("init"), Sine().spec), describe(learner, Sine(), 0))
    monkeypatch.chdir(folder.parent)
    monkeypatch.setenv(plugins.VARIABLE, folder.name)
    helper = Helper()
    try:
        assert helper._pipe.poll(60) and helper.free()
        helper.begin([Errand(asking.ask_about, Ensemble((load(run),)), ("my-seeds", {"more": 4}))], 60)
        ((_, answer),) = helper.end(lambda: None, 60)
    finally:
        helper.close()
    assert answer.seeds == 5

    environments = []

    def note(*_, env=None, **__):
        environments.append(env)
        raise OSError("enough")

    monkeypatch.setattr(subprocess, "Popen", note)
    training = Training(iterations=2)
    with pytest.raises(OSError, match="enough"):
        jobs.submit(plans.plan(learner, Sine(), training, (0,), folder.parent), queue=folder.parent / "queue")
    with pytest.raises(OSError, match="enough"):
        estimates.tried(learner, Sine(), training, (0,))
    assert [env[plugins.VARIABLE] for env in environments if env] == [str(folder.resolve())] * 2
