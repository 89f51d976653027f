"""Data sets by name, from official files or by download, staged by torchvision's layout."""

from __future__ import annotations

import gzip
import hashlib
import os
import pickle
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import scipy.io

from hpc_nas.configuration import DataSection
from hpc_nas.errors import DataError
from hpc_nas.tasks.image_data import KINDS, load_dataset
from hpc_nas.tasks.image_data.torchvision_import import import_torchvision
from hpc_nas.tasks.image_data.torchvision_sets import torchvision_datasets

from .task_helpers import fashion_section

FASHION_FILES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)


def refusal(section: DataSection, cache: Path) -> str:
    with pytest.raises(DataError) as caught:
        load_dataset(section, cache_dir=cache)
    return str(caught.value)


def files_below(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir())


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


@pytest.fixture
def fashion_copy(test_data: Path, tmp_path: Path) -> Path:
    """Links to the official files, so that single ones can be replaced."""
    copy = tmp_path / "official"
    copy.mkdir()
    for name in FASHION_FILES:
        (copy / name).symlink_to(test_data / "fashion_mnist" / name)
    return copy


def test_digits_are_always_the_same(tmp_path: Path) -> None:
    dataset = load_dataset(DataSection(name="digits"), cache_dir=tmp_path)
    assert dataset.train_images.shape == (1438, 1, 8, 8)
    assert dataset.test_images.shape == (359, 1, 8, 8)
    assert (int(dataset.train_images.min()), int(dataset.train_images.max())) == (0, 255)
    assert set(np.bincount(dataset.test_labels)) <= {34, 35, 36, 37}
    other_seed = load_dataset(DataSection(name="digits", seed=9), cache_dir=tmp_path)
    assert other_seed.checksum == dataset.checksum
    assert files_below(tmp_path) == []


def test_an_unknown_name_offers_the_nearest(tmp_path: Path) -> None:
    assert refusal(DataSection(name="fashion-mnist"), tmp_path).endswith("did you mean 'fashion_mnist'?")
    known = ", ".join(KINDS)
    assert refusal(DataSection(name="imagenet21k"), tmp_path).endswith(f"known are {known}, ptb")


def test_official_files_are_staged_and_read_by_torchvision(test_data: Path, fashion_cache: Path) -> None:
    without_source = DataSection(name="fashion_mnist", download=False)
    dataset = load_dataset(without_source, cache_dir=fashion_cache)
    assert dataset.train_images.shape == (60_000, 1, 28, 28)
    assert dataset.test_images.shape == (10_000, 1, 28, 28)
    assert set(np.bincount(dataset.train_labels)) == {6000}
    with gzip.open(test_data / "fashion_mnist" / FASHION_FILES[0]) as stream:
        pixels = np.frombuffer(stream.read(), np.uint8, offset=16).reshape(60_000, 1, 28, 28)
    np.testing.assert_array_equal(dataset.train_images, pixels)
    expected = sorted(f"FashionMNIST/raw/{name.removesuffix('.gz')}" for name in FASHION_FILES)
    assert files_below(fashion_cache) == expected


def test_torchvision_s_own_folder_is_taken_as_it_is(fashion_cache: Path, tmp_path: Path) -> None:
    section = DataSection(name="fashion_mnist", data_dir=str(fashion_cache), download=False)
    load_dataset(section, cache_dir=tmp_path)
    assert len(files_below(tmp_path)) == 4


def test_several_ranks_may_stage_at_once(test_data: Path, tmp_path: Path) -> None:
    def checksum(_: int) -> str:
        return load_dataset(fashion_section(test_data), cache_dir=tmp_path).checksum

    with ThreadPoolExecutor(3) as pool:
        assert len(set(pool.map(checksum, range(3)))) == 1
    assert len(files_below(tmp_path)) == 4


