"""The checkpoints of one attempt in a trainer rank: which it goes on from, when the next is due, who writes it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

import torch

from hpc_nas.configuration.schema import CheckpointsSection
from hpc_nas.errors import RecordError
from hpc_nas.group.assignment import Assignment
from hpc_nas.group.checkpoint_saver import CheckpointSaver
from hpc_nas.records.checkpoint_files import CheckpointName, latest_checkpoint, set_aside
from hpc_nas.records.group_files import GroupFiles
from hpc_nas.training.checkpoint import Checkpoint, NoCheckpoint, Occasion
from hpc_nas.training.checkpoint_file import Origin, read_checkpoint

logger = logging.getLogger(__name__)


class AttemptCheckpoints:
    """What `training.checkpoint.Checkpoints` asks for; one per attempt, made when it begins."""

    def __init__(
        self,
        assignment: Assignment,
        *,
        section: CheckpointsSection,
        files: GroupFiles,
        origin: Origin,
        device: torch.device,
        saver: CheckpointSaver,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._assignment = assignment
        self._section = section
        self._directories = dict.fromkeys(
            (files.run_directory.checkpoints_dir, files.periodic_checkpoints_dir)
        )
        self._origin = origin
        self._device = device
        self._saver = saver
        self._clock = clock
        self._last = clock()
        self._loaded: Path | None = None

    def load(self) -> Checkpoint | None:
        """The one that the assignment names, or a later one that has taken its place since the hand-out.

        One that can't be used is logged and never tried again.
        """
        if self._assignment.checkpoint is None:
            return None
        found = self._read(self._assignment.checkpoint)
        if isinstance(found, Checkpoint):
            return found
        number, attempt = self._assignment.candidate.number, self._assignment.attempt
        logger.warning("candidate %d attempt %d begins from the start: %s", number, attempt, found.message)
        return None

    def refuse(self) -> None:
        """Set aside what was loaded: what this attempt writes may be less far, and must not lose against it."""
        if self._loaded is not None:
            set_aside(self._loaded)

    def wanted(self, occasion: Occasion) -> bool:
        """At every planned end; after a validation that is `interval_s` or more after the last one."""
        if not self._section.enabled:
            return False
        return occasion is Occasion.LEAVING or self._clock() - self._last >= self._section.interval_s

    def keep(self, checkpoint: Checkpoint) -> None:
        """Have it written."""
        self._saver.keep(checkpoint)
        self._last = self._clock()

    def _read(self, text: str) -> Checkpoint | NoCheckpoint:
        name = CheckpointName.parse(text)
        try:
            path = None if name is None else self._find(name)
        except RecordError as error:
            return NoCheckpoint(message=str(error))
        if path is None:
            return NoCheckpoint(
                message=f"no checkpoint {text!r} in {' or '.join(map(str, self._directories))}"
            )
        try:
            found = read_checkpoint(
                path, candidate=self._assignment.candidate, origin=self._origin, device=self._device
            )
        except OSError as error:
            return NoCheckpoint(message=f"{path} can't be read: {error.strerror}")
        self._loaded = path
        if isinstance(found, NoCheckpoint):
            self.refuse()
        return found

    def _find(self, name: CheckpointName) -> Path | None:
        """It may have waited long for a free trainer: a late drain, or an attempt given up, may have gone further."""
        there = next((each / str(name) for each in self._directories if (each / str(name)).is_file()), None)
        if there is not None:
            return there
        later = [
            (latest, each / str(latest))
            for each in self._directories
            if (latest := latest_checkpoint(each, candidate=name.candidate)) is not None and latest > name
        ]
        return max(later)[1] if later else None
