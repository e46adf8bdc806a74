"""What is refused, with which words, and how files become classes and parts."""

from __future__ import annotations

import io
import os
import shutil
import stat
import struct
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from search.training.ingestion import sources
from search.training.ingestion.decoding import decode
from search.training.ingestion.limits import IngestError, Limits, UnreadableError
from search.training.ingestion.listing import TEST, TRAIN, arrange
from search.training.ingestion.sources import is_plain_path, open_source
from tests.search.training.ingestion.made import files, folder_of, picture, zip_of

LIMITS = Limits()


def listed(path: Path, tmp_path: Path, limits: Limits = LIMITS) -> Any:
    scratch = tmp_path / "scratch"
    scratch.mkdir(exist_ok=True)
    source = open_source(path, limits, scratch)
    source.close()
    return source.listing


def test_a_zip_of_class_folders_is_listed(tmp_path: Path) -> None:
    found = listed(zip_of(tmp_path / "a.zip", files()), tmp_path)
    assert found.classes == ("class0", "class1", "class2")
    assert len(found) == 30
    assert found.parts is None


def test_a_folder_around_everything_and_what_systems_leave_do_not_matter(tmp_path: Path) -> None:
    content = {f"pets/{name}": data for name, data in files().items()}
    content |= {"__MACOSX/pets/._1.png": b"x", "pets/.DS_Store": b"x", "pets/class0/Thumbs.db": b"x"}
    found = listed(zip_of(tmp_path / "a.zip", content), tmp_path)
    assert found.classes == ("class0", "class1", "class2")
    assert len(found) == 30
    assert found.ignored_count == 0


@pytest.mark.parametrize("test_name", ["test", "val", "Validation"])
def test_train_and_test_folders_are_the_parts(tmp_path: Path, test_name: str) -> None:
    found = listed(zip_of(tmp_path / "a.zip", files(parts=("train/", f"{test_name}/"))), tmp_path)
    assert found.classes == ("class0", "class1", "class2")
    assert np.bincount(found.parts).tolist() == [30, 30]
    tests = {name for name, part in zip(found.names, found.parts, strict=True) if part == TEST}
    assert all(name.startswith(test_name) for name in tests)


def test_beside_a_test_folder_validation_is_more_to_learn_from(tmp_path: Path) -> None:
    found = listed(zip_of(tmp_path / "a.zip", files(parts=("train/", "val/", "test/"))), tmp_path)
    assert [int((found.parts == part).sum()) for part in (TRAIN, TEST)] == [60, 30]


def test_files_beside_the_classes_are_named(tmp_path: Path) -> None:
    found = listed(zip_of(tmp_path / "a.zip", files() | {"README.txt": b"hello"}), tmp_path)
    assert found.ignored == ("README.txt: not in the folder of a class",)


def test_a_folder_is_listed_and_its_links_are_not_followed(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "set", files())
    secret = tmp_path / "secret.png"
    secret.write_bytes(picture(1))
    (root / "class0" / "link.png").symlink_to(secret)
    (root / "class3").symlink_to(root / "class0")
    found = listed(root, tmp_path)
    assert found.classes == ("class0", "class1", "class2")
    assert len(found) == 30
    assert set(found.ignored) == {"class0/link.png: a symbolic link", "class3: a symbolic link"}


def with_member(tmp_path: Path, **changes: Any) -> Path:
    """A good archive with one more member, changed."""
    path = tmp_path / "bad.zip"
    info = zipfile.ZipInfo(changes.pop("name", "class0/more.png"))
    data = changes.pop("data", picture(1))
    info.external_attr = changes.pop("external_attr", 0)
    info.compress_type = changes.pop("compress_type", zipfile.ZIP_DEFLATED)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files().items():
            archive.writestr(name, content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            archive.writestr(info, data)
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "../../etc/passwd"}, "leads out of the archive"),
        ({"name": "/etc/passwd"}, "leads out of the archive"),
        ({"name": "C:/evil.png"}, "leads out of the archive"),
        ({"name": "class0\\..\\..\\evil.png"}, "leads out of the archive"),
        ({"external_attr": (stat.S_IFLNK | 0o777) << 16, "data": b"/etc/passwd"}, "is a symbolic link"),
        ({"compress_type": zipfile.ZIP_LZMA}, "compressed in an uncommon way"),
        ({"data": b"\0" * 5_000_000}, "looks like a zip bomb"),
        ({"name": "class0/1.png"}, "names “class0/1.png” twice"),
    ],
)
def test_archives_that_mean_harm_are_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(IngestError, match=message):
        listed(with_member(tmp_path, **changes), tmp_path)


