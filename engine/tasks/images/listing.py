"""What is in a folder of images: which classes, which files, and which classes are for training, validation and test.

A class is a folder with images in it. Three ways of telling splits apart, the first that is there:

    by file     train.csv, val.csv and test.csv with columns filename and label (miniImageNet, as Ravi & Larochelle)
    by folder   folders train, val and test around the classes (tieredImageNet), or Omniglot's images_background and
                images_evaluation; without one for validation, a part of the classes for training is taken
    by ratio    by a hash of the name: 70 % of the classes for training, 15 % for validation, the rest for the test.
                Where classes lie in three folders or more (alphabets), these are split, and stay whole

No class is in two splits. Where the folder has one called images, classes are looked for in there (CUB). Files are only
listed here, none is opened.
"""

import csv
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from engine.errors import BadInput, of_system, quoted
from engine.tasks.task import SPLITS

IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
PASSED_OVER = ("thumbs.db", "desktop.ini")  # beside files whose name begins with a dot
NAMES = {
    "train": ("train", "training", "images_background"),
    "validation": ("val", "valid", "validation"),
    "test": ("test", "testing", "images_evaluation"),
}  # of folders and of .csv files
SHARES = {"train": 0.70, "validation": 0.15}  # the rest is for the test
MOST_FILES = 5_000_000
GROUPS = 3  # from so many on, folders around classes are split whole


@dataclass(frozen=True)
class Listing:
    """Image files of a folder by class.

    Attributes:
        files: their paths, those of a class beside each other.
        classes: names of the classes, and how many files each has, in the order of the files.
        splits: the split of each class.
        sha256: a hash of the names and sizes of all files (not of what is in them).
    """

    files: tuple[str, ...]
    classes: tuple[tuple[str, int], ...]
    splits: tuple[str, ...]
    sha256: str


def listed(path: str) -> Listing:
    """What is in a folder, looked through again only when the folder itself has changed.

    Raises:
        BadInput: it is not a folder of images, or a class of it is empty, or a file in it is no image.
    """
    try:
        found = os.stat(path)
    except (OSError, ValueError) as error:
        what = of_system(error)[0] if isinstance(error, OSError) else str(error)
        raise BadInput(f"The folder {quoted(path)} cannot be read: {what}.") from None
    if not os.path.isdir(path):
        raise BadInput(f"{quoted(path)} is a file; a folder with one folder of images for each class is needed.")
    return _listed(path, found.st_mtime_ns)


@lru_cache(maxsize=4)
def _listed(path: str, _: int) -> Listing:
    root = Path(path)
    home = root / "images" if (root / "images").is_dir() else root
    by_folder = _walk(home)
    tables = _tables(root)
    members = _by_file(root, tables, by_folder) if tables else _by_folder(home, by_folder) or _by_ratio(home, by_folder)
    files, classes, splits = [], [], []
    for (name, split), paths in sorted(members.items()):
        files += sorted(paths)
        classes.append((name, len(paths)))
        splits.append(split)
    if empty := [split for split in SPLITS if split not in splits]:
        raise BadInput(f"{path} has {len(classes)} classes and none for {' and '.join(empty)}: it needs more classes.")
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{os.path.relpath(file, path)}\0{os.path.getsize(file)}\0".encode())
    return Listing(tuple(files), tuple(classes), tuple(splits), digest.hexdigest())


def _walk(root: Path) -> dict[tuple[str, ...], list[str]]:
    """The images of each folder, by its place below the root; raises BadInput."""
    found: dict[tuple[str, ...], list[str]] = {}
    count = 0
    seen: set[str] = set()  # a link may lead back up
    for folder, below, every in os.walk(root, followlinks=True):
        if (here := os.path.realpath(folder)) in seen:
            below[:] = []
            continue
        seen.add(here)
        below[:] = sorted(name for name in below if not name.startswith("."))
        names = [name for name in every if not name.startswith(".") and name.lower() not in PASSED_OVER]
        images = [os.path.join(folder, name) for name in names if name.lower().endswith(IMAGES)]
        place = Path(folder).relative_to(root).parts
        if images and len(images) < len(names):
            other = next(name for name in names if not name.lower().endswith(IMAGES))
            raise BadInput(f"{os.path.join(folder, other)} is no image, in a folder of images: take it out.")
        if not images and not below and place:
            what = f"only {names[0]}, which is no image" if names else "nothing"
            raise BadInput(f"{folder} is a class without images: there is {what} in it.")
        if (count := count + len(images)) > MOST_FILES:
            raise BadInput(f"{root} has more than {MOST_FILES:,} images, which is the most that can be listed.")
        if images:
            found[place] = images
    if not found:
        raise BadInput(f"{root} has no images in it ({', '.join(IMAGES)}).")
    return found


