"""The archive `campaign.h5`: everything that a campaign recorded, in one file, and how it is read again."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
from dataclasses import fields
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from hpc_nas.errors import RecordError
from hpc_nas.records import layout
from hpc_nas.records.assembly import assemble
from hpc_nas.records.campaign_record import TABLES, CampaignRecord
from hpc_nas.records.hdf5 import cause_of
from hpc_nas.records.run_directory import RunDirectory
from hpc_nas.records.versions import READABLE_VERSIONS, upgrade

__all__ = ["CampaignRecord", "assemble", "load_record", "read_archive", "write_archive"]

logger = logging.getLogger(__name__)

KIND = "campaign"
_FACTS = tuple(item.name for item in fields(CampaignRecord) if item.name not in {*TABLES, "parameters"})


def load_record(path: str | os.PathLike[str]) -> CampaignRecord:
    """The record of a run directory, running or ended, or of an archive file.

    A run directory's archive is used while the ledger has not grown since; else ledger and rank files are.
    Raises RecordError for a file that is no archive, RunDirectoryError for a directory without a campaign.
    """
    if not Path(path).is_dir():
        return read_archive(path)
    directory = RunDirectory.open(path)
    if directory.archive_path.exists():
        try:
            archive = read_archive(directory.archive_path)
        except RecordError as error:
            logger.warning("read from the rank files instead: %s", error)
        else:
            if not directory.ledger_path.exists() or _is_current(archive, directory.ledger_path):
                return archive
    return assemble(directory)


def _is_current(archive: CampaignRecord, ledger: Path) -> bool:
    return bool(archive.close_reason) and archive.ledger_bytes == ledger.stat().st_size


def write_archive(record: CampaignRecord, path: str | os.PathLike[str]) -> None:
    """Publish a record as one HDF5 file, at once or not at all. Raises RecordError."""
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        # In memory first: a disk that fills up under HDF5 leaves a file that can't even be closed.
        image = _image(record)
        with open(temporary, "wb") as file:
            file.write(image)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise RecordError(
            f"{target}: can't be written: {cause_of(error)}; the rank files and the ledger hold everything. "
            "Free space and report again"
        ) from error


def _image(record: CampaignRecord) -> bytes:
    image = io.BytesIO()  # closed, then read: of an open file HDF5 1.14 gives a damaged one
    with h5py.File(image, "w", libver=("v108", "v110")) as file:
        file.attrs["schema_version"] = layout.SCHEMA_VERSION
        file.attrs["kind"] = KIND
        for name in _FACTS:
            value = getattr(record, name)
            file.attrs[name] = value if isinstance(value, str | int | float) else json.dumps(value)
        for name, dtype in TABLES.items():
            rows = np.asarray(getattr(record, name), dtype=dtype)
            file.create_dataset(name, data=rows, **_storage(rows))
        texts = np.array([json.dumps(p).encode() for p in record.parameters], dtype=h5py.string_dtype())
        file.create_dataset("parameters", data=texts, dtype=h5py.string_dtype())
    return image.getvalue()


def _storage(rows: NDArray[Any]) -> dict[str, Any]:
    return {"compression": "gzip", "shuffle": True, "chunks": True} if len(rows) else {}


def read_archive(path: str | os.PathLike[str]) -> CampaignRecord:
    """The record that an archive holds. Raises RecordError for a missing, truncated or foreign file."""
    try:
        with h5py.File(path, "r") as file:
            return _record(file, path=Path(path))
    except FileNotFoundError as error:
        raise RecordError(f"{path}: no such file; name a run directory or its campaign.h5") from error
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise RecordError(
            f"{path}: no sound archive of a campaign, truncated or foreign: {cause_of(error)}; "
            "name a run directory, or make the archive again from it"
        ) from error


def _record(file: Any, *, path: Path) -> CampaignRecord:
    kind, version = file.attrs.get("kind"), file.attrs.get("schema_version")
    if kind in ("trainer", "estimator"):
        raise RecordError(f"{path}: a {kind}'s rank file, no archive; name the run directory it lies in")
    if kind != KIND:
        raise RecordError(f"{path}: not an archive of a campaign; name a run directory or its campaign.h5")
    if version not in READABLE_VERSIONS:
        raise RecordError(
            f"{path}: schema version {version}, but this hpc-nas reads {', '.join(map(str, READABLE_VERSIONS))}; "
            "use the version that wrote it"
        )
    facts = {
        name: _fact(file.attrs[name], name=name)
        for name in _FACTS
        if name in file.attrs or name not in _ADDED_LATER
    }
    tables = {name: file[name][:] for name in TABLES}
    if version < layout.SCHEMA_VERSION:
        tables = {name: upgrade(rows, TABLES[name]) for name, rows in tables.items()}
    for name, dtype in TABLES.items():
        if tables[name].dtype != dtype:
            raise ValueError(f"table {name!r} has fields {tables[name].dtype.names}")
    parameters = [json.loads(text) for text in file["parameters"][:]]
    return CampaignRecord(**facts, **tables, parameters=parameters)


_LISTS = ("unreadable", "excluded_nodes")
_JSON_FACTS = {"versions", "data", "configuration", *_LISTS}
_ADDED_LATER = ("excluded_nodes",)


def _fact(value: Any, *, name: str) -> Any:
    if name in _JSON_FACTS:
        value = json.loads(value)
        return tuple(value) if name in _LISTS else value
    return value.item() if isinstance(value, np.generic) else value
