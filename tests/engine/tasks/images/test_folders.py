"""Folders of images: every layout, splits that share no class, decoding when needed, one sentence for what is wrong."""

import csv
import io
import os
import shutil
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as pictures

from engine.configure import configure
from engine.errors import BadInput, EngineError
from engine.evaluation import held_out_lazily
from engine.tasks import Folders, Image, rows_of, stream
from engine.tasks.images import folders, listing
from engine.tasks.task import SPLITS


def picture(value: int, size: tuple[int, int] = (6, 5), mode: str = "L") -> bytes:
    """A PNG of one shade."""
    file = io.BytesIO()
    pictures.new(mode, size, value if mode == "L" else (value, value // 2, 0)).save(file, "png")
    return file.getvalue()


def fill(root: Path, classes: list[str], count: int = 4, mode: str = "L") -> Path:
    """A folder for each class with some images, each class and image another shade."""
    for i, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for j in range(count):
            (root / name / f"{j}.png").write_bytes(picture((16 * i + j) % 256, mode=mode))
    return root


def made(path: Path, **values) -> Folders:
    """A task on a folder, small unless told."""
    small = {"ways": 2, "shots": 1, "queries": 2, "side": 8}
    return configure(Folders, {"path": str(path), **small, **values}, "task")


def by_split(path: Path) -> dict[str, set[str]]:
    """The classes of each split."""
    there = listing.listed(str(path))
    pairs = list(zip(there.classes, there.splits, strict=True))
    return {split: {name for (name, _), of in pairs if of == split} for split in SPLITS}


def plain(root: Path) -> dict[str, int]:
    fill(root, [f"c{i}" for i in range(20)])
    return {"train": 14, "validation": 3, "test": 3}


def cub(root: Path) -> dict[str, int]:
    fill(root / "images", [f"{i:03}.Bird" for i in range(20)])
    (root / "attributes").mkdir()
    for name in ("images.txt", "attributes/attributes.txt"):
        (root / name).write_text("1 001.Bird/0.png\n")
    return {"train": 14, "validation": 3, "test": 3}


def tiered(root: Path) -> dict[str, int]:
    for split, count in (("train", 5), ("val", 2), ("test", 3)):
        fill(root / split, [f"n{split}{i}" for i in range(count)])
    return {"train": 5, "validation": 2, "test": 3}


def omniglot(root: Path) -> dict[str, int]:
    for part, count in (("images_background", 5), ("images_evaluation", 2)):
        for i in range(count):
            fill(root / part / f"Alphabet_{part[7]}{i}", [f"character{j:02}" for j in range(3)])
    return {"train": 12, "validation": 3, "test": 6}


def alphabets(root: Path) -> dict[str, int]:
    for i in range(6):
        fill(root / f"Alphabet{i}", [f"character{j:02}" for j in range(3)])
    return {"train": 12, "validation": 3, "test": 3}


def mini(root: Path) -> dict[str, int]:
    (root / "images").mkdir(parents=True)
    counts = {"train": 4, "val": 2, "test": 3}
    for split, count in counts.items():
        with (root / f"{split}.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["filename", "label"])
            for i in range(count):
                for j in range(4):
                    name = f"n{split}{i}0000{j}.png"
                    (root / "images" / name).write_bytes(picture(16 * i + j))
                    rows.writerow([name, f"n{split}{i}"])
    return {"train": 4, "validation": 2, "test": 3}


@pytest.mark.parametrize("layout", [plain, cub, tiered, omniglot, alphabets, mini])
def test_every_layout_is_read_and_no_class_is_in_two_splits(layout, tmp_path):
    counts = layout(tmp_path / "set")
    found = by_split(tmp_path / "set")
    assert {split: len(names) for split, names in found.items()} == counts
    assert not any(found[a] & found[b] for a, b in combinations(SPLITS, 2))
    task = made(tmp_path / "set")
    assert task.spec.inputs == Image(1, 8, 8)
    drawn = task.sample(stream("train"), 3)
    assert drawn.query_x.shape == (3, 4, 1, 8, 8)
    if layout in (omniglot, alphabets):
        of = {split: {name.rpartition("/")[0] for name in names} for split, names in found.items()}
        assert not any(of[a] & of[b] for a, b in combinations(SPLITS, 2)), "alphabets stay whole"


def test_what_an_image_says_is_what_its_file_says(tmp_path):
    task = made(fill(tmp_path, [f"c{i}" for i in range(14)]))
    drawn = held_out_lazily(task, 5)
    task_x = rows_of(drawn, slice(None)).query_x
    pool = task.pool("test")
    for i in range(5):
        for k, number in enumerate(drawn.query_x[i].tolist()):
            file = Path(pool.files[number])
            shade = (16 * int(file.parent.name[1:]) + int(file.stem)) % 256
            assert torch.allclose(task_x[i, k], torch.tensor(shade / 255))
            assert pool.names[pool.labels[number]] == file.parent.name


def test_images_are_decoded_when_they_are_needed_and_the_last_ones_are_kept(tmp_path, monkeypatch):
    task = made(fill(tmp_path, [f"c{i}" for i in range(14)]))
    decoded, met = folders.decoded, []
    monkeypatch.setattr(folders, "decoded", lambda file, *how: met.append(file) or decoded(file, *how))
    pool, wanted = task.pool("train"), torch.tensor([[3, 1], [3, 2]])
    first = pool.at(wanted)
    assert len(met) == 3
    assert torch.equal(pool.at(wanted), first)
    assert len(met) == 3
    monkeypatch.setattr(folders, "KEPT_BYTES", 2 * 64)
    pool.at(torch.arange(10))
    assert len(pool._kept) == 2
    assert torch.equal(pool.at(wanted), first)


def test_twenty_thousand_files_are_listed_without_opening_them(tmp_path, monkeypatch):
    (tmp_path / ".one.png").write_bytes(picture(7))
    for i in range(100):
        (tmp_path / f"c{i}").mkdir()
        for j in range(200):
            os.link(tmp_path / ".one.png", tmp_path / f"c{i}" / f"{j}.png")
    monkeypatch.setattr(folders, "channels_of", lambda file: 1)
    monkeypatch.setattr(folders, "decoded", lambda *_: pytest.fail("no image is needed yet"))
    drawn = made(tmp_path).lazy(stream("train"), 1000)
    assert drawn.support_x.shape == (1000, 2)
    assert len(listing.listed(str(tmp_path)).files) == 20_000


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("RGB", 3)])
def test_colours_are_kept_where_there_are_some(mode, channels, tmp_path):
    task = made(fill(tmp_path, [f"c{i}" for i in range(14)], mode=mode))
    assert task.channels == channels
    x = task.sample(stream("test"), 1).support_x
    assert x.shape[2:] == (channels, 8, 8)
    if channels == 3:
        assert torch.allclose(x[:, :, 1], x[:, :, 0] / 2, atol=1 / 255)
        assert made(tmp_path, channels=1).sample(stream("test"), 1).support_x.shape[2] == 1


def test_dark_can_stand_for_bright(tmp_path):
    fill(tmp_path, [f"c{i}" for i in range(14)])
    light, dark = (made(tmp_path, invert=invert).sample(stream("test"), 2) for invert in (False, True))
    assert torch.allclose(light.query_x, 1 - dark.query_x)


def test_a_set_does_not_depend_on_where_it_lies_and_links_that_lead_back_do_no_harm(tmp_path):
    fill(tmp_path / "a", [f"c{i}" for i in range(14)])
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    os.symlink(tmp_path / "b", tmp_path / "b" / "c0" / "back")
    assert listing.listed(str(tmp_path / "a")).sha256 == listing.listed(str(tmp_path / "b")).sha256
    assert by_split(tmp_path / "a") == by_split(tmp_path / "b")


def test_a_folder_that_has_changed_since_is_refused(tmp_path):
    task = made(fill(tmp_path, [f"c{i}" for i in range(14)]))
    fill(tmp_path, ["another"])
    with pytest.raises(BadInput, match="is not the folder that this task was made of"):
        task.sample(stream("test"), 1)
    shutil.rmtree(tmp_path)
    with pytest.raises(BadInput, match=r"The folder .* cannot be read"):
        task.sample(stream("test"), 1)


def tables(**content: str) -> dict[str, str | bytes | None]:
    """The content of train.csv, val.csv and test.csv."""
    return {f"{name}.csv": text for name, text in content.items()}


SPOILED: dict[str, dict[str, str | bytes | None]] = {  # what is written into a good folder; None: removed
    "empty class": {"c14/": None},
    "text in a class": {"c3/notes.txt": "hello"},
    "only text in a class": {"c14/notes.txt": "hello"},
    "too few images": {"c3/0.png": None, "c3/1.png": None},
    "an image beside the classes": {"0.png": picture(1)},
    "no table for the test": tables(train="filename,label\n0.png,a\n", val="filename,label\n0.png,a\n"),
    "a table without labels": tables(train="filename\n0.png\n", val="filename\n", test="filename\n"),
    "a table of files that are not there": tables(train="filename,label\nx.png,a\n", val="", test=""),
    "a class in two tables": tables(
        train="filename,label\nc0/0.png,a\n", val="filename,label\nc1/0.png,a\n", test="filename,label\n"
    ),
    "a class outside of the splits": {f"{split}/d/0.png": picture(1) for split in ("train", "val", "test")},
}


def spoiled(root: Path, what: str) -> None:
    """A good folder made bad in one way."""
    fill(root, [f"c{i}" for i in range(14)])
    for name, content in SPOILED[what].items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("/"):
            file.mkdir()
        elif content is None:
            file.unlink()
        else:
            file.write_bytes(content.encode() if isinstance(content, str) else content)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("empty class", r"c14 is a class without images: there is nothing in it\."),
        ("text in a class", r"c3/notes\.txt is no image, in a folder of images: take it out\."),
        ("only text in a class", r"c14 is a class without images: there is only notes\.txt, which is no image in it\."),
        ("too few images", r"class 'c3' of .* has 2 images; shots \+ queries = 1 \+ 2 needs as many or more\."),
        ("an image beside the classes", r"0\.png lies in no folder of its class: one folder of images for each"),
        ("no table for the test", r"has train\.csv, but no such file for test\."),
        ("a table without labels", r"train\.csv must have the columns filename and label; it has \['filename'\]\."),
        ("a table of files that are not there", r"train\.csv, row 2: there is no image 'x\.png' in"),
        ("a class in two tables", r"val\.csv, row 2: class 'a' is in train too\."),
        ("a class outside of the splits", r"c0 is in none of the folders for training, validation and test\."),
    ],
)
def test_what_is_wrong_with_a_folder_is_said_in_one_sentence(what, said, tmp_path):
    spoiled(tmp_path, what)
    with pytest.raises(EngineError, match=said) as caught:
        made(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_broken_image_is_named(tmp_path):
    task = made(fill(tmp_path, [f"c{i}" for i in range(14)]))
    for file in tmp_path.glob("*/*.png"):
        file.write_bytes(picture(9, (600, 500))[: file.stat().st_size])
    with pytest.raises(EngineError, match=r"\.png cannot be read as an image: "):
        task.sample(stream("test"), 1)


@pytest.mark.parametrize(
    ("path", "said"),
    [("nowhere", r"the folder .* cannot be read"), ("file.txt", "is a file; a folder with one folder of images")],
)
def test_a_path_that_is_no_folder_is_said_so(path, said, tmp_path):
    (tmp_path / "file.txt").write_text("x")
    with pytest.raises(EngineError, match=said):
        made(tmp_path / path)


def test_too_few_classes_are_counted(tmp_path):
    with pytest.raises(EngineError, match=r"has 1 class for validation; a task needs 2 \(ways\)\."):
        made(fill(tmp_path, [f"c{i}" for i in range(6)]))
    with pytest.raises(EngineError, match=r"has 2 classes and none for train: it needs more classes\."):
        made(fill(tmp_path / "two", ["a", "b"]))


def test_sixteen_bits_and_transparency_are_taken(tmp_path):
    fill(tmp_path, [f"c{i}" for i in range(14)])
    pictures.fromarray(np.full((5, 5), 256 * 77, np.uint16)).save(tmp_path / "c0" / "0.png")
    assert int(folders.decoded(str(tmp_path / "c0" / "0.png"), 1, 8).max()) == 77
    pictures.new("RGBA", (5, 5), (10, 20, 30, 0)).save(tmp_path / "c0" / "0.png")
    assert folders.decoded(str(tmp_path / "c0" / "0.png"), 3, 8)[:, 0, 0].tolist() == [10, 20, 30]
