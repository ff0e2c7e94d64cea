"""Makes the bank of glyphs from the fonts that matplotlib ships: python -m engine.tasks.images.make_bank [--check].

Every character of a group that at least two of the fonts can draw is one class; each font that has it is one style. A
glyph is drawn at 96 pixels, cropped, scaled to fit 20 x 20 and centred in 28 x 28. Left out are accented letters (the
base letter is there), presentation forms, and of characters that look alike in one group all but the first: DISTINCT is
the squared distance between two images, divided by the sum of their squares, averaged over the styles of both.

Groups whose characters differ by single dots or strokes are left out (Braille; hexagrams and tetragrams, of which 1 of
64 and 9 of 87 are distinct in this sense). The font of placeholder boxes that matplotlib ships is no style.

Needs matplotlib, fontTools and Pillow, which captum brings. `--check` makes it again and compares.
"""

import hashlib
import importlib
import json
import lzma
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load, save

from engine.tasks.images.bank import BOX, FILE, LOOK_ALIKE, OF_SPLIT, SIDE, split_of_group

FONTS = tuple(
    [f"DejaVu{face}{style}" for face in ("Sans", "SansMono") for style in ("", "-Bold", "-Oblique", "-BoldOblique")]
    + [f"DejaVuSerif{style}" for style in ("", "-Bold", "-Italic", "-BoldItalic")]
    + [f"STIXGeneral{style}" for style in ("", "Bol", "Italic", "BolIta")]
)
SCRIPTS = (
    "Arabic",
    "Armenian",
    "Canadian Aboriginal",
    "Coptic",
    "Cyrillic",
    "Georgian",
    "Greek",
    "Hebrew",
    "Lao",
    "Latin",
    "Lisu",
    "Nko",
    "Ogham",
    "Old Italic",
    "Tifinagh",
)
LETTERS = ((0x21, 0x2FFF), (0xA4D0, 0xA4FF), (0xA640, 0xA7FF), (0xFB00, 0xFDFF), (0xFE70, 0xFEFE), (0x10300, 0x1032F))
SYMBOLS = {
    "Arrows": (0x2190, 0x21FF),
    "Mathematical operators": (0x2200, 0x22FF),
    "Box drawing": (0x2500, 0x257F),
    "Geometric shapes": (0x25A0, 0x25FF),
    "Miscellaneous symbols": (0x2600, 0x26FF),
    "Dingbats": (0x2701, 0x27BE),
    "Letterlike symbols": (0x2100, 0x214F),
}
DRAWN = 96  # pixels of an em
LEAST_STYLES = 2
DISTINCT = 0.12


def groups() -> dict[str, list[int]]:
    """The code points of each group, in order."""
    script = importlib.import_module("fontTools.unicodedata")
    found: dict[str, list[int]] = {name: [] for name in SCRIPTS}
    for low, high in LETTERS:
        for code in range(low, high + 1):
            name = script.script_name(script.script(chr(code)))
            letter = unicodedata.category(chr(code)) in ("Lo", "Ll", "Lu", "Nd")
            if name in found and letter and not unicodedata.decomposition(chr(code)):
                found[name].append(code)
    return found | {name: list(range(low, high + 1)) for name, (low, high) in SYMBOLS.items()}


def fonts() -> dict[str, Path]:
    """The files of the fonts by name."""
    folder = Path(importlib.import_module("matplotlib").get_data_path()) / "fonts" / "ttf"
    return {name: folder / f"{name}.ttf" for name in FONTS}


def drawn(files: dict[str, Path]) -> Iterator[tuple[str, int, np.ndarray, np.ndarray]]:
    """Every class: its group, code point, images (styles, 28, 28) and which styles have it (styles,)."""
    truetype, ttlib = importlib.import_module("PIL.ImageFont"), importlib.import_module("fontTools.ttLib")
    faces = [truetype.truetype(str(f), DRAWN, layout_engine=truetype.Layout.BASIC) for f in files.values()]
    known = []
    for file in files.values():
        with ttlib.TTFont(str(file), lazy=True) as font:
            known.append(set(font.getBestCmap()))
    for group, codes in groups().items():
        for code in codes:
            images = [glyph(face, chr(code)) if code in has else None for face, has in zip(faces, known, strict=True)]
            there = np.array([image is not None for image in images])
            if there.sum() >= LEAST_STYLES:
                empty = np.zeros((SIDE, SIDE), np.uint8)
                yield group, code, np.stack([empty if image is None else image for image in images]), there