def test_a_damaged_cache_is_mended(test_data: Path, fashion_cache: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    shutil.copytree(fashion_cache, cache)
    labels = cache / "FashionMNIST" / "raw" / "t10k-labels-idx1-ubyte"
    good = labels.read_bytes()
    labels.write_bytes(good[:100])
    load_dataset(fashion_section(test_data), cache_dir=cache)
    assert labels.read_bytes() == good


def test_a_missing_file_is_named_with_where_to_get_it(fashion_copy: Path, tmp_path: Path) -> None:
    section = DataSection(name="fashion_mnist", data_dir=str(fashion_copy))
    (fashion_copy / FASHION_FILES[3]).unlink()
    assert refusal(section, tmp_path / "cache") == (
        f"{fashion_copy / FASHION_FILES[3]}: no such file, nor "
        f"{fashion_copy / 'FashionMNIST/raw/t10k-labels-idx1-ubyte'}; put the official file "
        f"{FASHION_FILES[3]} (MD5 bb300cfdad3c16e7a12a480ee83cd310) there, or leave data_dir out and set "
        "download = true"
    )


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    section = DataSection(name="fashion_mnist", data_dir=str(tmp_path / "nowhere"))
    assert refusal(section, tmp_path).startswith(f"data_dir = {tmp_path / 'nowhere'}: no such directory")


@pytest.mark.parametrize(
    "spoil", [lambda content: content[:-100], lambda content: b"", lambda content: b"x" * 99]
)
def test_a_damaged_file_is_refused_with_both_checksums(
    fashion_copy: Path, fashion_cache: Path, spoil: Callable[[bytes], bytes]
) -> None:
    path = fashion_copy / FASHION_FILES[1]
    spoiled = spoil(path.read_bytes())
    path.unlink()
    path.write_bytes(spoiled)
    section = DataSection(name="fashion_mnist", data_dir=str(fashion_copy))
    assert refusal(section, fashion_cache) == (  # although the cache is whole
        f"{path}: damaged or not the official file: MD5 expected 25c81989df183df01b3e8a0aad5dffbe, "
        f"found {md5(spoiled)} ({len(spoiled)} bytes); fetch it again"
    )


def test_without_source_or_download_the_way_out_is_told(tmp_path: Path) -> None:
    message = refusal(DataSection(name="svhn", download=False), tmp_path)
    assert message == (
        f"svhn: not in the cache {tmp_path}, and download = false; set data_dir to the directory that holds "
        "the official file(s) train_32x32.mat, test_32x32.mat, or set download = true"
    )


@pytest.mark.parametrize("name", ["fashion_mnist", "cifar10", "cifar100", "svhn"])
def test_a_failed_download_is_an_error_in_words(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_internet(*args: Any, **kwargs: Any) -> None:
        raise URLError("Name or service not known")

    torchvision_datasets()
    monkeypatch.setattr("urllib.request.urlopen", no_internet)
    message = refusal(DataSection(name=name), tmp_path)
    assert message.startswith(f"{name}: can't be downloaded: ")
    assert "Name or service not known" in message
    assert "Without internet: set data_dir to the directory" in message
    assert files_below(tmp_path) == []


def test_an_unwritable_cache_is_an_error_in_words(test_data: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the cache should be")
    message = refusal(fashion_section(test_data), tmp_path / "cache")
    assert "can't be unpacked into" in message
    message = refusal(DataSection(name="svhn"), tmp_path / "cache")
    assert message.startswith(f"svhn: can't be read from {tmp_path / 'cache'}")


def small_cifar(
    kind: Any, root: Path, monkeypatch: pytest.MonkeyPatch, label_key: str
) -> np.ndarray[Any, Any]:
    """An archive like the official one, with two images a batch, whose checksums torchvision is told."""
    random = np.random.default_rng(0)
    folder = root / kind.base_folder
    folder.mkdir(parents=True)
    pixels = random.integers(0, 256, (len(kind.train_list), 2, 3072)).astype(np.uint8)
    contents = {
        name: {"data": data, label_key: [0, 9]}
        for (name, _), data in zip(kind.train_list, pixels, strict=True)
    }
    contents[kind.test_list[0][0]] = {"data": pixels[0], label_key: [1, 2]}
    contents[kind.meta["filename"]] = {kind.meta["key"]: ["a", "b"]}
    sums = {}
    for name, content in contents.items():
        (folder / name).write_bytes(pickle.dumps(content))
        sums[name] = md5((folder / name).read_bytes())
    with tarfile.open(root / kind.filename, "w:gz") as archive:
        archive.add(folder, kind.base_folder)
    shutil.rmtree(folder)
    monkeypatch.setattr(kind, "train_list", [[name, sums[name]] for name, _ in kind.train_list])
    monkeypatch.setattr(kind, "test_list", [[name, sums[name]] for name, _ in kind.test_list])
    monkeypatch.setattr(kind, "meta", {**kind.meta, "md5": sums[kind.meta["filename"]]})
    monkeypatch.setattr(kind, "tgz_md5", md5((root / kind.filename).read_bytes()))
    return pixels.reshape(-1, 3, 32, 32)


@pytest.mark.parametrize(
    ("name", "class_name", "label_key"),
    [("cifar10", "CIFAR10", "labels"), ("cifar100", "CIFAR100", "fine_labels")],
)
def test_cifar_is_unpacked_from_its_archive(
    name: str, class_name: str, label_key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    official, cache = tmp_path / "official", tmp_path / "cache"
    kind = getattr(torchvision_datasets(), class_name)
    pixels = small_cifar(kind, official, monkeypatch, label_key)
    dataset = load_dataset(DataSection(name=name, data_dir=str(official)), cache_dir=cache)
    np.testing.assert_array_equal(dataset.train_images, pixels)
    assert dataset.test_labels.tolist() == [1, 2]
    assert dataset.num_classes == int(name.removeprefix("cifar"))
    names = [name for name, _ in [*kind.train_list, *kind.test_list]] + [kind.meta["filename"]]
    assert files_below(cache) == sorted(f"{kind.base_folder}/{name}" for name in names)


def small_svhn(kind: Any, root: Path, monkeypatch: pytest.MonkeyPatch) -> np.ndarray[Any, Any]:
    root.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3, 4)).astype(np.uint8)
    split_list = {}
    for part in ("train", "test"):
        path = root / f"{part}_32x32.mat"
        scipy.io.savemat(path, {"X": pixels, "y": np.array([[10], [1], [2], [9]], np.uint8)})
        split_list[part] = ["http://127.0.0.1:9/", path.name, md5(path.read_bytes())]
    monkeypatch.setattr(kind, "split_list", split_list)
    return pixels.transpose(3, 2, 0, 1)


def test_svhn_is_linked_and_its_ten_is_a_zero(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    official, cache = tmp_path / "official", tmp_path / "cache"
    pixels = small_svhn(torchvision_datasets().SVHN, official, monkeypatch)
    dataset = load_dataset(DataSection(name="svhn", data_dir=str(official)), cache_dir=cache)
    np.testing.assert_array_equal(dataset.train_images, pixels)
    assert dataset.train_labels.tolist() == [0, 1, 2, 9]
    assert os.readlink(cache / "train_32x32.mat") == str(official / "train_32x32.mat")


def test_a_download_goes_into_the_cache_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    official, cache = tmp_path / "official", tmp_path / "cache"
    kind = torchvision_datasets().SVHN
    small_svhn(kind, official, monkeypatch)

    def download(self: Any) -> None:
        shutil.copy(official / self.filename, self.root)

    monkeypatch.setattr(kind, "download", download)
    first = load_dataset(DataSection(name="svhn"), cache_dir=cache)
    assert files_below(cache) == ["test_32x32.mat", "train_32x32.mat"]
    assert not (cache / "train_32x32.mat").is_symlink()

    monkeypatch.setattr(kind, "download", lambda self: pytest.fail("downloaded twice"))
    assert load_dataset(DataSection(name="svhn"), cache_dir=cache).checksum == first.checksum


def test_torchvision_is_imported_beside_any_build_of_torch() -> None:
    assert import_torchvision().datasets.FashionMNIST.__name__ == "FashionMNIST"
    assert import_torchvision() is import_torchvision()


def test_importing_the_room_s_modules_does_not_import_torchvision() -> None:
    program = "import sys, hpc_nas.tasks.image_data; sys.exit('torchvision' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", program], check=False, cwd=Path(__file__).parents[3]).returncode
        == 0
    )
