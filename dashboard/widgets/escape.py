"""Text from outside (a link, a record, a name, a message that quotes one of them), shown as it is and as nothing else.

Streamlit reads Markdown in messages and labels: unescaped, a run's name could fetch an image or stand there as a link
of ours. (Figures show no text from outside: their words are those of learners' classes.)
"""

import re
import unicodedata

MOST = 80  # letters of a quoted value
MOST_OF_A_MESSAGE = 600
JOINER = "\u2060"  # takes no room; parts what links, emoji and icons are recognised by where no backslash helps
MARKS = re.compile(r"[\\`*\[\]<>&$~|]|(?<![^\W_])_|_(?![^\W_])")  # an underscore within a word means nothing
AT_THE_START = re.compile(r"^(\d*)([#+=.)-])")
RECOGNISED = re.compile(r"(?::(?=\S)|@(?=\S)|www(?=\.))", re.IGNORECASE)


def plain(text: object, most: int = MOST_OF_A_MESSAGE) -> str:
    """Markdown that shows the letters of `text` on one line: no link, image, HTML, formula, colour, emoji or icon.

    Args:
        text: anything that can be written; an error is its message.
        most: letters that are shown; what is longer ends in an ellipsis.
    """
    marked = MARKS.sub(r"\\\g<0>", _readable(text, most))
    return RECOGNISED.sub(rf"\g<0>{JOINER}", AT_THE_START.sub(r"\1\\\2", marked))


def code(text: object, most: int = MOST) -> str:
    """The letters of `text` as Markdown's inline code, for names of folders and commands."""
    letters = _readable(text, most) or " "
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", letters)), default=0))
    room = " " if "`" in letters else ""
    return f"{fence}{room}{letters}{room}{fence}"


def _readable(text: object, most: int) -> str:
    """One line of letters that are seen: what steers, reverses or cannot be encoded is shown as a replacement."""
    line = " ".join(str(text)[: 4 * most].split())  # before anything is done with millions of letters
    line = "".join("\ufffd" if unicodedata.category(letter).startswith("C") else letter for letter in line)
    return line if len(line) <= most and len(str(text)) <= 4 * most else line[: most - 1].rstrip() + "…"
