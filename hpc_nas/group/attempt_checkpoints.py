"""The checkpoints of one attempt in a trainer rank: which it goes on from, when the next is due, who writes it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

import torch

from hpc_nas.configuration.schema import CheckpointsSection
from hpc_nas.group.checkpoint_saver import CheckpointSaver
from hpc_nas.group.protocol import Assignment
from hpc_nas.records.checkpoint_files import CheckpointName, set_aside
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

    def load(self) -> Checkpoint | None:
        """The one that the assignment names. One that can't be used is logged and never tried again."""
        if self._assignment.checkpoint is None:
            return None
        found = self._read(self._assignment.checkpoint)
        if isinstance(found, Checkpoint):
            return found
        number, attempt = self._assignment.candidate.number, self._assignment.attempt
        logger.warning("candidate %d attempt %d begins from the start: %s", number, attempt, found.message)
        return None

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
        directory = None if name is None else self._find(name)
        if name is None or directory is None:
            return NoCheckpoint(
                message=f"no checkpoint {text!r} in {' or '.join(map(str, self._directories))}"
            )
        path = directory / str(name)
        try:
            found = read_checkpoint(
                path, candidate=self._assignment.candidate, origin=self._origin, device=self._device
            )
        except OSError as error:
            return NoCheckpoint(message=f"{path} can't be read: {error.strerror}")
        if isinstance(found, NoCheckpoint):
            # What this attempt writes may be less far: it must not lose against this file for ever.
            set_aside(directory, name)
        return found

    def _find(self, name: CheckpointName) -> Path | None:
        return next((each for each in self._directories if (each / str(name)).is_file()), None)