def glyph(face: Any, letter: str) -> np.ndarray | None:
    """One character, (28, 28) bytes, its longer side 20 pixels; None for one without ink."""
    image, draw = importlib.import_module("PIL.Image"), importlib.import_module("PIL.ImageDraw")
    sheet = image.new("L", (6 * DRAWN, 6 * DRAWN))
    draw.Draw(sheet).text((2 * DRAWN, 2 * DRAWN), letter, fill=255, font=face)
    if (box := sheet.getbbox()) is None:
        return None
    ink = sheet.crop(box)
    scale = BOX / max(ink.size)
    size = tuple(max(1, round(length * scale)) for length in ink.size)
    ink = ink.resize(size, image.Resampling.BOX if scale < 1 else image.Resampling.BILINEAR)
    frame = image.new("L", (SIDE, SIDE))
    frame.paste(ink, ((SIDE - size[0]) // 2, (SIDE - size[1]) // 2))
    return np.asarray(frame)


def distances(images: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Between all pairs of classes (n, styles, ...), averaged over the styles of both (n, n); infinite where none."""
    x = images.reshape(*there.shape, -1).astype(np.float32) / 255
    total, common = (np.zeros((len(x), len(x)), np.float32) for _ in range(2))
    for style in range(there.shape[1]):
        a, has = x[:, style], there[:, style].astype(np.float32)
        squares = np.square(a).sum(-1)
        sums = squares[:, None] + squares
        total += has[:, None] * has * (sums - 2 * a @ a.T) / np.maximum(sums, 1e-6)
        common += has[:, None] * has
    return np.where(common > 0, total / np.maximum(common, 1), np.inf)


def distinct(apart: np.ndarray) -> list[int]:
    """Which classes stay: those that are not like an earlier one that stays."""
    kept: list[int] = []
    for i in range(len(apart)):
        if not kept or apart[i, kept].min() >= DISTINCT:
            kept.append(i)
    return kept


def like(pictures: np.ndarray, classes: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Which classes (C,) have an image nearly like one of those `there`; pictures (P, 28, 28), their classes (P,)."""
    x = pictures.reshape(len(pictures), -1).astype(np.float32) / 255
    squares = np.square(x).sum(-1)
    found = np.zeros(classes.max() + 1, bool)
    for rows in np.array_split(np.arange(len(x)), max(len(x) // 2000, 1)):
        sums = squares[rows, None] + squares[there]
        near = ((sums - 2 * x[rows] @ x[there].T) / np.maximum(sums, 1e-6)).min(1) < LOOK_ALIKE
        found[classes[rows[near]]] = True
    return found


def made() -> dict[str, np.ndarray]:
    """The bank: see `engine.tasks.images.bank`."""
    files = fonts()
    by_group: dict[str, list[tuple[int, np.ndarray, np.ndarray]]] = {}
    for group, code, images, there in drawn(files):
        by_group.setdefault(group, []).append((code, images, there))
    codes: list[int] = []
    pictures, classes, styles, of_group = [], [], [], []
    for number, members in enumerate(by_group.values()):
        images, there = (np.stack([member[i] for member in members]) for i in (1, 2))
        for kept in distinct(distances(images, there)):
            pictures.append(images[kept][there[kept]])
            styles.append(np.flatnonzero(there[kept]))
            classes.append(np.full(int(there[kept].sum()), len(codes)))
            codes.append(members[kept][0])
            of_group.append(number)
    every, of_image = np.concatenate(pictures), np.concatenate(classes)
    splits = np.array([split_of_group(name) for name in by_group])[np.array(of_group)[of_image]]
    about = {"names": list(by_group), "origin": origin(files)}
    return {
        "images": every,
        "classes": of_image.astype(np.int16),
        **{f"like_{split}": like(every, of_image, np.flatnonzero(splits == split)) for split in OF_SPLIT},
        "styles": np.concatenate(styles).astype(np.uint8),
        "codes": np.array(codes, np.int32),
        "groups": np.array(of_group, np.uint8),
        "about": np.frombuffer(json.dumps(about, sort_keys=True).encode(), np.uint8),
    }


def origin(files: dict[str, Path]) -> dict[str, Any]:
    """What the bank was made from: hashes of the fonts, and the version of what drew them."""
    features = importlib.import_module("PIL.features")
    hashes = {name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in files.items()}
    return {"fonts": hashes, "freetype": features.version("freetype2")}


def main() -> int:
    """Writes the bank, or compares it with what would be written."""
    bank = made()
    if "--check" in sys.argv[1:]:
        there = load(lzma.decompress(FILE.read_bytes()))
        unlike = [name for name, values in bank.items() if not np.array_equal(there[name], values)]
        print(f"differs in {', '.join(unlike)}" if unlike else "the same bank")
        return int(bool(unlike))
    FILE.write_bytes(lzma.compress(save(bank), preset=9))
    counts = np.bincount(bank["groups"])
    for name, count in zip(json.loads(bank["about"].tobytes())["names"], counts, strict=True):
        print(f"{name:24} {count:5}")
    print(f"{len(bank['codes'])} classes, {len(bank['images'])} images, {FILE.stat().st_size / 1e6:.2f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
