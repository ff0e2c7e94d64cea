"""Zips of images that somebody sent: what comes out is below its folder, is images, and is bounded; else nothing."""

import io
import os
import stat
import zipfile

import pytest

from engine.errors import BadInput
from engine.evaluation import held_out_lazily
from engine.runs import uploads
from engine.runs.uploads import UPLOADED, unpack
from engine.tasks import Folders
from engine.tasks.images.listing import listed
from tests.engine.tasks.images.test_folders import fill, picture


def zipped(files, **how) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", **how) as archive:
        for name, part in files.items() if isinstance(files, dict) else files:
            archive.writestr(name, part)
    return content.getvalue()


def classes(prefix="", count=36, images=4) -> dict[str, bytes]:
    return {f"{prefix}c{i}/{j}.png": picture(5 * i + j) for i in range(count) for j in range(images)}


def files_below(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("prefix", ["", "photos/", "my photos\\"])
def test_a_zip_becomes_a_folder_that_can_be_trained_on(prefix, tmp_path):
    content = zipped(classes(prefix))
    there = unpack(content, "My Photos!.zip", tmp_path)
    assert there.parent == tmp_path / UPLOADED
    assert there.name.startswith("my-photos-")
    drawn = held_out_lazily(Folders(path=str(there), shots=1, queries=2), 3)
    assert drawn.rows(slice(None)).support_x.shape == (3, 5, 1, 28, 28)
    by_hand = listed(str(fill(tmp_path / "same", [f"c{i}" for i in range(36)])))
    assert (listed(str(there)).classes, listed(str(there)).splits) == (by_hand.classes, by_hand.splits)
    assert unpack(content, "My Photos!.zip", tmp_path) == there  # the same once more
    assert [path.name for path in there.parent.iterdir()] == [there.name]


def test_layouts_and_what_file_managers_leave(tmp_path):
    files = {f"mini/images/{name}": part for name, part in classes(images=1).items()}
    rows = {split: "filename,label\n" for split in ("train", "val", "test")}
    for i in range(36):
        split = ("train", "val", "test")[i // 12]
        rows[split] += f"c{i}/0.png,label{i}\n"
    files |= {f"mini/{split}.csv": text.encode() for split, text in rows.items()}
    files |= {"mini/.DS_Store": b"x", "__MACOSX/mini/._images": b"x", "mini/Thumbs.db": b"x"}
    there = unpack(zipped(files), "mini.zip", tmp_path)
    assert {path.split("/")[0] for path in files_below(there)} == {"images", "train.csv", "val.csv", "test.csv"}
    assert listed(str(there)).splits.count("validation") == 12


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("../c0/out.png", "no name of a file in it"),
        ("c0/../../out.png", "no name of a file in it"),
        ("/tmp/out.png", "no name of a file in it"),
        ("\\tmp\\out.png", "no name of a file in it"),
        ("C:/out.png", "no name of a file in it"),
        ("c0/run.sh", "is no image"),
        ("a/b/c/d/e/f/0.png", "at most 5 folders may be around an image"),
        ("c0/a\nb.png", "no name of a file in it"),
    ],
)
def test_names_that_lead_elsewhere_or_are_no_images_leave_nothing(name, said, tmp_path):
    with pytest.raises(BadInput, match=said) as refused:
        unpack(zipped({**classes(), name: picture(1)}), "x.zip", tmp_path / "runs")
    assert "\n" not in str(refused.value)
    assert files_below(tmp_path) == []
    assert list((tmp_path / "runs" / UPLOADED).iterdir()) == []


def test_a_link_in_a_zip_becomes_no_link(tmp_path):
    (tmp_path / "secret.png").write_bytes(b"secret")
    link = zipfile.ZipInfo("c0/link.png")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    there = unpack(zipped([*classes().items(), (link, str(tmp_path / "secret.png"))]), "x.zip", tmp_path / "runs")
    assert not any(path.is_symlink() for path in there.rglob("*"))
    assert b"secret" not in b"".join(path.read_bytes() for path in there.rglob("*.png") if path.name != "link.png")


def test_bombs_are_met_by_what_comes_out_not_by_what_they_say(tmp_path, monkeypatch):
    monkeypatch.setattr(uploads, "MAX_FILE_BYTES", 10_000)
    bomb = zipped({**classes(), "c0/big.png": b"\0" * 1_000_000}, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(BadInput, match=r"'c0/big.png' is larger than 10,000 bytes"):
        unpack(bomb, "x.zip", tmp_path)
    monkeypatch.setattr(uploads, "MAX_BYTES", 20_000)
    many = zipped({f"c{i}/0.png": b"\0" * 9_000 for i in range(5)}, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(BadInput, match="holds more than 20,000 bytes when unpacked"):
        unpack(many, "x.zip", tmp_path)
    monkeypatch.setattr(uploads, "MAX_FILES", 10)
    with pytest.raises(BadInput, match="The zip has more than 10 files"):
        unpack(zipped(classes()), "x.zip", tmp_path)
    monkeypatch.setattr(uploads, "MAX_ARCHIVE_BYTES", 100)
    with pytest.raises(BadInput, match="The zip is larger than 100 bytes"):
        unpack(zipped(classes()), "x.zip", tmp_path)
    assert files_below(tmp_path) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK\x03\x04 nothing", "not a zip archive that can be read"),
        (b"", "not a zip archive that can be read"),
        (zipped(classes(count=2)), "The zip has 2 classes and none for"),
        (zipped({}), "The zip has no images in it"),
        (zipped([("c0/0.png", picture(1)), ("c0/0.png/1.png", picture(2))]), "two files of one name"),
    ],
)
def test_what_cannot_be_trained_on_is_one_sentence_without_a_path_of_the_server(content, said, tmp_path):
    with pytest.raises(BadInput, match=said) as refused:
        unpack(content, "x.zip", tmp_path)
    assert str(tmp_path) not in str(refused.value)
    assert ".upload-" not in str(refused.value)
    assert files_below(tmp_path) == []


def test_a_damaged_or_encrypted_entry_is_one_sentence(tmp_path):
    content = bytearray(zipped(classes(), compression=zipfile.ZIP_DEFLATED))
    content[60:90] = os.urandom(30)
    with pytest.raises(BadInput, match="not a zip archive that can be read"):
        unpack(bytes(content), "x.zip", tmp_path)
    flagged = bytearray(zipped(classes()))
    flagged[6] |= 1  # encrypted, says the entry
    at = flagged.rindex(b"PK\x01\x02", 0, flagged.index(b"PK\x01\x02") + 4)
    flagged[at + 8] |= 1
    with pytest.raises(BadInput, match="not a zip archive that can be read"):
        unpack(bytes(flagged), "x.zip", tmp_path)
    assert files_below(tmp_path) == []
