"""What comes from outside stands on pages as letters: every message escapes what it repeats."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from dashboard.widgets.escape import JOINER, code, plain

ROOT = Path(__file__).resolve().parents[2]
HOSTILE = [  # `tests/browser/test_escape.py` shows these in a browser
    "![](http://127.0.0.1:9/x.png)", "[a](http://evil.example)", "<img src=x onerror=alert(1)>", "<b>",
    "http://evil.example", "www.evil.example", "me@evil.example", ":red[alert]", ":material/delete:", ":smile:",
    ":100:", "$x^2$", "**bold** and _it_", "# title", "- item", "1. item", "> quote", "a | b", "`code`", "``a`b```",
    "[a]: http://evil.example", "~~gone~~", "\\[a\\](b)", ":streamlit:", "==", "inner_lr", "http:\\//evil.example",
    "&lt;img&gt;", "__init__", "$$x$$", "\\",
]  # fmt: skip
MEANT = re.compile(r"(?<!\\)(?:\\\\)*[`*\[\]<>&$~|]|(?<![\\\w])_|[^\\]_(?!\w)")  # marks without a backslash


@pytest.mark.parametrize("text", HOSTILE)
def test_every_mark_gets_a_backslash_and_what_none_would_stop_is_parted(text: str):
    shown = plain(text)
    assert re.sub(r"\\([^\w\s]|_)", r"\1", shown).replace(JOINER, "") == text
    assert not MEANT.search(shown)
    assert not re.match(r"[#+=-]|\d+[.)]", shown)  # nothing begins a block
    for mark in ("://", ":red", ":material/", ":smile:", ":100:", ":streamlit:", "www.", "me@e"):
        assert mark not in shown
    inside = code(text)
    fence = re.match("`+", inside)
    assert fence and inside.endswith(fence[0])
    assert fence[0] not in inside[len(fence[0]) : -len(fence[0])]
    assert inside.strip("` ") == text.strip("` ")


def test_letters_that_steer_or_cannot_be_sent_are_replaced_and_length_is_limited():
    assert plain("a\u202eb\x00c\ud800d\n\n# e") == "a\ufffdb\ufffdc\ufffdd # e"
    assert code("a\n\nb") == "`a b`"
    assert code("") == "` `"
    assert len(code("x" * 10**7)) == 82
    assert len(plain("x" * 10**7)) == 600
    assert plain("y" * 600) == "y" * 600
    assert plain(ValueError("of 3")) == "of 3"


SAID = {"error", "warning", "info", "success", "toast"}  # what most often repeats what somebody else wrote
SAFE = {"plain", "code", "reason"}
MADE_OF_SAFE = {  # our own words, numbers, or sentences that are composed elsewhere of what these functions gave
    "said", "refused", "SENTENCE", "command", "COMMAND", "view.shots", "names[first]", "names[second]", "MOST_POINTS",
    "told(reasons)", "hint", "choice.why", "shown.why",
}  # fmt: skip


def unescaped(call: ast.Call) -> list[str]:
    """What a message shows that is neither our own words nor escaped."""
    (shown,) = call.args
    parts = shown.values if isinstance(shown, ast.JoinedStr) else [shown]
    values = [part.value if isinstance(part, ast.FormattedValue) else part for part in parts]
    return [
        ast.unparse(value)
        for value in values
        if not isinstance(value, ast.Constant)
        and not (isinstance(value, ast.Call) and ast.unparse(value.func) in SAFE)
        and ast.unparse(value) not in MADE_OF_SAFE
    ]


def test_every_message_of_every_page_escapes_what_it_repeats():
    found, checked = [], 0
    for path in sorted((ROOT / "dashboard").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in SAID:
                if ast.unparse(node.func.value) in ("parser", "scene", "self"):  # a scene's error is a number's name
                    continue
                checked += 1
                found += [f"{path.relative_to(ROOT)}:{node.lineno} shows {what}" for what in unescaped(node)]
    assert checked > 25
    assert not found, "wrap it in plain() or code() of dashboard/widgets/escape.py"
