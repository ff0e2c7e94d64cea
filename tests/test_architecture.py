"""Promises about the whole source: which way imports run, what is never used, what the settings rest on."""

from __future__ import annotations

import ast
import re
import shlex
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from streamlit import config

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("engine", "probes", "dashboard")
FILES = {str(path.relative_to(ROOT)): path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))}
MOST_LINES = 300


def trees(*folders: str) -> dict[str, ast.Module]:
    """The parsed files below some folders."""
    found = {name: ast.parse(path.read_text()) for name, path in FILES.items() if name.startswith(folders)}
    assert found, f"no Python below {folders}"
    return found


def imports(tree: ast.AST) -> set[str]:
    """Full names of the modules that a file imports, anywhere in it; relative ones do not occur."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in line {node.lineno}"
            found.add(node.module or "")
    return found


def tops(tree: ast.AST) -> set[str]:
    """The packages that a file imports."""
    return {name.split(".")[0] for name in imports(tree)}


def calls(tree: ast.AST) -> set[str]:
    """What a file calls, as written: `torch.load`, `runner.step`, `open`."""
    return {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}


def test_the_checks_below_can_fail():
    tree = ast.parse("import a.b\nfrom c.d import e\ndef f():\n    import g\n    torch.load(x).h()")
    assert imports(tree) == {"a.b", "c.d", "g"}
    assert tops(tree) == {"a", "c", "g"}
    assert "torch.load" in calls(tree)


@pytest.mark.parametrize(
    ("folder", "never"),
    [
        ("engine/", {"probes", "dashboard", "streamlit", "plotly"}),
        ("probes/", {"dashboard", "streamlit", "plotly"}),
        ("dashboard/figures/", {"torch", "streamlit", "engine", "probes"}),
        ("", {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal"}),
    ],
)
def test_imports_run_one_way(folder: str, never: set[str]):
    for name, tree in trees(folder).items():
        assert not tops(tree) & never, f"{name} imports {sorted(tops(tree) & never)}"


LAYERS = ("cli", "studies", "jobs", "training", "runs", "execution", "learners", "networks", "operations", "tasks")


def test_within_the_engine_imports_run_down():
    """What trains knows nothing of who started it, a network nothing of learners; modules beside them serve all."""
    rank = {name: place for place, name in enumerate(LAYERS)}
    assert set(rank) <= {path.name for path in (ROOT / "engine").iterdir()}
    for name, tree in trees("engine/").items():
        own = name.split("/")[1]
        upward = {
            m for m in imports(tree) if m.startswith("engine.") and rank.get(m.split(".")[1], 99) < rank.get(own, -1)
        }
        assert not upward, f"{name} imports {sorted(upward)}"


def test_no_module_imports_itself_through_others():
    """Imports at the top of files alone: those within functions run when everything is there."""
    names = {name: name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in FILES}
    modules = {names[name]: tree for name, tree in trees("").items()}
    wanted: dict[str, set[str]] = {}
    for module, tree in modules.items():
        found: set[str] = set()
        for node in tree.body:
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                each = {f"{node.module}.{alias.name}" for alias in node.names}
                found |= each if each <= modules.keys() else each | {str(node.module)}  # of a package only its modules
        wanted[module] = {name for name in found if name in modules and name != module}
    done: set[str] = set()

    def walk(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join([*path[path.index(module) :], module])
        if module not in done:
            for name in sorted(wanted[module]):
                walk(name, (*path, module))
            done.add(module)

    for module in modules:
        walk(module, ())


def defined(body: list[ast.stmt]) -> dict[str, Any]:
    """What statements give names to, and what classes among them do."""
    found: dict[str, Any] = {}
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found[node.name] = defined(node.body) if isinstance(node, ast.ClassDef) else {}
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {(alias.asname or alias.name).split(".")[0]: {} for alias in node.names}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {target.id: {} for target in targets if isinstance(target, ast.Name)}
    return found


def exists(name: str) -> bool:
    """Whether a dotted name is that of a module or package of ours, or of something that one defines."""
    parts = name.split(".")
    for known in range(len(parts), 0, -1):
        base = ROOT.joinpath(*parts[:known])
        file = base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
        if file.exists():
            scope = defined(ast.parse(file.read_text()).body)
            for part in parts[known:]:
                if part not in scope:
                    return False
                scope = scope[part]
            return True
    return False


def test_names_in_texts_are_of_things_that_exist():
    """Dotted names between backticks, in docstrings, comments and docs/: what has moved is called by its new name."""
    assert exists("engine.networks.memory.activations")
    assert exists("engine.execution.policy.Policy.chunk")
    assert not exists("engine.networks.operations")
    assert not exists("engine.learners.coordinates.unfold")
    files = [*FILES.values(), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
    files += [path for folder in ("docs", "examples", "tests") for path in sorted((ROOT / folder).rglob("*.[pm][yd]"))]
    pattern = rf"`((?:{'|'.join(PACKAGES)})(?:\.\w+)+)(?:\(.*?\))?`"
    for path in files:
        lost = {name for name in re.findall(pattern, path.read_text()) if not name.endswith(".py") and not exists(name)}
        assert not lost, f"{path.relative_to(ROOT)} names {sorted(lost)}"


def test_figures_import_only_figures_of_the_dashboard():
    for name, tree in trees("dashboard/figures/").items():
        own = {module for module in imports(tree) if module.startswith("dashboard")}
        assert all(module.startswith("dashboard.figures") for module in own), f"{name} imports {own}"


def test_pages_know_nothing_of_each_other():
    """What two pages share lies in `dashboard/widgets`, which imports no page."""
    for name, tree in trees("dashboard/").items():
        pages = {module.split(".")[2] for module in imports(tree) if module.startswith("dashboard.views.")}
        own = set(name.split("/")[2:3]) if name.startswith("dashboard/views/") else set()
        allowed = {"live"} if name == "dashboard/serving/server.py" else own  # which has it imported before a visitor
        assert pages <= allowed, f"{name} imports the page {sorted(pages - allowed)}"


def test_the_engine_stands_without_what_only_pages_need():
    """What a fresh process has loaded after importing the engine; static imports of its own dependencies included."""
    import subprocess

    code = "import engine, engine.cli.main, engine.training.sessions, probes.tools.adaptation, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "engine.runs.run" in loaded
    assert not loaded & {"streamlit", "plotly", "dashboard"}


def test_files_stay_readable():
    """Those of the source, of the tests, of the examples and of what makes the documentation."""
    found = [path for folder in (*PACKAGES, "tests", "examples", "docs") for path in (ROOT / folder).rglob("*.*")]
    counts = {path: len(path.read_text().splitlines()) for path in found if path.suffix in (".py", ".js", ".css")}
    assert len(counts) > 400
    long = {str(path.relative_to(ROOT)): count for path, count in counts.items() if count > MOST_LINES}
    assert not long, f"a file that grows past {MOST_LINES} lines is two ideas: {long}"


def test_nothing_unsafe_is_called():
    for name, tree in trees("").items():
        unsafe = calls(tree) & {"torch.load", "torch.save", "np.load", "eval", "exec", "os.system", "yaml.load"}
        assert not unsafe, f"{name} calls {sorted(unsafe)}"


def test_nothing_is_set_for_the_whole_process():
    """Random numbers come from generators that are passed on; a page or a library sets no threads for its host."""
    process_wide = {"torch.manual_seed", "random.seed", "np.random.seed", "torch.set_default_dtype"}
    for name, tree in trees("engine/", "dashboard/", "probes/").items():
        assert not calls(tree) & process_wide, f"{name} calls {sorted(calls(tree) & process_wide)}"
    for name, tree in trees("engine/", "dashboard/views/").items():
        if name not in ("engine/jobs/worker.py", "engine/jobs/helper.py"):  # processes of their own
            assert "torch.set_num_threads" not in calls(tree), name


# ---- settings ---------------------------------------------------------------------------------------


def test_the_hidden_option_that_a_drag_needs_exists_and_is_off():
    options = config.get_config_options()
    assert "runner.postScriptGC" in options, "this Streamlit has no runner.postScriptGC"
    assert options["runner.postScriptGC"].default_val is True
    settings = tomllib.loads((ROOT / "dashboard" / ".streamlit" / "config.toml").read_text())
    assert settings["runner"]["postScriptGC"] is False


def test_every_setting_is_one_that_streamlit_knows():
    settings = tomllib.loads((ROOT / "dashboard" / ".streamlit" / "config.toml").read_text())

    def leaves(table: dict[str, object], prefix: str = "") -> list[str]:
        return [
            name
            for key, value in table.items()
            for name in (leaves(value, f"{prefix}{key}.") if isinstance(value, dict) else [f"{prefix}{key}"])
        ]

    unknown = set(leaves(settings)) - set(config.get_config_options())
    assert not unknown, f"dashboard/.streamlit/config.toml sets {sorted(unknown)}"


def test_the_server_is_for_this_machine_and_tells_nobody():
    settings = tomllib.loads((ROOT / "dashboard" / ".streamlit" / "config.toml").read_text())
    assert settings["server"]["address"] == "127.0.0.1"
    assert settings["browser"]["gatherUsageStats"] is False


def test_streamlit_is_pinned_to_the_minor_that_is_installed():
    (line,) = re.findall(r"^streamlit(\S+)", (ROOT / "requirements.txt").read_text(), flags=re.MULTILINE)
    major, minor, *_ = metadata.version("streamlit").split(".")
    assert line == f"=={major}.{minor}.*"


def imported_distributions() -> set[str]:
    """Installed distributions that our own source imports, by the names of the packages."""
    owners = metadata.packages_distributions()
    wanted = {top for tree in trees("").values() for top in tops(tree)} - set(sys.stdlib_module_names) - set(PACKAGES)
    return {owners[top][0].lower().replace("_", "-") for top in wanted}


def test_what_is_imported_is_required():
    text = (ROOT / "requirements.txt").read_text()
    required = {name.lower().replace("_", "-") for name in re.findall(r"^[\w-]+", text, flags=re.MULTILINE)}
    assert imported_distributions() <= required


# ---- the README -------------------------------------------------------------------------------------


def readme_commands() -> list[str]:
    """The `python -m engine ...` lines of the README and of docs/, and those in their prose."""
    text = "\n".join(path.read_text() for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))))
    found = re.findall(r"python -m engine ([^#`\n]*)", text)
    return sorted({command.strip() for command in found})


def test_the_readme_shows_the_command_line():
    assert len(readme_commands()) >= 4


@pytest.mark.parametrize("command", readme_commands())
def test_the_commands_of_the_readme_parse(command: str, monkeypatch: pytest.MonkeyPatch):
    """Each command is read by the command line that it names: options, arguments and types; nothing is run."""
    from engine.cli.main import cli

    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("INNERLOOP_PLUGINS", str(ROOT / "examples"))  # guides show how they are used
    name, *arguments = shlex.split(command)
    assert name in cli.commands, f"python -m engine has no command {name}"
    context = cli.commands[name].make_context(name, list(arguments))
    assert context.params
    if name == "train":
        from engine.learners import LEARNERS

        assert context.params["everything"] or context.params["learner"] in LEARNERS


@pytest.mark.parametrize("target", re.findall(r"^make ([a-z]+)", (ROOT / "README.md").read_text(), flags=re.MULTILINE))
def test_the_make_targets_of_the_readme_exist(target: str):
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
