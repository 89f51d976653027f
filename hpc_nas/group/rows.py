"""New rows of a group: those of its trainers, who ring for them, at once, those of foreign files now and then."""

from __future__ import annotations

from collections.abc import Iterator

from hpc_nas.group.readers import ObservationReaders
from hpc_nas.records.group_files import GroupFiles
from hpc_nas.values import Observation


class Rows:
    """Each row once, as (observation, seconds from its time_s to now).

    `own_rank` is the estimator's, the last one: all below it are trainers, each with a file of its own.
    """

    def __init__(self, files: GroupFiles, *, own_rank: int):
        self._readers = ObservationReaders(files.rank_files_dir, own=files.rank_file_path(own_rank))
        self._paths = {rank: files.rank_file_path(rank) for rank in range(own_rank)}
        self._all_rung = frozenset(self._paths.values())
        self._rung: set[int] = set()

    def ring(self, trainer: int) -> None:
        """This trainer says that it has written."""
        self._rung.add(trainer)

    def read(self) -> Iterator[tuple[Observation, float]]:
        """What is new."""
        for trainer in tuple(self._rung):
            yield from self.read_file_of(trainer)
        yield from self._readers.scan(rung=self._all_rung)

    def read_file_of(self, trainer: int) -> Iterator[tuple[Observation, float]]:
        """What is new in this trainer's file."""
        self._rung.discard(trainer)
        return self._readers.read(self._paths[trainer])

    def close(self) -> None:
        """Close all files."""
        self._readers.close()
