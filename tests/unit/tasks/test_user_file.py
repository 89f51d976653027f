"""A user's own .npz or .h5 file, good and bad."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from hpc_nas.configuration import DataSection
from hpc_nas.errors import DataError
from hpc_nas.tasks.image_data import load_dataset
from hpc_nas.tasks.image_data.dataset import Dataset


def arrays(count: int = 40, *shape: int, **changes: Any) -> dict[str, NDArray[Any]]:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (count, *(shape or (6, 5)))).astype(np.uint8)
    return {"images": images, "labels": np.arange(count) % 4, **changes}


def save(path: Path, content: dict[str, NDArray[Any]]) -> Path:
    if path.suffix == ".npz":
        np.savez_compressed(path, **content)  # type: ignore[arg-type]
    else:
        with h5py.File(path, "w") as file:
            for name, array in content.items():
                file[name] = array
    return path


def load(path: Path) -> Dataset:
    return load_dataset(DataSection(name=str(path)), cache_dir=path.parent / "no-cache-needed")


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    return message


@pytest.mark.parametrize(
    ("name", "num_classes", "num_train"),
    [("cifar10_subset_7000", 10, 6000), ("cifar100_subset_6000", 100, 5000)],
)
def test_recorded_subsets_load_as_their_owner_marked_them(
    test_data: Path, name: str, num_classes: int, num_train: int
) -> None:
    path = test_data / "images" / f"{name}.npz"
    dataset = load(path)
    with np.load(path) as stored:
        is_test = stored["is_test"]
        expected = stored["images"][~is_test].transpose(0, 3, 1, 2)
        np.testing.assert_array_equal(dataset.train_images, expected)
        np.testing.assert_array_equal(dataset.test_labels, stored["labels"][is_test])
    assert (dataset.num_classes, len(dataset.train_labels)) == (num_classes, num_train)
    assert dataset.train_images.shape[1:] == (3, 32, 32)


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
def test_grey_images_get_a_channel_and_a_held_out_test_set(tmp_path: Path, suffix: str) -> None:
    content = arrays()
    dataset = load(save(tmp_path / f"own{suffix}", content))
    assert dataset.train_images.shape == (32, 1, 6, 5)
    assert dataset.num_classes == 4
    assert sorted(np.bincount(dataset.test_labels)) == [2, 2, 2, 2]
    together = np.concatenate([dataset.train_images, dataset.test_images])[:, 0]
    assert sorted(map(bytes, together)) == sorted(map(bytes, content["images"]))
    assert load(tmp_path / f"own{suffix}").checksum == dataset.checksum


@pytest.mark.parametrize(
    ("shape", "loaded"), [((6, 5, 3), (3, 6, 5)), ((3, 6, 5), (3, 6, 5)), ((9, 9, 1), (1, 9, 9))]
)
def test_channels_are_found_last_or_first(
    tmp_path: Path, shape: tuple[int, ...], loaded: tuple[int, ...]
) -> None:
    assert load(save(tmp_path / "own.npz", arrays(40, *shape))).train_images.shape[1:] == loaded


def test_other_integers_are_taken_if_they_fit_a_byte(tmp_path: Path) -> None:
    content = arrays()
    content["images"] = content["images"].astype(np.int32)
    content["labels"] = content["labels"].astype(np.uint8)
    dataset = load(save(tmp_path / "own.npz", content))
    assert dataset.train_images.dtype == np.uint8
    assert dataset.train_labels.dtype == np.int64


LABELS = arrays()["labels"]
BAD_CONTENT: dict[str, tuple[dict[str, NDArray[Any]], str]] = {
    "lengths differ": (arrays(labels=LABELS[:-1]), "40 images but 39 labels"),
    "negative label": (
        arrays(labels=LABELS - 1),
        "4 classes with labels -1..2; expected every class of 0..3",
    ),
    "gap in labels": (arrays(labels=np.where(LABELS == 3, 900, LABELS)), "4 classes with labels 0..900"),
    "label beyond the declared classes": (
        arrays(num_classes=np.array(3)),
        "10 label(s) out of range, the first at index 3: 3; expected 0..2 for 3 classes",
    ),
    "label beyond the named classes": (
        arrays(class_names=np.array(["a", "b"])),
        "20 label(s) out of range, the first at index 2: 2; expected 0..1 for 2 classes",
    ),
    "fractional labels": (
        arrays(labels=LABELS + 0.5),
        "labels are float64 with shape (40,); expected integers",
    ),
    "labels of two dimensions": (arrays(labels=LABELS.reshape(20, 2)), "labels are int64 with shape (20, 2)"),
    "fractional images": (
        arrays(images=np.zeros((40, 6, 5))),
        "images are float64 (40, 6, 5); expected uint8",
    ),
    "bright images": (arrays(images=np.full((40, 6, 5), 256)), "images hold 256..256; expected 0..255"),
    "no images": (arrays(images=np.zeros((0, 6, 5), np.uint8)), "not empty"),
    "flat images": (arrays(40, 30), "images have shape (40, 30); expected [n, height, width]"),
    "channels anywhere": (arrays(40, 3, 6, 3), "images have shape (40, 3, 6, 3)"),
    "channels nowhere": (arrays(40, 6, 6, 6), "images have shape (40, 6, 6, 6)"),
    "one class": (arrays(labels=LABELS * 0), "found 1 class(es); at least 2 are needed"),
    "test marks of wrong type": (
        arrays(is_test=LABELS),
        "is_test is int64 with shape (40,); expected bool [40]",
    ),
    "all test": (arrays(is_test=LABELS >= 0), "is_test marks 40 of 40 images; expected some, not all"),
    "no labels": (
        {"images": arrays()["images"]},
        "has no array labels; expected images, labels and optionally",
    ),
    "objects": (arrays(labels=np.array([{}] * 40)), "labels holds Python objects; save one plain array"),
}


@pytest.mark.parametrize("case", BAD_CONTENT)
def test_bad_content_is_refused_with_what_was_found(tmp_path: Path, case: str) -> None:
    content, expected = BAD_CONTENT[case]
    assert expected in refusal(save(tmp_path / "own.npz", content))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path / "own.npz").endswith(
        "no such file; expected a .npz or .h5 file with images and labels"
    )


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
@pytest.mark.parametrize("share", [0.0, 0.4, 0.95])
def test_a_truncated_file_is_refused_with_its_size(tmp_path: Path, suffix: str, share: float) -> None:
    path = save(tmp_path / f"own{suffix}", arrays(400))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    size = path.stat().st_size
    assert f"truncated, corrupt or not a {suffix} file ({size} bytes found)" in refusal(path)


def test_damage_inside_an_array_is_noticed(tmp_path: Path) -> None:
    path = save(tmp_path / "own.npz", arrays(400))
    content = bytearray(path.read_bytes())
    content[2000] ^= 255
    path.write_bytes(content)
    assert "truncated, corrupt or not a .npz file" in refusal(path)


@pytest.mark.parametrize("suffix", [".npz", ".h5"])
def test_a_foreign_file_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"own{suffix}"
    path.write_text("epoch,accuracy\n1,2\n")
    assert f"not a {suffix} file" in refusal(path)
    save(path, {"weights": np.zeros(3)})
    assert "has no array images or labels" in refusal(path)


def test_a_single_array_is_no_npz(tmp_path: Path) -> None:
    path = tmp_path / "own.npz"
    with path.open("wb") as stream:
        np.save(stream, np.zeros(3))
    assert "not a .npz file" in refusal(path)
