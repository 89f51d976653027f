"""The archive: the whole record in one file and back, and when it is used."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import h5py
import numpy as np
import pytest
from records_helpers import opened, same
from run_helpers import append, finished_run, new_run, states

from hpc_nas.errors import RecordError, RunDirectoryError
from hpc_nas.records.archive import CampaignRecord, assemble, load_record, read_archive, write_archive
from hpc_nas.records.ledger import CampaignClosed
from tests.disks import tiny_disk


def write_unsealed(source: Path, path: Path) -> None:
    """The same archive without its checksum, as another program may have copied it."""
    path.write_bytes(source.read_bytes().rpartition(b"\nhpc-nas sha256 ")[0])


def contents(record: CampaignRecord) -> dict[str, object]:
    values = {item.name: getattr(record, item.name) for item in dataclasses.fields(record)}
    return {k: (v.dtype, v.tolist()) if isinstance(v, np.ndarray) else v for k, v in values.items()}


def test_archive_holds_the_whole_record(tmp_path: Path) -> None:
    record = assemble(finished_run(tmp_path / "run"))
    record = dataclasses.replace(record, problems=("größer: truncated",))
    write_archive(record, tmp_path / "campaign.h5")
    write_archive(record, tmp_path / "campaign.h5")
    assert same(contents(read_archive(tmp_path / "campaign.h5")), contents(record))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["campaign.h5", "run"]


def test_empty_record_goes_through_the_archive(tmp_path: Path) -> None:
    record = assemble(new_run(tmp_path / "run", []))
    write_archive(record, tmp_path / "campaign.h5")
    assert same(contents(read_archive(tmp_path / "campaign.h5")), contents(record))


def test_large_configuration_goes_through_the_archive(tmp_path: Path) -> None:
    record = assemble(finished_run(tmp_path / "run"))
    record = dataclasses.replace(record, configuration={"space": {"text": "x" * 200_000}})
    write_archive(record, tmp_path / "campaign.h5")
    assert read_archive(tmp_path / "campaign.h5").configuration == record.configuration


def test_archive_is_used_until_the_campaign_goes_on(tmp_path: Path) -> None:
    directory = finished_run(tmp_path / "run")
    record = dataclasses.replace(assemble(directory), host="from the archive")
    write_archive(record, directory.archive_path)
    assert load_record(directory.path).host == "from the archive"
    assert load_record(directory.archive_path).host == "from the archive"
    append(directory, [opened(200.0, resumed=True)])
    assert load_record(directory.path).host == "node1"
    append(directory, [CampaignClosed(reason="complete", time_s=201.0)])
    assert load_record(directory.path).close_reason == "complete"
    assert load_record(directory.path).host == "node1"


def test_damaged_archive_beside_rank_files_is_passed_over(tmp_path: Path) -> None:
    directory = finished_run(tmp_path / "run")
    directory.archive_path.write_bytes(b"\x89HDF\r\n\x1a\n")
    assert states(load_record(directory.path)) == ["stopped"]


def test_file_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    directory = finished_run(tmp_path / "run")
    write_archive(assemble(directory), tmp_path / "campaign.h5")
    whole = (tmp_path / "campaign.h5").read_bytes()
    path = tmp_path / "other.h5"
    for data in (b"", b"hello", whole[:20], whole[: len(whole) // 2]):
        path.write_bytes(data)
        with pytest.raises(
            RecordError, match=r"other\.h5: no sound archive .* truncated, damaged or foreign"
        ):
            load_record(path)
    with h5py.File(path, "w") as file:
        file["x"] = 1
    with pytest.raises(RecordError, match=r"other\.h5: not an archive of a campaign"):
        load_record(path)
    with pytest.raises(RecordError, match=r"rank-00000\.h5: a trainer's rank file, no archive"):
        load_record(directory.rank_file_path(0, 0))
    write_unsealed(tmp_path / "campaign.h5", path)
    with h5py.File(path, "a") as file:
        file.attrs["schema_version"] = 99
    with pytest.raises(RecordError, match="schema version 99, but this hpc-nas reads 4;"):
        load_record(path)
    with h5py.File(path, "a") as file:
        file.attrs["schema_version"] = 4
        del file["outcomes"]
    with pytest.raises(RecordError, match=r"other\.h5: no sound archive"):
        load_record(path)
    with pytest.raises(RecordError, match=r"no\.h5: no such file"):
        load_record(tmp_path / "no.h5")
    with pytest.raises(RunDirectoryError, match="holds no campaign"):
        load_record(tmp_path)


def test_full_disk_leaves_the_old_archive(tmp_path: Path) -> None:
    record = assemble(finished_run(tmp_path / "run"))
    with tiny_disk(tmp_path / "disk", num_bytes=128 * 1024) as disk:
        path = disk / "campaign.h5"
        write_archive(record, path)
        old = path.read_bytes()
        noise = np.random.default_rng(1).integers(32, 127, size=200_000, dtype=np.uint8)
        large = dataclasses.replace(record, data={"noise": noise.tobytes().decode()})
        with pytest.raises(RecordError, match=r"campaign\.h5: can't be written: No space left"):
            write_archive(large, path)
        assert path.read_bytes() == old
        assert [entry.name for entry in disk.iterdir()] == ["campaign.h5"]
