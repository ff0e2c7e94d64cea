"""Formulas of the pages: what Streamlit's Markdown takes for a block, and would show as red text, is none here."""

from __future__ import annotations

from pathlib import Path

import pytest

DASHBOARD = Path(__file__).resolve().parents[2] / "dashboard"
WORDS = sorted(path for path in DASHBOARD.rglob("*words*.py"))


@pytest.mark.parametrize("path", WORDS, ids=lambda path: str(path.relative_to(DASHBOARD)))
def test_a_formula_of_several_lines_has_its_dollars_on_lines_of_their_own(path: Path):
    """After `$$` and text, Markdown reads the rest of that line as the name of the block, and all below as formula."""
    broken = [
        f"line {number}: {line}"
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if line.count("$$") % 2 and line.strip() != "$$"
    ]
    assert not broken, broken


def test_there_are_words_to_check():
    assert len(WORDS) >= 4
