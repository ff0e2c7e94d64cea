"""One colour per family, one dash and lightness per member, the same on every page.

The families start from the Okabe-Ito set (black became slate, yellow became olive on white), and each
member shifts lightness and takes its own dash, so that a curve can be told from its neighbours without
colour. Every colour keeps a contrast of 3:1 on its background, and two learners of different families
that share a dash stay at least 6 apart (100 x the OKLab distance) for protanopes, deuteranopes and
tritanopes; ``tests/dashboard/test_palette.py`` computes both.

This module imports neither Streamlit nor torch: figures, pages and the theme file read it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

LIGHT_BACKGROUND: Final = "#FFFFFF"
DARK_BACKGROUND: Final = "#14171C"
LIGHT_SURFACE: Final = "#F4F5F7"
DARK_SURFACE: Final = "#1E2229"
INK: Final = "#1B1F27"  # text on the light background
CHALK: Final = "#E4E7EC"  # text on the dark background
ACCENT: Final = "#3B5488"  # the one accent of the interface; no learner wears it
ACCENT_DARK: Final = "#6F88C0"
LIGHT_RULE: Final = "#DFE2E7"  # borders and grid lines
DARK_RULE: Final = "#323843"

FAMILY_LABELS: Final[dict[str, str]] = {
    "transfer": "transfer",
    "gradient": "gradient",
    "learned-optimiser": "learned optimiser",
    "memory": "memory",
    "subspace": "subspace",
    "metric": "metric",
}

_SOLID: Final = ""
_DASH: Final = "7 4"
_LONG: Final = "14 4"
_SHORT: Final = "4 3"
_DOT: Final = "2 4"
_FINE_DOT: Final = "2 2"
_DASH_DOT: Final = "10 4 2 4"
_DASH_DOT_DOT: Final = "10 4 2 4 2 4"
_LONG_SHORT: Final = "12 3 4 3"


@dataclass(frozen=True)
class LearnerStyle:
    """How one learner is drawn.

    Attributes:
        light: Colour on ``LIGHT_BACKGROUND``, ``#RRGGBB``.
        dark: Colour on ``DARK_BACKGROUND``, ``#RRGGBB``.
        dash: SVG ``stroke-dasharray`` in pixels; empty for a solid line.
        marker: Plotly marker symbol; the shape says the family.
    """

    light: str
    dark: str
    dash: str
    marker: str

    @property
    def plotly_dash(self) -> str:
        """The same dash in Plotly's words: ``"solid"`` or a list such as ``"7px,4px"``."""
        return ",".join(f"{n}px" for n in self.dash.split()) or "solid"


_STYLES: Final[dict[str, LearnerStyle]] = {
    "finetuning": LearnerStyle("#5A6270", "#D3D8E0", _SOLID, "square"),
    "scratch": LearnerStyle("#868D99", "#858D9A", _FINE_DOT, "square-open"),
    "centroid-finetuning": LearnerStyle("#3D4450", "#A9B0BC", _LONG, "square-dot"),
    "maml": LearnerStyle("#0072B2", "#2F8FD8", _SOLID, "circle"),
    "fomaml": LearnerStyle("#3B9BD9", "#7CC6F5", _DASH, "circle-open"),
    "reptile": LearnerStyle("#3F2E9E", "#A394FF", _DASH_DOT, "circle-dot"),
    "meta-lstm": LearnerStyle("#B0508E", "#CC79A7", _DASH_DOT_DOT, "diamond"),
    "meta-lstm-enhanced": LearnerStyle("#CC6BA7", "#F3BEDB", _LONG_SHORT, "diamond-tall"),
    "turtle": LearnerStyle("#7A1F5C", "#E58FC4", _SOLID, "diamond-dot"),
    "turtle-first-order": LearnerStyle("#93407A", "#B0608F", _DASH_DOT, "diamond-open"),
    "op-lstm": LearnerStyle("#C24A00", "#EE6A20", _SOLID, "triangle-up"),
    "op-lstm-first-order": LearnerStyle("#8F3600", "#FFA478", _DASH_DOT, "triangle-up-open"),
    "lstm": LearnerStyle("#BF8600", "#F5B82E", _DASH, "triangle-down"),
    "lstm-sequential": LearnerStyle("#9C6A00", "#CF9630", _DOT, "triangle-down-open"),
    "sap": LearnerStyle("#007A59", "#14B083", _LONG, "cross"),
    "sap-first-order": LearnerStyle("#14A37D", "#6FDDBB", _SHORT, "cross-open"),
    "t-net": LearnerStyle("#00584A", "#009E73", _DOT, "x"),
    "mt-net": LearnerStyle("#1B4A2B", "#A6EBB9", _DASH, "x-open"),
    "warp-maml": LearnerStyle("#4E9A4E", "#7DC77A", _SOLID, "cross-dot"),
    "film": LearnerStyle("#22565C", "#86BDBB", _DASH_DOT_DOT, "x-dot"),
    "protonet": LearnerStyle("#6B6200", "#F0E442", _LONG, "star"),
}

# A learner that is not listed gets one of each, chosen by the first bytes of the SHA-256 of its name: the same always
# and everywhere, legible on both backgrounds, and marked as a stranger by its hexagon.
_STRANGERS: Final = (("#7A5C3E", "#C9A27C"), ("#56707A", "#9DB7C1"), ("#8A4B4B", "#E09A9A"), ("#5F5A8C", "#B3AEDF"))
_STRANGE_DASHES: Final = (_SOLID, _DASH, _LONG, _SHORT, _DOT, _DASH_DOT, _DASH_DOT_DOT, _LONG_SHORT)
_STRANGE_MARKERS: Final = ("hexagon", "hexagon-open", "hexagon-dot", "hexagon2")

NAMES: Final[tuple[str, ...]] = tuple(_STYLES)

# The order of plots that name no learner: one flagship per family, then a second member of the large ones.
LIGHT_CATEGORICAL: Final[tuple[str, ...]] = tuple(
    _STYLES[n].light for n in ("maml", "op-lstm", "sap", "meta-lstm", "finetuning", "protonet", "fomaml", "lstm")
)
DARK_CATEGORICAL: Final[tuple[str, ...]] = tuple(
    _STYLES[n].dark for n in ("maml", "op-lstm", "sap", "meta-lstm", "finetuning", "protonet", "fomaml", "lstm")
)


def style(name: str) -> LearnerStyle:
    """Return how a learner is drawn.

    Args:
        name: Registry name of the learner, such as ``"op-lstm"``.

    Returns:
        Its style; for an unknown name that which follows from it, the same at every call and in every process.
    """
    if name in _STYLES:
        return _STYLES[name]
    one, two, three, *_ = hashlib.sha256(name.encode()).digest()
    dash, marker = _STRANGE_DASHES[two % len(_STRANGE_DASHES)], _STRANGE_MARKERS[three % len(_STRANGE_MARKERS)]
    return LearnerStyle(*_STRANGERS[one % len(_STRANGERS)], dash, marker)