def _tables(root: Path) -> dict[str, Path]:
    """The .csv file of each split; none where they are not all there."""
    every = {split: [root / f"{name}.csv" for name in names] for split, names in NAMES.items()}
    found = {split: next((file for file in files if file.is_file()), None) for split, files in every.items()}
    there = {split: file for split, file in found.items() if file is not None}
    if there and (lacking := [split for split in SPLITS if split not in there]):
        raise BadInput(f"{root} has {next(iter(there.values())).name}, but no such file for {' and '.join(lacking)}.")
    return there


def _by_file(
    root: Path, tables: dict[str, Path], by_folder: dict[tuple[str, ...], list[str]]
) -> dict[tuple[str, str], list[str]]:
    """As .csv files say: files by (class, split)."""
    every = [file for files in by_folder.values() for file in files]
    by_place = {os.path.relpath(file, root): file for file in every}
    by_name: dict[str, str] = {}
    for file in every:
        by_name.setdefault(os.path.basename(file), file)
    members: dict[tuple[str, str], list[str]] = {}
    seen: dict[str, str] = {}
    for split, table in tables.items():
        for number, (name, label) in enumerate(_rows(table), start=2):
            places = (by_place.get(place) for place in (name, os.path.join("images", name)))
            found = next(filter(None, places), None) or by_name.get(os.path.basename(name))
            if found is None:
                raise BadInput(f"{table}, row {number}: there is no image {quoted(name)} in {root}.")
            if seen.setdefault(label, split) != split:
                raise BadInput(f"{table}, row {number}: class {quoted(label)} is in {seen[label]} too.")
            members.setdefault((label, split), []).append(found)
    return members


def _rows(table: Path) -> Iterator[tuple[str, str]]:
    """Names of files and labels; raises BadInput."""
    try:
        with table.open(newline="", encoding="utf-8") as file:
            rows = csv.DictReader(file)
            if not {"filename", "label"} <= set(rows.fieldnames or ()):
                raise BadInput(f"{table} must have the columns filename and label; it has {rows.fieldnames}.")
            for number, row in enumerate(rows, start=2):
                if not row["filename"] or not row["label"]:
                    raise BadInput(f"{table}, row {number}: filename and label must not be empty.")
                yield row["filename"], row["label"]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"{table} cannot be read: {error}.") from None


def _by_folder(root: Path, by_folder: dict[tuple[str, ...], list[str]]) -> dict[tuple[str, str], list[str]] | None:
    """As the folders around the classes say; None where they say nothing."""
    split_of = {name: split for split, names in NAMES.items() for name in names}
    at = next((i for i in range(2) if any(len(p) > i + 1 and p[i].lower() in split_of for p in by_folder)), None)
    if at is None:
        return None
    members: dict[tuple[str, str], list[str]] = {}
    for place, files in by_folder.items():
        if len(place) <= at + 1 or place[at].lower() not in split_of:
            raise BadInput(f"{root.joinpath(*place)} is in none of the folders for training, validation and test.")
        name, split = "/".join(place[at + 1 :]), split_of[place[at].lower()]
        members[name, split] = files
    there = {split for _, split in members}
    names = [name for name, _ in members]
    if twice := [name for name in names if names.count(name) > 1] if len(set(names)) < len(names) else []:
        raise BadInput(f"Class {quoted(twice[0])} of {root} is in two splits.")
    if "train" in there and "test" in there and "validation" not in there:
        ours = sorted(name for name, split in members if split == "train")
        taken = _shares(ours, {"train": SHARES["train"] + SHARES["validation"]}, ("train", "validation"))
        for name in ours:
            members[name, taken[name]] = members.pop((name, "train"))
    return members


def _by_ratio(root: Path, by_folder: dict[tuple[str, ...], list[str]]) -> dict[tuple[str, str], list[str]]:
    """By a hash of the names of classes, or of the folders around them."""
    if () in by_folder:
        raise BadInput(f"{by_folder[()][0]} lies in no folder of its class: one folder of images for each is needed.")
    names = {"/".join(place): files for place, files in by_folder.items()}
    taken = _shares(list(names), SHARES, SPLITS)
    return {(name, taken[name]): files for name, files in names.items()}


def _shares(names: list[str], shares: dict[str, float], splits: tuple[str, ...]) -> dict[str, str]:
    """Each name's split: at least one for each of them where there are enough; groups stay whole."""
    groups = sorted({name.rpartition("/")[0] for name in names})
    whole = len(groups) >= GROUPS
    units = groups if whole else names
    ranked = sorted(units, key=lambda unit: hashlib.sha256(unit.encode()).digest())
    ends, last = [], 0
    for i, share in enumerate(shares.values()):
        last = min(last + max(1, round(share * len(units))), len(units) - (len(splits) - 1 - i))
        ends.append(max(last, 0))
    place = {unit: splits[sum(rank >= end for end in ends)] for rank, unit in enumerate(ranked)}
    return {name: place[name.rpartition("/")[0] if whole else name] for name in names}
