"""The checkpoints that lie in the run directory, as the campaign sees them: by name, never opened."""

from __future__ import annotations

import logging
from pathlib import Path

from hpc_nas.campaign.state import CampaignState
from hpc_nas.configuration.schema import CheckpointsSection
from hpc_nas.errors import RecordError
from hpc_nas.records.checkpoint_files import (
    CheckpointName,
    find_checkpoints,
    latest_checkpoint,
    remove_checkpoints,
)

logger = logging.getLogger(__name__)


class CheckpointStore:
    """What candidates can go on from; with `enabled = false` nothing, whatever lies there."""

    def __init__(self, directory: Path, *, section: CheckpointsSection):
        self._directory = directory
        self._section = section

    def latest(self, candidate: int) -> str | None:
        """The name of the candidate's checkpoint with the most batches; None where it has none."""
        if not self._section.enabled:
            return None
        name = latest_checkpoint(self._directory, candidate=candidate)
        return None if name is None else str(name)

    def holds(self, name: str) -> bool:
        """Does this checkpoint lie there?"""
        return self._section.enabled and (self._directory / name).is_file()

    def remove(self, candidate: int) -> None:
        """The candidate has its outcome: nothing of it goes on."""
        remove_checkpoints(self._directory, candidate=candidate)

    def sweep(self, state: CampaignState) -> None:
        """Remove what is left of candidates with an outcome: written after it, or not removed by a killed process."""
        try:
            found = find_checkpoints(self._directory)
        except RecordError as error:
            logger.warning("nothing to sweep there: %s", error)
            return
        over = {name.candidate for name in found if _is_over(name, state)}
        for candidate in over:
            self.remove(candidate)
        if over:
            logger.info("removed the checkpoints of %d candidates that have ended", len(over))


def _is_over(name: CheckpointName, state: CampaignState) -> bool:
    entry = state.entries.get(name.candidate)
    return entry is None or entry.outcome is not None
