"""Stage a data set's official files into the cache, in torchvision's layout, their MD5s checked.

Several processes may stage at the same time: each file appears under its name only when it is whole.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from hpc_nas.errors import DataError

Place = Callable[[Path, Path], None]
"""Puts an existing file (first) under another name (second): `os.symlink`, `os.rename`."""


@dataclass(frozen=True, kw_only=True)
class Unpacked:
    """A file that torchvision reads: its path below the root it is given, and its MD5."""

    path: str
    md5: str


@dataclass(frozen=True, kw_only=True)
class Published:
    """A file as published (.gz, .tar.gz or as it is), its MD5, and what it holds."""

    name: str
    md5: str
    contents: tuple[Unpacked, ...]


def is_staged(published: tuple[Published, ...], *, cache_dir: Path) -> bool:
    """Whether the cache holds every file that torchvision reads, with the right MD5."""
    return all(_holds(cache_dir, part) for file in published for part in file.contents)


def stage(
    published: tuple[Published, ...], *, data_dir: Path, cache_dir: Path, place: Place = os.symlink
) -> None:
    """Check the official files in `data_dir` and bring into the cache what is missing there.

    A file is looked for as published, flat in `data_dir` or where torchvision keeps it, then unpacked. All
    are checked, also where the cache is complete. Raises DataError with the path, and for a damaged file
    the expected and the found checksum.
    """
    if not data_dir.is_dir():
        raise DataError(
            f"data_dir = {data_dir}: no such directory; expected {', '.join(p.name for p in published)}"
        )
    for file in published:
        source = _find(data_dir, file)
        if source is None:
            _stage_unpacked(file, data_dir, cache_dir, place)
            continue
        _check_md5(source, file.md5)
        if not all(_holds(cache_dir, part) for part in file.contents):
            _unpack(source, file, cache_dir, place)


def _find(data_dir: Path, file: Published) -> Path | None:
    places = [data_dir, data_dir / Path(file.contents[0].path).parent]
    return next((p / file.name for p in places if (p / file.name).is_file()), None)


def _stage_unpacked(file: Published, data_dir: Path, cache_dir: Path, place: Place) -> None:
    for part in file.contents:
        places = [data_dir / part.path, data_dir / Path(part.path).name]
        source = next((path for path in places if path.is_file()), None)
        if source is None:
            raise DataError(
                f"{data_dir / file.name}: no such file, nor {data_dir / part.path}; put the official file "
                f"{file.name} (MD5 {file.md5}) there, or leave data_dir out and set download = true"
            )
        _check_md5(source, part.md5)
        if not _holds(cache_dir, part):
            _place_whole(source, cache_dir / part.path, place)


def _unpack(source: Path, file: Published, cache_dir: Path, place: Place) -> None:
    try:
        if source.name.endswith((".tar.gz", ".tgz")):
            with tarfile.open(source, "r:gz") as archive:
                for part in file.contents:
                    _write_whole(_member(archive, part.path), cache_dir / part.path)
        elif source.suffix == ".gz":
            with gzip.open(source, "rb") as stream:
                _write_whole(stream, cache_dir / file.contents[0].path)
        else:
            _place_whole(source, cache_dir / file.contents[0].path, place)
    except (OSError, EOFError, KeyError, tarfile.TarError, zlib.error) as error:
        raise DataError(f"{source}: can't be unpacked into {cache_dir}: {error}") from error


def _member(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    stream = archive.extractfile(name)
    if stream is None:
        raise KeyError(f"{name} is not a plain file")
    return stream


def _write_whole(stream: IO[bytes] | gzip.GzipFile, target: Path) -> None:
    with _temporary_beside(target) as temporary:
        with temporary.open("wb") as out:
            shutil.copyfileobj(stream, out, 1 << 20)
        temporary.replace(target)


def _place_whole(source: Path, target: Path, place: Place) -> None:
    with _temporary_beside(target) as temporary:
        temporary.unlink()
        place(source.absolute(), temporary)
        temporary.replace(target)


@contextmanager
def _temporary_beside(target: Path) -> Iterator[Path]:
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    os.close(handle)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def _holds(cache_dir: Path, part: Unpacked) -> bool:
    path = cache_dir / part.path
    return path.is_file() and _md5(path) == part.md5


def _check_md5(path: Path, expected: str) -> None:
    found = _md5(path)
    if found != expected:
        raise DataError(
            f"{path}: damaged or not the official file: MD5 expected {expected}, found {found} "
            f"({path.stat().st_size} bytes); fetch it again"
        )


def _md5(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    except OSError as error:
        raise DataError(f"{path}: can't be read: {error}") from error
