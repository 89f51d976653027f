"""New rows of a group: those of its trainers, who ring for them, at once, those of foreign files now and then.

A trainer's rows are read from its file. Where the file system does not show them there while the trainer goes on
(HDF5's SWMR asks for what POSIX promises, and not every network file system keeps it), they are those that came with
its notifications: the file stays the record, and is read once its writer has left.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping

from hpc_nas.errors import RecordError
from hpc_nas.group.readers import (
    SCAN_INTERVAL_S,
    SHARED_SCAN_INTERVAL_S,
    ObservationReaders,
    age_of,
)
from hpc_nas.group.wire import Notification
from hpc_nas.records.group_files import GroupFiles
from hpc_nas.values import Observation

logger = logging.getLogger(__name__)

_Key = tuple[int, int]


class Rows:
    """Each row once, as (observation, seconds from its time_s to now).

    `own_rank` is the estimator's, the last one: all below it are trainers, each with a file of its own. `was_placed`
    says whether a trainer was given an attempt, (candidate, attempt): rows of any other one are passed over there.
    """

    def __init__(self, files: GroupFiles, *, own_rank: int, was_placed: Callable[[int, _Key], bool]):
        self._readers = ObservationReaders(
            files.rank_files_dir,
            own=files.rank_file_path(own_rank),
            group=files.group,
            scan_interval_s=SHARED_SCAN_INTERVAL_S if files.local_dir is None else SCAN_INTERVAL_S,
        )
        self._was_placed = was_placed
        self._paths = {rank: files.rank_file_path(rank) for rank in range(own_rank)}
        self._all_notified = frozenset(self._paths.values())
        self._notified: dict[int, list[Notification]] = {}
        self._num_taken = dict.fromkeys(self._paths, 0)
        self._unseen: set[int] = set()  # trainers whose files do not show their rows

    def notify(self, trainer: int, notification: Notification) -> None:
        """This trainer says that it has written."""
        self._notified.setdefault(trainer, []).append(notification)

    def read(self) -> Iterator[tuple[Observation, float]]:
        """What is new."""
        for trainer in tuple(self._notified):
            yield from self.read_of(trainer)
        yield from self._readers.scan(notified=self._all_notified)

    def read_of(self, trainer: int) -> Iterator[tuple[Observation, float]]:
        """What is new of this trainer: all that it has notified of, and more where its file shows more."""
        for row, age_s in self._read_all_of(trainer):
            if self._was_placed(trainer, (row.candidate, row.attempt)):
                yield row, age_s
            else:
                logger.warning(
                    "%s: a row of candidate %d attempt %d, which this trainer was never given: passed over",
                    self._paths[trainer],
                    row.candidate,
                    row.attempt,
                )

    def close(self) -> None:
        """Close all files."""
        self._readers.close()

    def _read_all_of(self, trainer: int) -> Iterator[tuple[Observation, float]]:
        notified = self._notified.pop(trainer, [])
        if trainer not in self._unseen:
            yield from self._read_file_of(trainer, notified={each.index: each.row for each in notified})
        for each in notified:
            if each.index >= self._num_taken[trainer]:
                self._give_up_on_file_of(trainer, why=f"row {each.index} is not there")
                self._num_taken[trainer] = each.index + 1
                yield each.row, age_of(each.row, now=time.time())

    def _read_file_of(
        self, trainer: int, *, notified: Mapping[int, Observation]
    ) -> Iterator[tuple[Observation, float]]:
        try:
            for row, age_s in self._readers.read(self._paths[trainer]):
                index = self._num_taken[trainer]
                if index in notified and not _same(row, notified[index]):
                    self._give_up_on_file_of(trainer, why=f"row {index} is another one there")
                    return
                self._num_taken[trainer] += 1
                yield row, age_s
        except (RecordError, ValueError) as error:  # a row whose bytes have not come is none that can be
            self._give_up_on_file_of(trainer, why=str(error))

    def _give_up_on_file_of(self, trainer: int, *, why: str) -> None:
        if trainer not in self._unseen:
            self._unseen.add(trainer)
            logger.warning(
                "%s does not show its rows while they are written (%s); from now on they come by message, and the "
                "file is read once its writer has left. With a node-local [platform] scratch they are read in situ",
                self._paths[trainer],
                why,
            )


def _same(one: Observation, other: Observation) -> bool:
    """NaN where the other has NaN, too."""
    return one.model_dump_json() == other.model_dump_json()
