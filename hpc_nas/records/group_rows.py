"""The rows of all rank files of a run directory that count: each said by the one whose it is to say.

An attempt has one group, by the ledger, and one trainer there, by the estimator rank's outcome or, until there is one,
by the trainer's own file. Rows of that attempt in any other file are left out and told. Foreign programs' rows have
candidates of their own (`ownership`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hpc_nas.errors import RecordError
from hpc_nas.records import layout
from hpc_nas.records.campaign_record import TABLES
from hpc_nas.records.layout import Rows
from hpc_nas.records.ledger import AttemptStarted, Event, GroupReported
from hpc_nas.records.ownership import Owner, foreign_number, owner_of
from hpc_nas.records.rank_file import RankFileContent, read_rank_file, text
from hpc_nas.records.run_directory import RunDirectory

__all__ = ["GroupRows", "foreign_candidates", "rank_files_of", "read_rows"]

_Attempt = tuple[int, int]
_RANK_TABLES = (*layout.TRAINER_TABLES, *layout.ESTIMATOR_TABLES)


@dataclass(frozen=True, kw_only=True)
class GroupRows:
    """By table, with the group and the rank that wrote them; `foreign_files` by the candidates found there."""

    tables: dict[str, Rows]
    problems: tuple[str, ...]
    foreign_files: dict[int, str]


@dataclass
class _Found:
    """Under way: parts by table, and of which group (by the ledger) and of which trainer each attempt is."""

    groups: dict[_Attempt, int]
    parts: dict[str, list[Rows]] = field(default_factory=lambda: {name: [] for name in _RANK_TABLES})
    problems: list[str] = field(default_factory=list)
    foreign_files: dict[int, str] = field(default_factory=dict)


def read_rows(directory: RunDirectory, events: Iterable[Event]) -> GroupRows:
    """Read every group's directory; a file that can't be read is left out and told."""
    groups: dict[_Attempt, int] = {}
    num_trainers: dict[int, int] = {}
    for event in events:
        if isinstance(event, AttemptStarted):
            groups[event.candidate, event.attempt] = event.group
        elif isinstance(event, GroupReported):
            num_trainers[event.group] = event.num_trainers
    found = _Found(groups=groups)
    for group in directory.groups():
        _read_group(directory, group, found, num_trainers=num_trainers.get(group))
    tables = {
        name: np.concatenate([np.empty(0, dtype=TABLES[name]), *parts]) for name, parts in found.parts.items()
    }
    return GroupRows(tables=tables, problems=tuple(found.problems), foreign_files=found.foreign_files)


def rank_files_of(
    paths: Iterable[Path],
    *,
    group: int,
    num_trainers: int | None,
    raise_if: Callable[[RecordError], bool] = lambda error: False,
) -> tuple[list[tuple[Path, RankFileContent, Owner]], list[str]]:
    """The files of a group, what they hold, whose they are, the estimator's first; what can't be read, in words.

    Raises the RecordError of a file that `raise_if` holds for: it may be asked for again.
    """
    contents: list[tuple[Path, RankFileContent, Owner]] = []
    problems: list[str] = []
    for path in paths:
        try:
            content = read_rank_file(path)
            owner = owner_of(path, content.attributes, group=group, num_trainers=num_trainers)
            contents.append((path, content, owner))
            problems += content.problems
        except RecordError as error:
            if raise_if(error):
                raise
            problems.append(str(error))
    return sorted(contents, key=lambda item: item[2] is not Owner.ESTIMATOR), problems


def _read_group(directory: RunDirectory, group: int, found: _Found, *, num_trainers: int | None) -> None:
    contents, problems = rank_files_of(
        directory.rank_file_paths(group), group=group, num_trainers=num_trainers
    )
    found.problems += problems
    trainers: dict[_Attempt, int] = {}
    for path, content, owner in contents:
        if owner is Owner.FOREIGN:
            _take_foreign(path, content, found, group=group)
            continue
        rank = int(content.attributes["rank"])
        names = layout.ESTIMATOR_TABLES if owner is Owner.ESTIMATOR else layout.TRAINER_TABLES
        for name in names.keys() & content.tables.keys():
            rows = _sourced(name, content.tables[name], group=group, rank=rank)
            if owner is Owner.TRAINER:
                rows = _its_own(rows, found, trainers, path=path)
            else:
                rows = _of_group(rows, found, path=path)
            found.parts[name].append(rows)
        if owner is Owner.ESTIMATOR and "outcomes" in content.tables:
            outcomes = content.tables["outcomes"]
            columns = (outcomes[name].tolist() for name in ("candidate", "attempt", "trainer"))
            trainers |= {(number, attempt): rank for number, attempt, rank in zip(*columns, strict=True)}


def _its_own(rows: Rows, found: _Found, trainers: dict[_Attempt, int], *, path: Path) -> Rows:
    """Less the attempts of other groups and of other trainers."""
    rows = _of_group(rows, found, path=path)
    rank = int(rows["rank"][0]) if len(rows) else -1
    kept = np.array([trainers.setdefault(key, rank) == rank for key in _keys(rows)], dtype=bool)
    return _left(rows, kept, found, path=path, whose="another trainer's")


def _of_group(rows: Rows, found: _Found, *, path: Path) -> Rows:
    group = int(rows["group"][0]) if len(rows) else -1
    # Forecasts for a foreign candidate are in no ledger.
    kept = np.array([key[0] < 0 or found.groups.get(key, group) == group for key in _keys(rows)], dtype=bool)
    return _left(rows, kept, found, path=path, whose="another group's")


def _left(rows: Rows, kept: Any, found: _Found, *, path: Path, whose: str) -> Rows:
    if not kept.all():
        numbers = sorted(set(rows["candidate"][~kept].tolist()))
        shown = ", ".join(map(str, numbers[:5])) + (", ..." if len(numbers) > 5 else "")
        found.problems.append(
            f"{path}: {(~kept).sum()} of {len(rows)} rows are of attempts that are {whose} (candidates {shown}); they "
            "are not counted"
        )
    result: Rows = rows[kept]
    return result


def _keys(rows: Rows) -> Iterable[_Attempt]:
    return zip(rows["candidate"].tolist(), rows["attempt"].tolist(), strict=True)


def _sourced(name: str, rows: Rows, *, group: int, rank: int) -> Rows:
    result = np.zeros(len(rows), dtype=TABLES[name])
    for field_name in rows.dtype.names or ():
        result[field_name] = rows[field_name]
    result["group"], result["rank"] = group, rank
    return result


# --- foreign programs ------------------------------------------------------------------------------------------


def _take_foreign(path: Path, content: RankFileContent, found: _Found, *, group: int) -> None:
    """Its observations, with the numbers that they have in this campaign."""
    if "observations" not in content.tables:
        return
    rows = _sourced("observations", content.tables["observations"], group=group, rank=-1)
    numbers = [foreign_number(number, group=group, name=path.name) for number in rows["candidate"].tolist()]
    kept = np.array([number is not None for number in numbers], dtype=bool)
    rows = rows[kept]
    rows["candidate"] = [number for number in numbers if number is not None]
    if not kept.all():
        found.problems.append(f"{path}: {(~kept).sum()} rows have candidate numbers that can't be")
    found.foreign_files |= dict.fromkeys(rows["candidate"].tolist(), f"{path.parent.name}/{path.name}")
    found.parts["observations"].append(rows)


def foreign_candidates(observations: Rows, files: Mapping[int, str]) -> Rows:
    """A row of the table of candidates for each foreign one, in order of number; its last attempt counts."""
    result = np.zeros(len(files), dtype=layout.CANDIDATE)
    foreign = observations[observations["candidate"] < 0]
    for row, number in zip(result, sorted(files), strict=True):
        rows = foreign[foreign["candidate"] == number]
        last = rows[rows["attempt"] == rows["attempt"].max()]
        row["number"], row["state"] = number, layout.FOREIGN.encode()
        row["message"] = text(files[number], layout.TEXT)
        row["estimate"] = row["spread"] = row["epochs_twice"] = np.nan
        row["best_accuracy"] = np.fmax.reduce(last["val_accuracy"])
        row["epochs"], row["epochs_all_attempts"] = last["epoch"].max(), last["epoch"].max()
        row["attempts"] = len(np.unique(rows["attempt"]))
    return result
