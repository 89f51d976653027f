"""The archive `campaign.h5`: everything that a campaign recorded, in one file, and how it is read again.

Behind what HDF5 reads stands a checksum of all before it. HDF5 can spin for ever in a file that has lost a page, so
only one whose checksum holds is opened here; any other is read by a child process that may take so long and no longer.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import logging
import os
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from hpc_nas.errors import RecordError
from hpc_nas.records import layout
from hpc_nas.records.assembly import assemble
from hpc_nas.records.campaign_record import TABLES, CampaignRecord
from hpc_nas.records.hdf5 import cause_of, plain
from hpc_nas.records.ownership import is_foreign
from hpc_nas.records.row_checks import possible
from hpc_nas.records.run_directory import RunDirectory
from hpc_nas.records.time_limit import within_time_limit

__all__ = ["CampaignRecord", "assemble", "load_record", "read_archive", "write_archive"]

logger = logging.getLogger(__name__)

KIND = "campaign"
_FACTS = tuple(
    item.name for item in fields(CampaignRecord) if item.name not in {*TABLES, "foreign", "parameters"}
)
_SEAL = b"\nhpc-nas sha256 "
_SEAL_BYTES = len(_SEAL) + 64 + 1


def load_record(path: str | os.PathLike[str]) -> CampaignRecord:
    """The record of a run directory, running or ended, or of an archive file.

    A run directory's archive is used while it is sound and the ledger has not grown since; else ledger and rank files
    are. Raises RecordError for a file that is no archive, RunDirectoryError for a directory without a campaign.
    """
    if not Path(path).is_dir():
        return read_archive(path)
    directory = RunDirectory.open(path)
    if directory.archive_path.exists():
        try:
            archive = read_archive(directory.archive_path)
        except RecordError as error:
            record = assemble(directory)
            problem = f"{error}. Ledger and rank files were read instead"
            return replace(record, problems=(problem, *record.problems))
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
            file.write(image + _seal_of(image))
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
            if name == "candidates":
                rows = np.concatenate([rows, record.foreign])
            file.create_dataset(name, data=rows, **_storage(rows))
        texts = np.array([json.dumps(p).encode() for p in _parameters(record)], dtype=h5py.string_dtype())
        file.create_dataset("parameters", data=texts, dtype=h5py.string_dtype())
    return image.getvalue()


def _seal_of(image: bytes) -> bytes:
    return _SEAL + hashlib.sha256(image).hexdigest().encode() + b"\n"


def _storage(rows: NDArray[Any]) -> dict[str, Any]:
    return {"compression": "gzip", "shuffle": True, "fletcher32": True, "chunks": True} if len(rows) else {}


def _parameters(record: CampaignRecord) -> list[dict[str, Any]]:
    """One for each row of the table of candidates; a foreign one has none."""
    return [*record.parameters, *({} for _ in record.foreign)]


def read_archive(path: str | os.PathLike[str]) -> CampaignRecord:
    """The record that an archive holds. Raises RecordError for a missing, truncated, damaged or foreign file."""
    path = Path(path)
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise RecordError(f"{path}: no such file; name a run directory or its campaign.h5") from error
    except OSError as error:
        raise RecordError(f"{path}: can't be read: {error.strerror}") from error
    image, seal = content[:-_SEAL_BYTES], content[-_SEAL_BYTES:]
    if not seal.startswith(_SEAL):
        record = within_time_limit(read_unsealed_archive, path)
        problem = f"{path}: has no checksum, so nobody can tell whether it is as it was written"
        return replace(record, problems=(problem, *record.problems))
    if seal != _seal_of(image):
        raise RecordError(
            f"{path}: damaged: its checksum does not hold; name the run directory, or restore it from a copy"
        )
    return _read(io.BytesIO(image), path=path)


def read_unsealed_archive(path: Path) -> CampaignRecord:
    """What an archive without a checksum holds; HDF5 may spin for ever in it. Raises RecordError."""
    return _read(path, path=path)


def _read(source: Any, *, path: Path) -> CampaignRecord:
    try:
        with h5py.File(source, "r") as file:
            return _record(file, path=path)
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise RecordError(
            f"{path}: no sound archive of a campaign, truncated, damaged or foreign: {cause_of(error)}; "
            "name a run directory, or make the archive again from it"
        ) from error


def _record(file: Any, *, path: Path) -> CampaignRecord:
    kind, version = plain(file.attrs.get("kind")), file.attrs.get("schema_version")
    if kind in ("trainer", "estimator"):
        raise RecordError(f"{path}: a {kind}'s rank file, no archive; name the run directory it lies in")
    if kind != KIND:
        raise RecordError(f"{path}: not an archive of a campaign; name a run directory or its campaign.h5")
    if version != layout.SCHEMA_VERSION:
        raise RecordError(
            f"{path}: schema version {version}, but this hpc-nas reads {layout.SCHEMA_VERSION}; "
            "use the version that wrote it"
        )
    facts = {name: _fact(file.attrs[name], name=name) for name in _FACTS}
    tables = {name: file[name][:] for name in TABLES}
    for name, dtype in TABLES.items():
        if tables[name].dtype != dtype:
            raise ValueError(f"table {name!r} has fields {tables[name].dtype.names}")
        if not (can_be := possible(name, tables[name])).all():
            raise ValueError(f"{np.count_nonzero(~can_be)} rows of table {name!r} can't be")
    parameters = [json.loads(text) for text in file["parameters"][:]]
    foreign = np.array([is_foreign(number) for number in tables["candidates"]["number"].tolist()], dtype=bool)
    return CampaignRecord(
        **facts,
        **tables | {"candidates": tables["candidates"][~foreign]},
        foreign=tables["candidates"][foreign],
        parameters=parameters[: np.count_nonzero(~foreign)],
    )


_LISTS = ("problems", "excluded_nodes")
_JSON_FACTS = {"versions", "data", "configuration", *_LISTS}


def _fact(value: Any, *, name: str) -> Any:
    if name in _JSON_FACTS:
        value = json.loads(value)
        return tuple(value) if name in _LISTS else value
    return value.item() if isinstance(value, np.generic) else value
