"""docs/records.md says what the files hold: its examples run, its tables name every field with its type."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from run_helpers import finished_run

from hpc_nas.records import layout
from hpc_nas.records.archive import assemble, write_archive
from hpc_nas.records.history_journal import DescribedLine, EndedLine, ObservedLine
from hpc_nas.records.ledger import Event
from hpc_nas.records.row_file import RowFileReader

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "records.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
TYPES = {
    "S16": "S16",
    "S240": "S240",
    "int8": "i1",
    "int32": "<i4",
    "int64": "<i8",
    "uint64": "<u8",
    "float64": "<f8",
}
TABLES = {"candidates": layout.CANDIDATE, **layout.TRAINER_TABLES, **layout.ESTIMATOR_TABLES}


def test_examples_run_as_they_stand(tmp_path: Path) -> None:
    directory = finished_run(tmp_path / "run")
    write_archive(assemble(directory), directory.archive_path)
    outputs = []
    for example in EXAMPLES:
        script = example.replace("RUN_DIR", str(directory.path))
        assert "hpc_nas" not in script.replace(str(directory.path), "")
        command = [sys.executable, "-W", "error", "-c", script]
        outputs.append(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert outputs == [
        "".join(
            f"candidate 0: epoch {epoch:4.1f}  validation accuracy {50 + epoch:5.2f} %\n"
            for epoch in (0.5, 1.0, 1.5, 2.0)
        ),
        "4 observations so far, the last at epoch 2.0\n",
    ]


@pytest.mark.parametrize("table", sorted(TABLES))
def test_every_field_is_described_with_its_type(table: str) -> None:
    section = re.split(r"^##+ ", PAGE.partition(f"### `{table}`")[2], maxsplit=1, flags=re.MULTILINE)[0]
    described: list[tuple[str, str]] = []
    for names, types in re.findall(r"^\| (`.*?) \| ([\w, ]+) \|", section, flags=re.MULTILINE):
        fields, kinds = re.findall(r"`(\w+)`", names), [TYPES[word.strip()] for word in types.split(",")]
        described += zip(fields, kinds * len(fields) if len(kinds) == 1 else kinds, strict=True)
    assert np.dtype(described) == TABLES[table]


def event_rows(heading: str) -> dict[str, str]:
    """The entries of a section's list of events, by event."""
    section = PAGE.partition(heading)[2].partition("\n## ")[0]
    entries = re.findall(r"^- `(\w+)`: (.*?)(?=\n- |\n\n)", section, flags=re.MULTILINE | re.DOTALL)
    assert len(entries) == len(dict(entries))
    return dict(entries)


def test_every_event_is_described_with_its_keys() -> None:
    rows = event_rows("## The ledger")
    kinds = {kind.model_fields["event"].default: kind for kind in Event.__args__}
    assert rows.keys() == kinds.keys()
    for name, kind in kinds.items():
        keys = kind.model_fields.keys() - {"event", "time_s"}
        assert keys <= set(re.findall(r"`(\w+)`", rows[name]))


def test_every_event_of_the_history_is_described_with_its_keys() -> None:
    rows = event_rows("## The history")
    kinds = {"described": DescribedLine, "observed": ObservedLine, "ended": EndedLine, "resumed": EndedLine}
    assert rows.keys() == kinds.keys()
    for name, kind in kinds.items():
        keys = kind.model_fields.keys() - {"event"}
        assert keys <= set(re.findall(r"`(\w+)`", rows[name]))


def test_program_that_follows_the_page_is_read_as_our_own(tmp_path: Path) -> None:
    path = tmp_path / "theirs.h5"
    with h5py.File(path, "w", libver="latest") as file:
        table = file.create_dataset(
            "observations", shape=(0,), maxshape=(None,), chunks=(16,), dtype=layout.OBSERVATION
        )
        commit = file.create_dataset("commit", data=np.zeros(1, dtype=[("observations", "<i8")]))
        file.swmr_mode = True
        with RowFileReader(path) as reader:
            for number in range(40):
                table.resize((number + 1,))
                row = np.zeros(1, dtype=layout.OBSERVATION)
                row["candidate"] = number
                table[number:] = row
                table.flush()
                commit["observations"] = number + 1
                commit.flush()
                assert reader.read_new("observations")["candidate"].tolist() == [number]
