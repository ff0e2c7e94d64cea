"""The palette keeps its promises: contrast, colour vision, one dash per member, and the theme file agrees."""

from __future__ import annotations

import itertools
import tomllib
from pathlib import Path

import numpy as np
import pytest
from streamlit import config

from dashboard.figures import palette
from dashboard.widgets import families

# Machado, Oliveira and Fernandes (2009), severity 1.0; they act on linear RGB.
VISION = {
    "normal": np.eye(3),
    "protan": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deutan": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritan": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
# Ottosson's OKLab: linear RGB -> cone responses -> (cube root) -> lightness and two opponent axes.
RGB_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
LMS_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
MODES = {"light": palette.LIGHT_BACKGROUND, "dark": palette.DARK_BACKGROUND}
FIRST_SIX = ("finetuning", "maml", "fomaml", "reptile", "lstm", "op-lstm")
MIN_APART = 6.0  # 100 x OKLab distance; about three just noticeable differences
MIN_APART_NORMAL = 11.0
MIN_APART_FAMILY = 3.5  # members of one family also differ in dash


def linear(colour: str) -> np.ndarray:
    """'#RRGGBB' to linear RGB, (3,)."""
    c = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def contrast(a: str, b: str) -> float:
    """WCAG 2 contrast ratio of two colours."""
    low, high = sorted(float(linear(c) @ [0.2126, 0.7152, 0.0722]) for c in (a, b))
    return (high + 0.05) / (low + 0.05)


def apart(a: str, b: str, vision: str) -> float:
    """100 x the OKLab distance of two colours as an eye with this vision sees them."""
    lab = [LMS_TO_LAB @ np.cbrt(RGB_TO_LMS @ np.clip(VISION[vision] @ linear(c), 0, 1)) for c in (a, b)]
    return 100 * float(np.linalg.norm(lab[0] - lab[1]))


def test_contrast_formula_knows_black_on_white():
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.01)


def test_colour_blind_simulation_confuses_what_it_should():
    """A mid red and a mid green, far apart for most eyes, nearly meet for a deuteranope."""
    assert apart("#A65A3A", "#7A7034", "normal") > 8
    assert apart("#A65A3A", "#7A7034", "deutan") < 4


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", [*palette.NAMES, "stranger", "another", "third-one", "a", "b", "c"])
def test_every_colour_keeps_three_to_one(name: str, mode: str):
    assert contrast(getattr(palette.style(name), mode), MODES[mode]) >= 3


def test_text_and_accent_are_readable():
    assert contrast(palette.INK, palette.LIGHT_SURFACE) >= 7
    assert contrast(palette.CHALK, palette.DARK_SURFACE) >= 7
    assert contrast(palette.ACCENT, palette.LIGHT_BACKGROUND) >= 4.5
    assert contrast(palette.ACCENT_DARK, palette.DARK_BACKGROUND) >= 4.5
    assert min(contrast(c, "#FFFFFF") for c in (palette.ACCENT, palette.ACCENT_DARK)) >= 3


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("vision", VISION)
def test_learners_that_share_a_dash_differ_in_colour(mode: str, vision: str):
    for a, b in itertools.combinations(palette.NAMES, 2):
        first, second = palette.style(a), palette.style(b)
        if first.dash != second.dash:
            continue
        distance = apart(getattr(first, mode), getattr(second, mode), vision)
        assert distance >= MIN_APART, f"{a} and {b} share a dash and are {distance:.1f} apart"


@pytest.mark.parametrize("mode", MODES)
def test_the_first_six_are_apart_for_every_eye(mode: str):
    for a, b in itertools.combinations(FIRST_SIX, 2):
        colours = [getattr(palette.style(n), mode) for n in (a, b)]
        assert min(apart(*colours, vision) for vision in VISION) >= MIN_APART, (a, b)
        assert apart(*colours, "normal") >= MIN_APART_NORMAL, (a, b)


@pytest.mark.parametrize("family", palette.FAMILY_LABELS)
def test_members_of_a_family_have_their_own_dash_lightness_and_marker(family: str):
    members = [n for n in palette.NAMES if families.of(n) == family]
    assert members
    for a, b in itertools.combinations(members, 2):
        first, second = palette.style(a), palette.style(b)
        assert first.dash != second.dash, (a, b)
        assert first.marker != second.marker, (a, b)
        for mode in MODES:
            colours = getattr(first, mode), getattr(second, mode)
            assert apart(*colours, "normal") >= MIN_APART_FAMILY, (a, b, mode)


def test_dashes_read_the_same_in_plotly():
    assert palette.style("maml").plotly_dash == "solid"
    assert palette.style("fomaml").plotly_dash == "7px,4px"


def test_an_unknown_learner_looks_the_same_every_time():
    assert palette.style("my-own-learner") == palette.style("my-own-learner")
    assert families.of("my-own-learner") == ""
    assert len({palette.style(f"my-{n}") for n in range(100)}) > 40, "two strangers seldom look the same"
    assert palette.style("my-own-learner") not in [palette.style(n) for n in palette.NAMES]


def test_the_theme_file_agrees():
    path = Path(__file__).parents[2] / "dashboard" / ".streamlit" / "config.toml"
    theme = tomllib.loads(path.read_text(encoding="utf-8"))["theme"]
    expected = {
        "light": {
            "primaryColor": palette.ACCENT,
            "backgroundColor": palette.LIGHT_BACKGROUND,
            "secondaryBackgroundColor": palette.LIGHT_SURFACE,
            "textColor": palette.INK,
            "borderColor": palette.LIGHT_RULE,
            "chartCategoricalColors": list(palette.LIGHT_CATEGORICAL),
        },
        "dark": {
            "primaryColor": palette.ACCENT_DARK,
            "backgroundColor": palette.DARK_BACKGROUND,
            "secondaryBackgroundColor": palette.DARK_SURFACE,
            "textColor": palette.CHALK,
            "borderColor": palette.DARK_RULE,
            "chartCategoricalColors": list(palette.DARK_CATEGORICAL),
        },
    }
    for mode, options in expected.items():
        assert {k: theme[mode][k] for k in options} == options


def test_streamlit_knows_every_option_of_the_theme_file():
    """Streamlit warns about an unknown option and goes on; here it is an error."""
    path = Path(__file__).parents[2] / "dashboard" / ".streamlit" / "config.toml"

    def options(table: dict, prefix: str = ""):
        for key, value in table.items():
            if isinstance(value, dict):
                yield from options(value, f"{prefix}{key}.")
            else:
                yield f"{prefix}{key}", value

    templates = config._config_options_template
    for name, _ in options(tomllib.loads(path.read_text(encoding="utf-8"))):
        assert name in templates, f"{name} is no option of this Streamlit"
    assert config._config_options_template["runner.postScriptGC"].default_val is True