def test_an_encrypted_archive_is_refused(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.zip", files())
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x01\x02")
    content[at + 8] |= 1  # the flag in the central directory
    path.write_bytes(content)
    with pytest.raises(IngestError, match="is encrypted"):
        listed(path, tmp_path)


def test_files_that_share_bytes_are_refused(tmp_path: Path) -> None:
    path = zip_of(tmp_path / "a.zip", files())
    content = bytearray(path.read_bytes())
    first = content.index(b"PK\x01\x02")
    second = content.index(b"PK\x01\x02", first + 4)
    content[second + 42 : second + 46] = content[first + 42 : first + 46]  # the same place for both
    path.write_bytes(content)
    with pytest.raises(IngestError, match="overlaps another file"):
        listed(path, tmp_path)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(files=10), "holds 30 files; 10 are allowed"),
        (Limits(unpacked=1000), "Unpacked, the archive is"),
        (Limits(classes=2), "3 folders of classes; 2 are allowed"),
        (Limits(one_file=100), "one image may be 100 bytes"),
    ],
)
def test_limits_are_kept(tmp_path: Path, limits: Limits, message: str) -> None:
    with pytest.raises(IngestError, match=message):
        listed(zip_of(tmp_path / "a.zip", files()), tmp_path, limits)


def test_a_folder_keeps_the_limit_of_files_too(tmp_path: Path) -> None:
    with pytest.raises(IngestError, match="more than 10 files"):
        listed(folder_of(tmp_path / "set", files()), tmp_path, Limits(files=10))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"a/1.png": b"x", "a/2.png": b"x"}, "at least two folders"),
        ({"1.png": b"x"}, "at least two folders"),
        ({}, "at least two folders"),
    ],
)
def test_a_set_without_two_classes_is_refused(
    tmp_path: Path, content: dict[str, bytes], message: str
) -> None:
    with pytest.raises(IngestError, match=message):
        listed(zip_of(tmp_path / "a.zip", content), tmp_path)


def test_what_is_neither_zip_nor_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"not a zip at all")
    with pytest.raises(IngestError, match="neither a zip file nor"):
        listed(tmp_path / "a.zip", tmp_path)
    with pytest.raises(IngestError, match="no file or folder"):
        listed(tmp_path / "nowhere", tmp_path)


# Arrays


def npz(path: Path, **arrays: Any) -> Path:
    np.savez_compressed(path, **arrays)
    return path


def images(count: int = 20, *shape: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).integers(0, 256, (count, *(shape or (8, 8))), dtype=np.uint8)


def test_arrays_are_listed_and_read(tmp_path: Path) -> None:
    pixels, labels = images(), np.arange(20) % 2
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    path = npz(tmp_path / "a.npz", images=pixels, labels=labels, classes=np.array(["cat", "dog"]))
    source = open_source(path, LIMITS, scratch)
    assert source.listing.classes == ("cat", "dog")
    assert source.listing.labels.tolist() == labels.tolist()
    assert np.array_equal(np.asarray(source.image(7)), pixels[7])


def test_arrays_with_a_test_part_keep_it(tmp_path: Path) -> None:
    train = {"x_train": images(20, 8, 8, 3), "y_train": np.arange(20) % 2}
    test = {"x_test": images(6, 8, 8, 3), "y_test": np.arange(6) % 2}
    path = npz(tmp_path / "a.npz", **train, **test)
    found = listed(path, tmp_path)
    assert np.bincount(found.parts).tolist() == [20, 6]
    assert found.names[20] == "x_test[0]"


class Evil:
    """What unpickling would run."""

    def __reduce__(self) -> Any:
        return (os.mkdir, ("/tmp/this-must-not-be-made",))


LABELS = np.arange(20) % 2


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"images": images(), "labels": np.array([Evil()] * 20, dtype=object)}, "would have to be unpickled"),
        ({"images": images().astype(np.float32), "labels": LABELS}, "must hold bytes from 0 to 255"),
        ({"images": images(20, 3, 8, 8), "labels": LABELS}, "Channels come last"),
        ({"images": images(20, 8), "labels": LABELS}, "must be images x height x width"),
        ({"images": images(), "labels": LABELS[:5]}, "one whole number for each of the 20 images"),
        ({"images": images(), "labels": LABELS / 2}, "one whole number for each"),
        ({"images": images(), "labels": LABELS - 1}, "classes count from 0"),
        ({"images": images(), "labels": np.zeros(20, dtype=int)}, "at least two classes"),
        (
            {"images": images(), "labels": LABELS, "classes": np.array(["cat"])},
            "a text for each of the 2 classes",
        ),
        ({"images": images(), "labels": LABELS, "classes": np.array(["a", "a"])}, "same name"),
        ({"images": images(), "labels": np.full(20, 10**9)}, "1,000,000,001 classes"),
        ({"pictures": images()}, "must be called images and labels"),
    ],
)
def test_arrays_that_cannot_be_are_refused(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    with pytest.raises(IngestError, match=message):
        listed(npz(tmp_path / "a.npz", **arrays), tmp_path)
    assert not os.path.exists("/tmp/this-must-not-be-made")


def test_an_array_larger_than_it_says_is_refused(tmp_path: Path) -> None:
    path = npz(tmp_path / "a.npz", images=images(), labels=LABELS)
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x01\x02")
    (size,) = struct.unpack_from("<I", content, at + 24)
    struct.pack_into("<I", content, at + 24, size - 100)
    path.write_bytes(content)
    with pytest.raises(IngestError, match=r"no whole array|larger than the archive says"):
        listed(path, tmp_path)


# Single images


def test_the_content_says_what_an_image_is_not_its_name(tmp_path: Path) -> None:
    for kind in ("PNG", "JPEG", "WEBP", "BMP", "GIF"):
        assert decode(picture(1, kind=kind), 10_000).size == (16, 12)


def saved(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<svg></svg>", "not an image of a known format"),
        (b"", "not an image of a known format"),
        (picture(1)[:200], "damaged or cut off"),
        (picture(1, (400, 300)), "more than 100,000"),
        (saved(Image.new("1", (20_000, 20_000))), "more than 100,000"),
        (saved(Image.new("RGB", (9, 9)), "TIFF"), "not an image of a known format"),
    ],
)
def test_unreadable_images_say_why(content: bytes, message: str) -> None:
    with pytest.raises(UnreadableError, match=message):
        decode(content, 100_000)


