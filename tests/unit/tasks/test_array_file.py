"""Files that somebody else wrote: whatever their bytes are, they are read, or refused in one line."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hpc_nas.configuration import DataSection
from hpc_nas.errors import DataError
from hpc_nas.tasks import host_memory
from hpc_nas.tasks.image_data import array_file, load_dataset
from hpc_nas.tasks.registry import load_task

IMAGES = np.random.default_rng(0).integers(0, 256, (24, 4, 4), dtype=np.uint8)
LABELS = np.arange(24) % 3


def load(path: Path) -> Any:
    return load_dataset(DataSection(name=str(path)), cache_dir=path.parent / "no-cache-needed")


def refusal(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message


def as_npy(array: np.ndarray[Any, Any]) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array)
    return stream.getvalue()


def archive(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return path


def h5_bytes(**options: Any) -> bytes:
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        file.create_dataset("images", data=IMAGES, **options)
        file["labels"] = LABELS
    return stream.getvalue()


def npz_bytes() -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, images=IMAGES, labels=LABELS)
    return stream.getvalue()


def forged(**header: Any) -> bytes:
    """An array whose header says something else than what follows it."""
    stream = io.BytesIO()
    said = {"descr": "|u1", "fortran_order": False, "shape": IMAGES.shape, **header}
    np.lib.format.write_array_header_1_0(stream, said)
    return stream.getvalue() + IMAGES.tobytes()


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        (b"junk", "images is no array that numpy saved: "),
        (b"", "images is no array that numpy saved: "),
        (b"\x80\x04\x95\x0e\x00.", "images is no array that numpy saved: "),
        (as_npy(np.array([{}, None])), "images holds Python objects; save one plain array of numbers"),
        (as_npy(IMAGES)[:-5], "images is truncated or corrupt: uint8 (24, 4, 4) is more than the "),
        (
            forged(shape=(10**15, 4, 4)),
            "images is truncated or corrupt: uint8 (1000000000000000, 4, 4) is more",
        ),
        (forged(shape=(-24, -4, 4)), "images is truncated or corrupt: "),
        (forged(descr="<f8"), "images is truncated or corrupt: float64 (24, 4, 4) is more than"),
        (as_npy(IMAGES.astype(np.float32)), "images are float32 (24, 4, 4); expected uint8"),
        (as_npy(IMAGES.reshape(-1)), "images have shape (384,); expected [n, height, width]"),
        (as_npy(np.array(["a", "b"])), "images are <U1 (2,); expected uint8"),
    ],
)
def test_a_member_that_is_no_array_of_images_is_refused(tmp_path: Path, images: bytes, expected: str) -> None:
    assert expected in refusal(archive(tmp_path / "own.npz", images=images, labels=as_npy(LABELS)))


@pytest.mark.parametrize("suffix", [".npz", ".NPZ", ".h5", ".H5", ".HDF5"])
def test_the_case_of_the_suffix_does_not_matter(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"own{suffix}"
    path.write_bytes(npz_bytes() if suffix.lower() == ".npz" else h5_bytes())
    assert load(path).num_classes == 3


@pytest.mark.parametrize("kind", ["npz", "h5"])
def test_data_larger_than_memory_are_refused_with_both_sizes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    path = tmp_path / f"own.{kind}"
    path.write_bytes(npz_bytes() if kind == "npz" else h5_bytes())
    needed = {"npz": 24 * 16 + 24 * 8 + 2 * 128, "h5": 24 * 16 + 24 * 8}[kind]
    monkeypatch.setattr(host_memory, "available_bytes", lambda: 2 * needed)
    load(path)
    monkeypatch.setattr(host_memory, "GIB", 1)
    monkeypatch.setattr(host_memory, "available_bytes", lambda: 2 * needed - 1)
    assert f"its arrays take {needed}.00 GiB" in refusal(path)
    assert f"but {2 * needed - 1}.00 GiB of memory are available here" in refusal(path)


def test_a_lack_of_memory_found_out_in_reading_or_cutting_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "own.npz"
    path.write_bytes(npz_bytes())
    section = DataSection(name=str(path))

    def no_memory(*_: object, **__: object) -> None:
        raise MemoryError("Unable to allocate 9.00 TiB for an array")

    with monkeypatch.context() as patch:
        patch.setattr("hpc_nas.tasks.images.split", no_memory)
        with pytest.raises(DataError, match=r"memory: Unable to allocate 9.00 TiB .* GiB are available here"):
            load_task(section, cache_dir=tmp_path)
    monkeypatch.setattr(array_file, "_read_npz", no_memory)
    assert "does not fit into memory: Unable to allocate 9.00 TiB" in refusal(path)


def test_the_least_limit_of_memory_counts(tmp_path: Path) -> None:
    group = tmp_path / "job" / "step"
    group.mkdir(parents=True)
    for directory, most in ((group, "max"), (group.parent, "5000")):
        (directory / "memory.max").write_text(f"{most}\n")
        (directory / "memory.current").write_text("3000\n")
        (directory / "memory.stat").write_text("anon 2000\ninactive_file 700\n")
    own = tmp_path / "own"
    own.write_text("0::/job/step\n")
    assert host_memory.available_bytes(cgroups=tmp_path, own_cgroups=own) == 5000 - 3000 + 700
    own.write_text("0::/elsewhere\n")
    assert host_memory.available_bytes(cgroups=tmp_path, own_cgroups=own) > 2**20


WHOLE = {
    ".npz": [npz_bytes()],
    ".h5": [h5_bytes(), h5_bytes(chunks=(8, 4, 4)), h5_bytes(chunks=(8, 4, 4), compression="gzip")],
}


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, bytes]:
    """Bytes of a good file: some changed, some of them lost, zeros in place of a page, or cut."""
    suffix = draw(st.sampled_from(sorted(WHOLE)))
    content = bytearray(draw(st.sampled_from(WHOLE[suffix])))
    for _ in range(draw(st.integers(1, 5))):
        place = draw(st.integers(0, max(0, len(content) - 1)))
        length = draw(st.integers(1, 64))
        how = draw(st.sampled_from(["changed", "lost", "zeros", "cut", "doubled"]))
        if how == "changed":
            content[place : place + 1] = bytes([draw(st.integers(0, 255))])
        elif how == "lost":
            del content[place : place + length]
        elif how == "zeros":
            content[place : place + length] = bytes(len(content[place : place + length]))
        elif how == "doubled":
            content[place:place] = content[place : place + length]
        else:
            del content[place:]
    return suffix, bytes(content)


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    database=None,
)
@given(damaged())
def test_whatever_the_bytes_are_only_data_errors_come_of_them(
    tmp_path: Path, case: tuple[str, bytes]
) -> None:
    suffix, content = case
    path = tmp_path / f"own{suffix}"
    path.write_bytes(content)
    try:
        load(path)
    except DataError as error:
        assert "\n" not in str(error)  # noqa: PT017  # it may as well be read


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300), st.sampled_from([".npz", ".h5"]))
def test_bytes_that_never_were_such_a_file_are_refused(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"own{suffix}"
    path.write_bytes(content)
    assert f"not a {suffix} file ({len(content)} bytes found)" in refusal(path)
