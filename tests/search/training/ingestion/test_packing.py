"""From files to the arrays that networks train on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from search.training import datasets
from search.training.batches import TrainingImages
from search.training.datasets import Dataset
from search.training.ingestion import packing, slices
from search.training.ingestion.limits import LISTED, IngestError, Limits
from search.training.ingestion.packing import previews, put_together
from search.training.ingestion.slices import plan, read_slices
from search.training.ingestion.sources import FolderSource, open_source
from search.training.preprocessing import Preprocessing
from search.training.stored import ImagesGoneError, LazyImages, open_set
from tests.search.training.examples import quick_recipe
from tests.search.training.ingestion.made import files, folder_of, picture, zip_of

LIMITS = Limits()


def take(
    path: Path, tmp_path: Path, *, size: int | None = 8, limits: Limits = LIMITS, name: str = "made"
) -> Any:
    work = tmp_path / f"work-{name}"
    work.mkdir(exist_ok=True)
    source = open_source(path, limits, work)
    planned = plan(source, size, limits)
    read_slices(source, planned, work, lambda images: None)
    root = source.root if isinstance(source, FolderSource) else None
    return put_together(source.listing, planned, work, tmp_path / name, root)


def known(taken: Any, place: Path) -> Dataset:
    facts = taken.facts
    return Dataset(
        name="own", label="Own", classes=tuple(facts["classes"]), image_size=facts["size"],
        channels=facts["channels"], train_images=facts["train"], validation_images=facts["validation"],
        test_images=facts["test"], checksum=facts["checksum"], origin="test", place=place,
    )  # fmt: skip


def test_a_set_trains_like_a_built_in_one(tmp_path: Path) -> None:
    taken = take(zip_of(tmp_path / "a.zip", files(3, 20)), tmp_path)
    data = datasets.load_training(known(taken, tmp_path / "made"), seed=0)
    test = datasets.load_test(known(taken, tmp_path / "made"))
    assert (len(data.train), len(data.validation), len(test)) == (38, 10, 12)
    assert data.train.images.shape[1:] == (8, 8, 3)
    assert np.bincount(test.labels).tolist() == [4, 4, 4]
    seen = [image.tobytes() for part in (data.train, data.validation) for image in part.pixels()]
    assert not set(seen) & {image.tobytes() for image in test.pixels()}
    again = datasets.load_training(known(taken, tmp_path / "made"), seed=5)
    assert sorted(seen) == sorted(
        image.tobytes() for part in (again.train, again.validation) for image in part.pixels()
    )


def test_the_same_images_have_the_same_checksum_whatever_they_come_in(tmp_path: Path) -> None:
    zipped = take(zip_of(tmp_path / "a.zip", files()), tmp_path, name="zipped")
    folder = take(folder_of(tmp_path / "set", files()), tmp_path, name="folder")
    assert zipped.checksum == folder.checksum
    other = files()
    other["class0/1.png"] = picture(99_999)
    assert take(zip_of(tmp_path / "b.zip", other), tmp_path, name="other").checksum != zipped.checksum


def test_unreadable_and_double_images_are_left_out_and_listed(tmp_path: Path) -> None:
    content = files(3, 20)
    content["class0/broken.png"] = picture(1)[:100]
    content["class0/again.png"] = content["class0/3.png"]
    content["class1/from0.png"] = content["class0/4.png"]
    report = take(zip_of(tmp_path / "a.zip", content), tmp_path).report
    assert (report["found"], report["kept"]) == (63, 60)
    assert report["unreadable"] == {"count": 1, "listed": ["class0/broken.png: damaged or cut off"]}
    assert report["duplicates"]["count"] == 2
    assert ["class0/again.png", "class0/3.png"] in report["duplicates"]["listed"]
    assert report["conflicts"] == {"count": 1, "listed": [["class1/from0.png", "class0/4.png"]]}


def test_an_image_in_both_parts_stays_in_the_test_part(tmp_path: Path) -> None:
    content = files(3, 20, parts=("train/", "test/"))
    content["train/class0/leak.png"] = content["test/class0/0.png"]
    taken = take(zip_of(tmp_path / "a.zip", content), tmp_path)
    assert taken.report["overlap"] == {"count": 1, "listed": [["train/class0/leak.png", "test/class0/0.png"]]}
    assert taken.facts["test"] == 60
    assert taken.report["given_split"]


def test_grey_images_are_stored_with_one_channel(tmp_path: Path) -> None:
    taken = take(zip_of(tmp_path / "a.zip", files(grey=True)), tmp_path)
    assert taken.facts["channels"] == 1
    assert len(taken.report["mean"]) == 1
    assert open_set(tmp_path / "made").images.shape == (30, 8, 8, 1)


def test_mean_and_deviation_are_those_of_the_pixels(tmp_path: Path) -> None:
    report = take(zip_of(tmp_path / "a.zip", files()), tmp_path).report
    pixels = np.asarray(open_set(tmp_path / "made").images) / 255.0
    assert report["mean"] == pytest.approx(pixels.mean((0, 1, 2)), abs=1e-4)
    assert report["deviation"] == pytest.approx(pixels.std((0, 1, 2)), abs=1e-4)
    assert np.sum(report["histogram"], axis=1) == pytest.approx([1, 1, 1], abs=1e-3)


def test_the_size_that_suits_most_images_is_taken(tmp_path: Path) -> None:
    taken = take(zip_of(tmp_path / "a.zip", files()), tmp_path, size=None)
    assert taken.facts["size"] == 12  # the shorter side of 16 x 12
    assert (taken.report["widths"], taken.report["heights"]) == ([16, 16, 16], [12, 12, 12])


def test_reading_goes_on_where_it_was_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "SLICE", 8)
    path = zip_of(tmp_path / "a.zip", files())
    whole = take(path, tmp_path, name="whole")
    work = tmp_path / "work"
    work.mkdir()
    source = open_source(path, LIMITS, work)
    planned = plan(source, 8, LIMITS)

    class Killed(Exception):
        pass

    def die_at(images: int) -> None:
        if images >= 17:
            raise Killed

    with pytest.raises(Killed):
        read_slices(source, planned, work, die_at)
    assert len(list(work.glob("slice-*.npz"))) == 2
    real, seen = source.image, set()

    def watched(index: int) -> Any:
        seen.add(index)
        return real(index)

    monkeypatch.setattr(source, "image", watched)
    read_slices(source, planned, work, lambda images: None)
    assert min(seen) == 16
    resumed = put_together(source.listing, planned, work, tmp_path / "resumed")
    assert resumed == whole
    for name in ("images.npy", "labels.npy", "test.npy"):
        assert (tmp_path / "resumed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_files_that_changed_during_an_interruption_are_read_again(tmp_path: Path) -> None:
    content = files()
    root = folder_of(tmp_path / "set", content)
    take(root, tmp_path, name="old")
    (root / "class0/0.png").unlink()  # every later file moves up by one
    again = take(root, tmp_path, name="old")
    del content["class0/0.png"]
    assert again == take(folder_of(tmp_path / "fresh", content), tmp_path, name="fresh")


def test_of_very_many_problems_the_first_are_named_and_all_are_counted(tmp_path: Path) -> None:
    content = files(3, 20) | {f"class0/broken{number:03d}.png": b"x" for number in range(LISTED + 20)}
    content |= {f"class1/again{number:03d}.png": content["class1/0.png"] for number in range(LISTED + 5)}
    root = folder_of(tmp_path / "set", content)
    for number in range(LISTED + 7):
        (root / f"link{number:03d}").symlink_to(root)
    report = take(root, tmp_path).report
    for kind, count in (("unreadable", LISTED + 20), ("duplicates", LISTED + 5), ("ignored", LISTED + 7)):
        assert report[kind]["count"] == count
        assert len(report[kind]["listed"]) == LISTED
    assert report["kept"] == 60


@pytest.mark.parametrize("packed", [10**9, 100])
def test_the_lease_can_be_renewed_after_every_image_slice_and_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: int
) -> None:
    monkeypatch.setattr(slices, "SLICE", 10)
    monkeypatch.setattr(packing, "_AT_ONCE", 3 * 8 * 8 * 10)
    waited: list[str] = []
    source = open_source(folder_of(tmp_path / "set", files(4, 20)), LIMITS, tmp_path)
    planned = plan(source, None, Limits(packed=packed), lambda: waited.append("looked at"))
    assert waited.count("looked at") == 80
    read: list[int] = []
    read_slices(source, planned, tmp_path, read.append)
    assert set(read) == set(range(81))
    put_together(
        source.listing, planned, tmp_path, tmp_path / "made", tmp_path / "set", lambda: waited.append("made")
    )
    assert waited.count("made") >= 8
    stored = open_set(tmp_path / "made")
    previews(stored.images.reader.read, stored.labels, 4, lambda: waited.append("seen"))
    assert waited.count("seen") == 4


def test_a_set_too_large_to_pack_stays_in_its_folder_and_trains_the_same(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "set", files(3, 20))
    packed = take(root, tmp_path, name="packed")
    scattered = take(root, tmp_path, name="scattered", limits=Limits(packed=100))
    assert scattered.checksum == packed.checksum
    assert not (tmp_path / "scattered" / "images.npy").exists()
    sets = [open_set(tmp_path / name) for name in ("packed", "scattered")]
    assert np.array_equal(np.asarray(sets[0].images), np.asarray(sets[1].images))
    data = datasets.load_training(known(scattered, tmp_path / "scattered"), seed=0)
    assert len(data.train) == 38


def test_a_folder_that_is_gone_or_empty_trains_nothing(tmp_path: Path) -> None:
    root = folder_of(tmp_path / "set", files(3, 20))
    scattered = take(root, tmp_path, limits=Limits(packed=100))
    own = known(scattered, tmp_path / "made")
    (root / "class1" / "7.png").write_bytes(b"damaged since")
    black = [image for image in np.asarray(open_set(tmp_path / "made").images) if not image.any()]
    assert len(black) == 1
    shutil.rmtree(root)
    root.mkdir()  # as an unmounted disk leaves it
    with pytest.raises(ImagesGoneError, match=r"38 of 38 images .* can no longer be read from .*/set "):
        datasets.load_training(own, seed=0)
    root.rmdir()
    with pytest.raises(ImagesGoneError, match="Bring it back to where it was"):
        datasets.load_training(own, seed=0)


def test_a_zip_too_large_to_pack_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(IngestError, match="Choose a smaller size, or have an administrator"):
        take(zip_of(tmp_path / "a.zip", files()), tmp_path, limits=Limits(packed=100))


def test_images_that_do_not_fit_into_memory_are_read_batch_by_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = take(zip_of(tmp_path / "a.zip", files(3, 30)), tmp_path)
    own = known(taken, tmp_path / "made")
    eager = datasets.load_training(own, seed=0)
    monkeypatch.setattr(datasets, "IN_MEMORY", 100)
    monkeypatch.setattr("search.training.batches.IN_MEMORY", 100)
    lazy = datasets.load_training(own, seed=0)
    assert isinstance(lazy.train.images, LazyImages)
    preprocessing = Preprocessing.fit(eager.train.images, 12)
    recipe = quick_recipe(shift=0.1, batch_size=8)
    batches = list(TrainingImages(lazy.train, preprocessing, recipe).epoch(np.random.default_rng(1)))
    monkeypatch.undo()
    whole = list(TrainingImages(eager.train, preprocessing, recipe).epoch(np.random.default_rng(1)))
    assert len(batches) == len(whole) > 3
    for (images, labels), (same, alike) in zip(batches, whole, strict=True):
        assert np.array_equal(images.numpy(), same.numpy())
        assert labels.tolist() == alike.tolist()


def test_a_class_with_too_few_images_is_named(tmp_path: Path) -> None:
    content = files() | {"rare/1.png": picture(5000), "rare/2.png": picture(5001)}
    with pytest.raises(IngestError, match="class “rare” has 2 readable, distinct images"):
        take(zip_of(tmp_path / "a.zip", content), tmp_path)


def test_a_class_only_in_the_test_part_is_named(tmp_path: Path) -> None:
    content = files(2, 10, parts=("train/", "test/"))
    content |= {f"test/new/{number}.png": picture(7000 + number) for number in range(9)}
    with pytest.raises(IngestError, match="class “new” has no images to learn from"):
        take(zip_of(tmp_path / "a.zip", content), tmp_path)


def test_nothing_readable_is_an_error(tmp_path: Path) -> None:
    content = dict.fromkeys(files(), b"nothing")
    with pytest.raises(IngestError, match="None of the images"):
        take(zip_of(tmp_path / "a.zip", content), tmp_path, size=None)


def test_files_of_another_set_or_lost_ones_are_found_out(tmp_path: Path) -> None:
    taken = take(zip_of(tmp_path / "a.zip", files()), tmp_path)
    place = tmp_path / "made"
    facts = json.loads((place / "facts.json").read_text())
    (place / "facts.json").write_text(json.dumps(facts | {"checksum": "0" * 64}))
    with pytest.raises(ValueError, match="are of another data set"):
        datasets.load_training(known(taken, place), seed=0)
    (place / "facts.json").write_text(json.dumps(facts))
    (place / "images.npy").unlink()
    with pytest.raises(FileNotFoundError, match="are gone"):
        datasets.load_training(known(taken, place), seed=0)


def test_previews_are_of_each_class(tmp_path: Path) -> None:
    take(zip_of(tmp_path / "a.zip", files(3, 10)), tmp_path)
    stored = open_set(tmp_path / "made")
    found = previews(lambda rows: stored.images.reader.read(rows), stored.labels, 3)
    assert found.shape == (3, 8, 8, 8, 3)
    mine = {image.tobytes() for image in np.asarray(stored.images)[stored.labels == 1]}
    assert {image.tobytes() for image in found[1]} <= mine
