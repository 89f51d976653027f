"""What is missing of an HDF5 data set would be read as zeros: it is refused, by the name of what is missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from hpc_nas.configuration import DataSection
from hpc_nas.errors import DataError
from hpc_nas.tasks.image_data import load_dataset
from hpc_nas.tasks.image_data.dataset import Dataset

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 6, 5), dtype=np.uint8)
LABELS = np.arange(40) % 4


def load(path: Path) -> Dataset:
    return load_dataset(DataSection(name=str(path)), cache_dir=path.parent / "no-cache-needed")


def all_images(dataset: Dataset) -> list[bytes]:
    both = np.concatenate([dataset.train_images, dataset.test_images])
    return sorted(image.tobytes() for image in both)


WHOLE = sorted(image.tobytes() for image in IMAGES)


def virtual(path: Path, *names: str, declared: int = 20, rows: int = 40, inside: str = "images") -> Path:
    """Of `declared` rows of each of these sources, named as they are given."""
    layout = h5py.VirtualLayout(shape=(rows, 6, 5), dtype="u1")
    for place, name in enumerate(names):
        source = h5py.VirtualSource(name, inside, shape=(declared, 6, 5))
        layout[place * 20 : place * 20 + declared] = source
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("images", layout)
        file["labels"] = LABELS[:rows]
    return path


def parts(directory: Path, *, second: int = 20) -> tuple[str, str]:
    directory.mkdir(exist_ok=True)
    for name, images in (("a.h5", IMAGES[:20]), ("b.h5", IMAGES[20 : 20 + second])):
        with h5py.File(directory / name, "w") as file:
            file["images"] = images
    return "a.h5", "b.h5"


@pytest.mark.parametrize("absolute", [False, True])
def test_virtual_data_are_read_from_beside_the_file_whatever_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, absolute: bool
) -> None:
    names = parts(tmp_path / "data")
    path = virtual(
        tmp_path / "data" / "all.h5", *(str(tmp_path / "data" / name) if absolute else name for name in names)
    )
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert all_images(load(path)) == WHOLE


def test_virtual_data_of_the_file_itself_are_read(tmp_path: Path) -> None:
    path = tmp_path / "own.h5"
    layout = h5py.VirtualLayout(shape=IMAGES.shape, dtype="u1")
    layout[:] = h5py.VirtualSource(".", "raw", shape=IMAGES.shape)
    with h5py.File(path, "w") as file:
        file["raw"], file["labels"] = IMAGES, LABELS
        file.create_virtual_dataset("images", layout)
    assert all_images(load(path)) == WHOLE


def _moved(directory: Path) -> Path:
    path = virtual(directory / "all.h5", *parts(directory))
    (directory / "b.h5").rename(directory / "moved.h5")
    return path


def _moved_twice(directory: Path) -> Path:
    inner = _moved(directory)
    return virtual(directory / "outer.h5", inner.name, declared=40)


def _other_name_inside(directory: Path) -> Path:
    return virtual(directory / "all.h5", *parts(directory), inside="pictures")


def _source_shorter(directory: Path) -> Path:
    return virtual(directory / "all.h5", *parts(directory, second=13))


def _source_truncated(directory: Path) -> Path:
    path = virtual(directory / "all.h5", *parts(directory))
    content = (directory / "b.h5").read_bytes()
    (directory / "b.h5").write_bytes(content[: len(content) // 2])
    return path


def _not_covered(directory: Path) -> Path:
    return virtual(directory / "all.h5", parts(directory)[0])


def _of_itself(directory: Path) -> Path:
    path = directory / "all.h5"
    layout = h5py.VirtualLayout(shape=IMAGES.shape, dtype="u1")
    layout[:] = h5py.VirtualSource(".", "images", shape=IMAGES.shape)
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("images", layout)
        file["labels"] = LABELS
    return path


def _never_written(directory: Path) -> Path:
    with h5py.File(directory / "all.h5", "w") as file:
        file.create_dataset("images", shape=IMAGES.shape, dtype="u1")
        file["labels"] = LABELS
    return directory / "all.h5"


def _half_written(directory: Path) -> Path:
    with h5py.File(directory / "all.h5", "w") as file:
        images = file.create_dataset("images", shape=IMAGES.shape, dtype="u1", chunks=(10, 6, 5))
        images[:20] = IMAGES[:20]
        file["labels"] = LABELS
    return directory / "all.h5"


def _link_to_a_lost_file(directory: Path) -> Path:
    with h5py.File(directory / "all.h5", "w") as file:
        file["images"] = h5py.ExternalLink("lost.h5", "/images")
        file["labels"] = LABELS
    return directory / "all.h5"


def _link_to_nothing(directory: Path) -> Path:
    with h5py.File(directory / "all.h5", "w") as file:
        file["images"] = h5py.SoftLink("/lost")
        file["labels"] = LABELS
    return directory / "all.h5"


def _empty(directory: Path) -> Path:
    with h5py.File(directory / "all.h5", "w") as file:
        file["images"] = h5py.Empty("u1")
        file["labels"] = LABELS
    return directory / "all.h5"


def external(directory: Path, name: str, *, num_bytes: int = IMAGES.size) -> Path:
    (directory / "raw.bin").write_bytes(IMAGES.tobytes()[:num_bytes])
    with h5py.File(directory / "all.h5", "w") as file:
        file.create_dataset("images", shape=IMAGES.shape, dtype="u1", external=[(name, 0, IMAGES.size)])
        file["labels"] = LABELS
    return directory / "all.h5"


MISSING: dict[str, tuple[Callable[[Path], Path], str]] = {
    "moved": (_moved, "images is virtual, and its source b.h5 is not there (looked up beside "),
    "moved twice": (_moved_twice, "its source b.h5 is not there"),
    "other name": (_other_name_inside, "a.h5 has no data set pictures"),
    "shorter": (_source_shorter, "b.h5 than its (13, 6, 5): the rest would be read as zeros"),
    "truncated": (_source_truncated, "b.h5 can't be read: "),
    "not covered": (_not_covered, "600 of its 1200 values have no source"),
    "of itself": (_of_itself, "and so on without an end"),
    "never written": (_never_written, "images was made, uint8 (40, 6, 5), but never written"),
    "half written": (_half_written, "images is not complete: 2 of its 4 chunks were written"),
    "link to a lost file": (
        _link_to_a_lost_file,
        "images is a link to /images in lost.h5, which is not there",
    ),
    "link to nothing": (_link_to_nothing, "images is a link to /lost, which is not there"),
    "empty": (_empty, "images holds nothing"),
    "raw file lost": (
        lambda directory: external(directory, "lost.bin"),
        "images lies in the raw file lost.bin, which is not there (looked up as ",
    ),
    "raw file cut": (
        lambda directory: external(directory, "raw.bin", num_bytes=700),
        "raw.bin, which has 700 bytes; expected 1200",
    ),
}


@pytest.mark.parametrize("name", MISSING)
def test_what_is_missing_is_named(tmp_path: Path, name: str) -> None:
    make, expected = MISSING[name]
    path = make(tmp_path)
    with pytest.raises(DataError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: images")
    assert expected in message
    assert "\n" not in message


@pytest.mark.parametrize("absolute", [False, True])
def test_external_storage_is_read_from_beside_the_file_whatever_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, absolute: bool
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    path = external(tmp_path / "data", str(tmp_path / "data" / "raw.bin") if absolute else "raw.bin")
    assert all_images(load(path)) == WHOLE
