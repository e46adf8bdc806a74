"""What a data set comes in: a zip, a folder, or .npz arrays. Each lists its images and reads them one by
one."""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from search.training.ingestion.decoding import decode
from search.training.ingestion.limits import IngestError, Limits, UnreadableError, amount, short
from search.training.ingestion.listing import TEST, TRAIN, Ignored, Listing, arrange, check_names

HEARD_EVERY = 1000
"""Files of a folder that are found between two reports."""


class Source(Protocol):
    """Where images are read from."""

    listing: Listing

    def image(self, index: int) -> Image.Image:
        """One image in grey or colour. Raises UnreadableError."""

    def close(self) -> None: ...


def open_source(
    path: Path, limits: Limits, scratch: Path, on_files: Callable[[int], object] = lambda n: None
) -> Source:
    """Opens what lies at a path. `scratch` is a directory for arrays that are unpacked.

    `on_files` hears every now and then how many files of a folder were found so far, or 0 while arrays are
    unpacked. Raises IngestError for what cannot be taken in.
    """
    if path.is_dir():
        return FolderSource(path, limits, on_files)
    if not path.is_file():
        raise IngestError(f"There is no file or folder {path}.")
    if not zipfile.is_zipfile(path):
        raise IngestError("This is neither a zip file nor .npz arrays.")
    try:
        with zipfile.ZipFile(path) as archive:
            arrays = [name for name in archive.namelist() if name.endswith(".npy")]
            is_arrays = bool(arrays) and len(arrays) == len(archive.namelist())
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise IngestError(f"The file is damaged: {error}.") from None
    return ArraysSource(path, limits, scratch, lambda: on_files(0)) if is_arrays else ZipSource(path, limits)


