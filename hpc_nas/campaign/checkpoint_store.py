"""The checkpoints that lie in the run directory, as the campaign sees them: by name, never opened."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

from hpc_nas.campaign.state import CampaignState
from hpc_nas.configuration.schema import CheckpointsSection
from hpc_nas.errors import RecordError
from hpc_nas.records.checkpoint_files import (
    CheckpointName,
    find_checkpoints,
    latest_checkpoint,
    remove_checkpoints_of,
)

logger = logging.getLogger(__name__)

TIDY_INTERVAL_S = 10.0
"""Each time lists a directory on the shared file system, which may hold very many."""


class CheckpointStore:
    """What candidates can go on from; with `enabled = false` nothing, whatever lies there."""

    def __init__(
        self,
        directory: Path,
        *,
        section: CheckpointsSection,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._directory = directory
        self._section = section
        self._clock = clock
        self._over: set[int] = set()
        self._next_tidy = 0.0

    def latest(self, candidate: int, *, known: str | None = None) -> str | None:
        """The name of the candidate's checkpoint with the most batches; None where it has none.

        `known` is the one that its trainer has named when it left in order: where that lies there, it is the latest.
        """
        if not self._section.enabled:
            return None
        if known is not None and self.holds(known):
            return known
        name = latest_checkpoint(self._directory, candidate=candidate)
        return None if name is None else str(name)

    def holds(self, name: str) -> bool:
        """Does this checkpoint lie there?"""
        return self._section.enabled and (self._directory / name).is_file()

    def remove(self, candidate: int) -> None:
        """The candidate has its outcome: nothing of it goes on. Its checkpoints go with the next `tidy`."""
        self._over.add(candidate)

    def tidy(self) -> None:
        """Remove the checkpoints of candidates that are over, all at once, every `TIDY_INTERVAL_S`.

        To be called once their outcomes stand in the ledger: till then they may be needed.
        """
        if self._over and self._clock() >= self._next_tidy:
            self._next_tidy = self._clock() + TIDY_INTERVAL_S
            remove_checkpoints_of(self._directory, self._over)
            self._over.clear()

    def sweep(self, state: CampaignState) -> None:
        """Remove what is left of candidates with an outcome: written after it, or not removed by a killed process."""
        try:
            found = find_checkpoints(self._directory)
        except RecordError as error:
            logger.warning("nothing to sweep there: %s", error)
            return
        over = {name.candidate for name in found if _is_over(name, state)}
        if over:
            remove_checkpoints_of(self._directory, over)
            logger.info("removed the checkpoints of %d candidates that have ended", len(over))


def _is_over(name: CheckpointName, state: CampaignState) -> bool:
    entry = state.entries.get(name.candidate)
    return entry is None or entry.outcome is not None