def test_a_picture_that_explodes_is_never_unpacked() -> None:
    """A PNG of 200 kB that says it is 60000 pixels wide and high."""
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + header + b"\0\0\0\0" + b"\0" * 200_000
    with pytest.raises(UnreadableError):
        decode(content, 50_000_000)


def test_sixteen_bits_transparency_palette_and_rotation_become_plain() -> None:
    deep = Image.fromarray(np.full((4, 4), 40_000, dtype=np.uint16))
    assert np.asarray(decode(saved(deep), 100)).max() == 40_000 >> 8
    clear = Image.new("RGBA", (2, 2), (0, 0, 0, 0))
    assert np.asarray(decode(saved(clear), 100)).min() == 255
    palette = Image.new("RGB", (4, 4), (10, 200, 30)).quantize(4)
    assert decode(saved(palette), 100).getpixel((0, 0)) == (10, 200, 30)
    turned = Image.new("L", (8, 4))
    exif = turned.getexif()
    exif[0x0112] = 6
    assert decode(saved(turned, "JPEG", exif=exif), 100).size == (4, 8)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=8))
def test_damaged_images_never_do_more_than_fail(changes: list[tuple[int, int]]) -> None:
    for kind in ("PNG", "JPEG", "WEBP", "GIF", "BMP"):
        content = bytearray(picture(3, kind=kind))
        for place, value in changes:
            content[place % len(content)] = value
        try:
            image = decode(bytes(content), 1_000_000)
        except UnreadableError:
            continue
        assert image.mode in ("L", "RGB")


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=8), st.booleans())
def test_damaged_archives_never_do_more_than_be_refused(
    tmp_path: Path, changes: list[tuple[int, int]], arrays: bool
) -> None:
    path = tmp_path / "damaged"
    if arrays:
        np.savez(path, images=images(), labels=LABELS)
        path = path.with_suffix(".npz")
    else:
        zip_of(path, files(2, 3))
    content = bytearray(path.read_bytes())
    for place, value in changes:
        content[place % len(content)] = value
    path.write_bytes(content)
    scratch = tmp_path / "scratch"
    scratch.mkdir(exist_ok=True)
    try:
        source = open_source(path, LIMITS, scratch)
    except IngestError:
        return
    for index in range(len(source.listing)):
        try:
            source.image(index)
        except UnreadableError:
            continue
    source.close()


@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=30), max_size=30))
def test_any_names_give_classes_or_a_sentence(names: list[str]) -> None:
    try:
        found = arrange([name for name in names if is_plain_path(name)], LIMITS)
    except IngestError:
        return
    assert len(found.classes) >= 2
    assert set(found.labels.tolist()) == set(range(len(found.classes)))


def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "set", files(2, 3))

    def take_away(_files: int) -> None:
        shutil.rmtree(root / "class0", ignore_errors=True)
        shutil.rmtree(root / "class1", ignore_errors=True)

    with pytest.raises(IngestError, match=r"The folder “class./” cannot be read: No such file"):
        open_source(root, LIMITS, tmp_path, take_away)


def test_files_are_heard_of_while_a_large_folder_is_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "HEARD_EVERY", 4)
    heard: list[int] = []
    open_source(folder_of(tmp_path / "set", files(2, 10)), LIMITS, tmp_path, heard.append)
    assert heard == [0, 4, 8, 10, 12, 16, 20, 20]


def test_unpacking_arrays_lets_the_lease_be_renewed(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=np.zeros((20, 512, 512), dtype=np.uint8), labels=np.arange(20) % 2)
    heard: list[int] = []
    open_source(tmp_path / "a.npz", LIMITS, tmp_path, heard.append)
    assert heard == [0] * 7