class ZipSource:
    """A zip of one folder per class, with train and test folders around them or without."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self._limits = limits
        try:
            self._archive = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
            raise IngestError(f"The zip file is damaged: {error}.") from None
        members = check_archive(self._archive, path.stat().st_size, limits)
        self.listing = arrange((member.filename for member in members), limits)
        by_name = {member.filename: member for member in members}
        self._members = [by_name[name] for name in self.listing.names]

    def image(self, index: int) -> Image.Image:
        return decode(read_member(self._archive, self._members[index], self._limits), self._limits.pixels)

    def close(self) -> None:
        self._archive.close()


def check_archive(archive: zipfile.ZipFile, size: int, limits: Limits) -> list[zipfile.ZipInfo]:
    """The files of an archive of `size` bytes. Raises IngestError for one that lies, hides or explodes."""
    members = [member for member in archive.infolist() if not member.is_dir()]
    if len(members) > limits.files:
        raise IngestError(f"The archive holds {len(members):,} files; {limits.files:,} are allowed.")
    names: set[str] = set()
    for member in members:
        _check_member(member, limits)
        if member.filename in names:
            raise IngestError(f"The archive names “{short(member.filename)}” twice.")
        names.add(member.filename)
    unpacked = sum(member.file_size for member in members)
    if unpacked > limits.unpacked:
        raise IngestError(
            f"Unpacked, the archive is {amount(unpacked)}; {amount(limits.unpacked)} are allowed."
        )
    _check_overlaps(members, size)
    return members


def _check_member(member: zipfile.ZipInfo, limits: Limits) -> None:
    name = short(member.filename)
    if member.flag_bits & 0x1:
        raise IngestError(f"“{name}” is encrypted. Make the archive without a password.")
    if stat.S_ISLNK(member.external_attr >> 16):
        raise IngestError(f"“{name}” is a symbolic link. Put the images themselves into the archive.")
    if not is_plain_path(member.filename):
        raise IngestError(f"“{name}” leads out of the archive. Make the archive of a folder's content.")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise IngestError(f"“{name}” is compressed in an uncommon way; use a plain zip.")
    if member.file_size > limits.one_file and not member.filename.endswith(".npy"):
        raise IngestError(
            f"“{name}” is {amount(member.file_size)}; one image may be {amount(limits.one_file)}."
        )
    if member.file_size > 1000 * max(member.compress_size, 1) and member.file_size > 2**20:
        raise IngestError(f"“{name}” unpacks to a thousand times its size: this looks like a zip bomb.")


def _check_overlaps(members: list[zipfile.ZipInfo], size: int) -> None:
    """No two files share bytes: overlapping ones make small archives unpack to anything."""
    end = 0
    for member in sorted(members, key=lambda one: one.header_offset):
        if member.header_offset < end or member.header_offset + member.compress_size > size:
            raise IngestError(
                f"“{short(member.filename)}” overlaps another file: this looks like a zip bomb."
            )
        end = member.header_offset + member.compress_size


def is_plain_path(name: str) -> bool:
    """Whether a name stays within the folder it is unpacked to, on any system."""
    if (
        not name
        or "\\" in name
        or "\x00" in name
        or name.startswith("/")
        or (len(name) > 1 and name[1] == ":")
    ):
        return False
    return ".." not in PurePosixPath(name).parts


def read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, limits: Limits) -> bytes:
    """A file of an archive. Raises UnreadableError when it is damaged or larger than it says."""
    try:
        with archive.open(member) as file:
            content = file.read(min(member.file_size, limits.one_file) + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError):
        raise UnreadableError("damaged in the archive") from None
    if len(content) > member.file_size:
        raise UnreadableError("larger than the archive says")
    return content


class FolderSource:
    """A folder of one folder per class on this machine. Symbolic links are not followed."""

    def __init__(
        self, root: Path, limits: Limits, on_files: Callable[[int], object] = lambda n: None
    ) -> None:
        self.root, self._limits = root, limits
        self._ignored = Ignored()
        self.listing = arrange(self._walk(on_files), limits, self._ignored)

    def _walk(self, on_files: Callable[[int], object]) -> Iterator[str]:
        found, waiting = 0, [""]
        while waiting:
            folder = waiting.pop()
            for entry in _entries(self.root, folder):
                name = f"{folder}{entry.name}"
                if entry.is_symlink():
                    self._ignored.add(f"{name}: a symbolic link")
                elif entry.is_dir(follow_symlinks=False):
                    waiting.append(f"{name}/")
                else:
                    found += 1
                    if found > self._limits.files:
                        raise IngestError(f"The folder holds more than {self._limits.files:,} files.")
                    if found % HEARD_EVERY == 0:
                        on_files(found)
                    yield name
            on_files(found)

    def image(self, index: int) -> Image.Image:
        return read_image(self.root, self.listing.names[index], self._limits)

    def close(self) -> None:
        pass


def _entries(root: Path, folder: str) -> Iterator[os.DirEntry[str]]:
    """What lies in a folder below `root`, in no order and never all at once."""
    try:
        with os.scandir(root / folder) as entries:
            yield from entries
    except OSError as error:
        raise IngestError(
            f"The folder “{short(folder or str(root))}” cannot be read: {error.strerror}. "
            "Let the account that runs the workers read it."
        ) from None


def read_image(root: Path, name: str, limits: Limits) -> Image.Image:
    """An image file below a folder, its own name no link. Raises UnreadableError."""
    try:
        descriptor = os.open(root / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            content = file.read(limits.one_file + 1)
    except OSError as error:
        raise UnreadableError(f"cannot be opened: {error.strerror}") from None
    if len(content) > limits.one_file:
        raise UnreadableError(f"larger than {amount(limits.one_file)}")
    return decode(content, limits.pixels)


_PAIRS = (("images", "labels", TRAIN), ("x_train", "y_train", TRAIN), ("x_test", "y_test", TEST))


class ArraysSource:
    """.npz arrays: images with labels, or x_train, y_train, x_test and y_test; `classes` may name them."""

    def __init__(
        self, path: Path, limits: Limits, scratch: Path, on_wait: Callable[[], object] = lambda: None
    ) -> None:
        def unpacked(member: zipfile.ZipInfo) -> npt.NDArray[np.generic]:
            return _unpack(archive, member, scratch, limits, on_wait)

        with zipfile.ZipFile(path) as archive:
            members = check_archive(archive, path.stat().st_size, limits)
            arrays = {member.filename[: -len(".npy")]: member for member in members}
            parts = [pair for pair in _PAIRS if {pair[0], pair[1]} <= set(arrays)]
            if not parts:
                raise IngestError(
                    "The arrays must be called images and labels, or x_train, y_train, x_test and y_test; "
                    f"found are {', '.join(sorted(arrays)[:8])}."
                )
            self._images = [unpacked(arrays[name]) for name, _, _ in parts]
            labels = [unpacked(arrays[name]) for _, name, _ in parts]
            given = unpacked(arrays["classes"]) if "classes" in arrays else None
        for (name, label_name, _), images, label in zip(parts, self._images, labels, strict=True):
            _check_images(name, images)
            _check_labels(label_name, label, len(images))
        numbers = np.concatenate([np.asarray(label).ravel().astype(np.int64) for label in labels])
        classes = _class_names(numbers, given, limits)
        marks = np.concatenate(
            [
                np.full(len(one), part, dtype=np.int8)
                for one, (_, _, part) in zip(self._images, parts, strict=True)
            ]
        )
        names = tuple(
            f"{name}[{place}]"
            for one, (name, _, _) in zip(self._images, parts, strict=True)
            for place in range(len(one))
        )
        if len(names) > limits.files:
            raise IngestError(f"There are {len(names):,} images; {limits.files:,} are allowed.")
        self._starts = np.cumsum([0, *(len(one) for one in self._images)])
        self.listing = Listing(classes, names, numbers, marks if TEST in marks else None)

    def image(self, index: int) -> Image.Image:
        which = int(np.searchsorted(self._starts, index, side="right")) - 1
        pixels = np.asarray(self._images[which][index - self._starts[which]])
        if pixels.ndim == 3 and pixels.shape[2] == 1:
            pixels = pixels[..., 0]
        return Image.fromarray(pixels)

    def close(self) -> None:
        pass


def _unpack(
    archive: zipfile.ZipFile,
    member: zipfile.ZipInfo,
    scratch: Path,
    limits: Limits,
    on_wait: Callable[[], object],
) -> npt.NDArray[np.generic]:
    """An array of an archive, mapped from a file in `scratch`; its header is read before anything else."""
    name = member.filename
    try:
        with archive.open(member) as file:
            version = np.lib.format.read_magic(file)
            readers = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }
            if version not in readers:
                raise IngestError(f"“{name}” is of an unknown version of the format.")
            _, _, dtype = readers[version](file)
        if dtype.hasobject:
            raise IngestError(
                f"“{name}” holds Python objects, which would have to be unpickled: that runs code."
            )
        place = scratch / PurePosixPath(name).name
        with archive.open(member) as file, place.open("wb") as out:
            left = member.file_size
            while chunk := file.read(2**20):
                left -= len(chunk)
                if left < 0:
                    raise IngestError(f"“{name}” is larger than the archive says.")
                out.write(chunk)
                on_wait()
        found: npt.NDArray[np.generic] = np.load(place, mmap_mode="r", allow_pickle=False)
    except IngestError:
        raise
    except (
        ValueError,
        OSError,
        EOFError,
        zipfile.BadZipFile,
        zlib.error,
        RuntimeError,
        NotImplementedError,
        SyntaxError,
    ):
        raise IngestError(f"“{name}” is no whole array.") from None
    return found


def _check_images(name: str, images: npt.NDArray[np.generic]) -> None:
    shape = "x".join(map(str, images.shape))
    if images.dtype != np.uint8:
        raise IngestError(f"“{name}” must hold bytes from 0 to 255 (uint8), not {images.dtype}.")
    if images.ndim not in (3, 4) or 0 in images.shape:
        raise IngestError(f"“{name}” must be images x height x width (x channels), not {shape}.")
    if images.ndim == 4 and images.shape[3] not in (1, 3):
        also = " Channels come last." if images.shape[1] in (1, 3) else ""
        raise IngestError(f"“{name}” must have 1 or 3 channels, not {shape}.{also}")
    if max(images.shape[1:3]) > 4096:
        raise IngestError(f"“{name}” holds images of {shape}: more than 4096 pixels wide.")


def _check_labels(name: str, labels: npt.NDArray[np.generic], images: int) -> None:
    if labels.dtype.kind not in "iu" or labels.size != len(labels.ravel()) or labels.size != images:
        raise IngestError(f"“{name}” must hold one whole number for each of the {images:,} images.")
    if labels.size and int(labels.min()) < 0:
        raise IngestError(f"“{name}” holds {int(labels.min())}: classes count from 0.")


def _class_names(
    numbers: npt.NDArray[np.int64], given: npt.NDArray[np.generic] | None, limits: Limits
) -> tuple[str, ...]:
    count = int(numbers.max()) + 1 if len(numbers) else 0
    if count > limits.classes:
        raise IngestError(f"There are {count:,} classes; {limits.classes:,} are allowed.")
    if given is not None:
        if given.dtype.kind not in "US" or given.ndim != 1 or len(given) < count:
            raise IngestError(f"“classes” must hold a text for each of the {count} classes.")
        names = tuple(
            one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one) for one in given.tolist()
        )
    else:
        names = tuple(map(str, range(count)))
    if len(names) < 2:
        raise IngestError("There must be at least two classes.")
    if len(names) > limits.classes:
        raise IngestError(f"There are {len(names):,} classes; {limits.classes:,} are allowed.")
    if len(set(names)) < len(names):
        raise IngestError("Two classes have the same name.")
    check_names(names)
    return names
