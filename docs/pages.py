"""Which blocks stand on which page, and how a page is filled."""

import re
from pathlib import Path

from docs import blocks
from engine.errors import BadInput

HERE = Path(__file__).resolve().parent
PAGES = (HERE / "results.md", HERE / "record.md")
BLOCK = re.compile(r"(<!-- begin ([\w-]+) -->\n).*?(<!-- end \2 -->)", re.S)


def names(text: str) -> list[str]:
    """The blocks of a page, in order."""
    return [found[2] for found in BLOCK.finditer(text)]


def filled(text: str) -> str:
    """The page with every block written anew.

    Raises:
        BadInput: a block is not known.
    """
    missing = [name for name in names(text) if name not in blocks.BLOCKS]
    if missing:
        raise BadInput(f"There is no block {', '.join(missing)}; known are {', '.join(blocks.BLOCKS)}.")
    return BLOCK.sub(lambda found: f"{found[1]}{blocks.BLOCKS[found[2]]()}\n{found[3]}", text)
