"""What `pip install .` installs: all that the packages need and nothing else; it works away from the project."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
import torch

import engine
from engine.runs import places

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("engine", "probes", "dashboard")
RUN = ROOT / "checkpoints" / "sine" / "maml-k5-s0"


def content(folder: Path) -> set[str]:
    """The files of the packages below a folder."""
    found = (path for package in PACKAGES for path in (folder / package).rglob("*") if path.is_file())
    return {str(path.relative_to(folder)) for path in found if "__pycache__" not in path.parts}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, unpacked; built in a copy, since building leaves files behind."""
    home = tmp_path_factory.mktemp("package")
    for name in (*PACKAGES, "tests"):
        shutil.copytree(ROOT / name, home / "source" / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "requirements.txt", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, home / "source")
    code = f"from setuptools import build_meta; build_meta.build_wheel({str(home)!r})"  # what pip calls
    subprocess.run([sys.executable, "-c", code], cwd=home / "source", check=True, capture_output=True)
    (file,) = home.glob("*.whl")
    with zipfile.ZipFile(file) as archive:
        archive.extractall(home / "installed")
    return home / "installed"


def test_the_wheel_has_every_file_of_the_packages_and_nothing_else(wheel: Path):
    assert content(wheel) == content(ROOT)
    assert {"dashboard/components/pad/pad.js", "engine/training/recipes/sine.toml"} <= content(wheel)
    (beside,) = {path.name for path in wheel.iterdir()} - set(PACKAGES)
    assert beside.endswith(".dist-info")
    (info,) = metadata.distributions(path=[str(wheel)], name="innerloop")
    stated = [line.split("#")[0].strip() for line in (ROOT / "requirements.txt").read_text().splitlines()]
    asked = {requirement.replace(" ", "") for requirement in info.requires or []}
    assert len(asked) == len(list(filter(None, stated)))
    assert {line for line in stated if "==" in line} <= asked


def test_the_installed_engine_predicts_the_same_from_anywhere(wheel: Path, tmp_path: Path):
    x, y, query = [[-3.0], [0.0], [3.0]], [[1.0], [-1.0], [1.0]], [[0.5], [1.5]]
    code = (
        "import engine, json, sys; from engine.runs import places; from engine.training.plans import commit;"
        "run = engine.load(sys.argv[1]); x, y, query = json.loads(sys.argv[2]);"
        "said = run.predict(run.adapt(x, y), query).tolist();"
        "print(json.dumps([engine.__file__, said, str(places.shipped()), str(places.own_runs()), commit()]))"
    )
    command = [sys.executable, "-c", code, str(RUN), json.dumps([x, y, query])]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("INNERLOOP_")}
    environment = {**clean, "PYTHONPATH": str(wheel), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    file, said, shipped, own, commit = json.loads(done.stdout)
    assert file == str(wheel / "engine" / "__init__.py")
    run = engine.load(RUN)
    expected = run.predict(run.adapt(x, y), query)
    assert torch.equal(torch.tensor(said), expected)
    assert (shipped, own, commit) == ("checkpoints", "runs", None), "nothing of this folder is known there"


def test_shipped_runs_are_where_the_rule_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(places.SHIPPED_VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    assert places.shipped() == ROOT / "checkpoints"  # of the project's folder
    (tmp_path / "checkpoints").mkdir()  # somebody else's
    assert places.shipped() == ROOT / "checkpoints"
    shutil.copytree(RUN, tmp_path / "checkpoints" / "sine" / RUN.name)
    assert places.shipped() == Path("checkpoints")
    monkeypatch.setenv(places.SHIPPED_VARIABLE, "elsewhere")
    assert places.shipped() == Path("elsewhere")
    monkeypatch.delenv(places.SHIPPED_VARIABLE)
    monkeypatch.setattr(places, "PACKAGES", tmp_path)  # as if installed there
    monkeypatch.chdir(ROOT / "docs")
    assert places.shipped() == Path("checkpoints")
    assert places.project() is None


def test_the_citation_and_the_licence_are_those_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    cited = dict(re.findall(r"^(version|license): (.+)$", (ROOT / "CITATION.cff").read_text(), flags=re.M))
    assert cited == {"version": project["version"], "license": project["license"]}
    assert "Copyright 2026 Innerloop contributors" in (ROOT / "LICENSE").read_text()
