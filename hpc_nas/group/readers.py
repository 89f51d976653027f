"""In-situ reading: new observations from every rank file of the group, whoever writes them."""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path

from hpc_nas.errors import RecordError
from hpc_nas.records.layout import OBSERVATION
from hpc_nas.records.ownership import foreign_number
from hpc_nas.records.rank_file import observation_from_row
from hpc_nas.records.row_checks import possible
from hpc_nas.records.row_file import RowFileReader
from hpc_nas.values import Observation

logger = logging.getLogger(__name__)

SCAN_INTERVAL_S = 0.25
SHARED_SCAN_INTERVAL_S = 10.0
"""Each scan lists a directory: no more often where that is asked of a shared file system."""


def age_of(observation: Observation, *, now: float) -> float:
    """Seconds since it was written; NaN for a carried row, which was written long after it was measured."""
    return math.nan if observation.carried else now - observation.time_s


class ObservationReaders:
    """Readers of all rank files in a directory.

    A file is read when its trainer says that it has written. Files of which nobody says so are found and read every
    `scan_interval_s`, so that a training program that is not ours can stream into the same layout; its candidates
    have numbers of their own (`records.ownership`).
    """

    def __init__(self, directory: Path, *, own: Path, group: int, scan_interval_s: float):
        self._directory = directory
        self._own = own
        self._group = group
        self._scan_interval_s = scan_interval_s
        self._readers: dict[Path, RowFileReader] = {}
        self._foreign: set[Path] = set()
        self._next_scan = 0.0
        self._found: list[Path] = []
        self._stamps = (-1, -1)  # the directory's, at the last two scans

    def read(self, path: Path) -> Iterator[tuple[Observation, float]]:
        """(observation, seconds from its time_s to now) for the rows that are new in one file.

        None in a file that is still being born. Raises RecordError for a file that is missing or not of this layout,
        ValueError for a row that can't be.
        """
        reader = self._readers.get(path)
        if reader is None:
            reader = self._open(path)
            if reader is None:
                return
        rows = reader.read_new("observations")
        if not (can_be := possible("observations", rows)).all():
            raise ValueError(f"{path}: {(~can_be).sum()} new rows of table 'observations' can't be")
        now = time.time()
        for row in rows:
            observation = observation_from_row(row)
            yield observation, age_of(observation, now=now)

    def scan(self, *, notified: frozenset[Path]) -> Iterator[tuple[Observation, float]]:
        """New rows of files outside `notified`, at most every `scan_interval_s`."""
        now = time.monotonic()
        if now < self._next_scan:
            return
        self._next_scan = now + self._scan_interval_s
        try:
            self._look_around()
        except OSError as error:  # a file system that is away for a while ends no group
            logger.warning("%s can't be looked through just now: %s", self._directory, error.strerror)
            return
        for path in self._found:
            if path == self._own or path in notified or path in self._foreign:
                continue
            reader = self._readers.get(path)
            if reader is not None and not reader.changed():
                continue
            try:
                for observation, age_s in self.read(path):
                    yield self._foreign_one(observation, path=path), age_s
            except (RecordError, ValueError) as error:  # not one of ours: it must not end this rank
                logger.warning("ignored from now on: %s", error)
                self._foreign.add(path)

    def _foreign_one(self, observation: Observation, *, path: Path) -> Observation:
        number = foreign_number(observation.candidate, group=self._group, name=path.name)
        if number is None:
            raise ValueError(f"{path}: candidate {observation.candidate} can't be")
        return observation.model_copy(update={"candidate": number})

    def _look_around(self) -> None:
        """List the directory if it may have changed: one question instead of five where it has not.

        Twice after each change: a file that came in the same tick of its clock as the first list may not be on it.
        """
        stamp = _stamp(self._directory)
        if stamp is None or {stamp} != set(self._stamps):
            self._found = sorted(self._directory.glob("*.h5"))
        self._stamps = (self._stamps[1], -1 if stamp is None else stamp)

    def close(self) -> None:
        """Close all files."""
        for reader in self._readers.values():
            reader.close()

    def _open(self, path: Path) -> RowFileReader | None:
        reader = RowFileReader.try_open(path)
        if reader is None:
            return None
        if not _holds_observations(reader):
            reader.close()
            raise RecordError(f"{path}: holds no observations of this layout")
        self._readers[path] = reader
        return reader


def _stamp(directory: Path) -> int | None:
    try:
        return os.stat(directory).st_mtime_ns
    except OSError:
        return None


def _holds_observations(reader: RowFileReader) -> bool:
    return "observations" in reader.tables and reader.dtype("observations") == OBSERVATION
