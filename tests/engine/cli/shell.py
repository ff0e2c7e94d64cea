"""The command line as tests call it: its exit code, what it prints, and what it prints for machines."""

import json
import re

from engine.cli.main import cli, main

TINY = ["steps=2", "training.meta_batch=2", "training.validation_tasks=4", "training.snapshot_every=2"]
TINY += ["task.queries=6", "network.widths=[5]"]


def run(capsys, *arguments):
    code = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def as_json(capsys, *arguments):
    """What a command prints for machines, strictly read, after comparing its keys with those that --help names."""
    code, out, _ = run(capsys, *arguments, "--json")
    assert code == 0

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    content = json.loads(out, parse_constant=refuse)
    (option,) = (p for p in cli.commands[arguments[0]].params if p.name == "as_json")
    named = re.search(r"with the keys (.*)\.$", option.help).group(1).split(", ")
    for row in content if isinstance(content, list) else [content]:
        assert list(row) == named
    return content


def train(root, *more):
    settings = [word for setting in TINY for word in ("--set", setting)]
    return ["train", "maml", "--shots", "4", "--iterations", "3", *settings, "--runs", root, *more]
