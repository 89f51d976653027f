"""Writes a trainer's checkpoints in a thread of its own: the trainer hands over a copy and goes on.

Two kinds. Those of *planned* ends (paused, drained) are each written, into the run directory, and each is answered. Of
the *periodic* ones, which serve after a crash, only the newest matters: one that waits gives way to the next, one that
fails is logged. A checkpoint that is there takes the place of the candidate's older ones.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from hpc_nas.records.checkpoint_files import CheckpointName, remove_checkpoints
from hpc_nas.records.group_files import GroupFiles
from hpc_nas.training.checkpoint import Checkpoint, TrainingPosition
from hpc_nas.training.checkpoint_file import Origin, write_checkpoint

logger = logging.getLogger(__name__)

MAX_WAITING = 2
"""Planned ones that may wait to be written; each holds its network in memory, so a disk that is slower than the
trainer makes it wait at last."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What became of the checkpoint of a planned end: its name, or None and the problem."""

    candidate: int
    attempt: int
    epochs: float
    checkpoint: str | None
    message: str = ""


class CheckpointSaver:
    """Its methods are called by one thread, the rank's main one; none waits for a disk, `save` and `close` aside."""

    def __init__(self, files: GroupFiles, *, origin: Origin):
        self._shared = files.run_directory.checkpoints_dir
        self._periodic_dir = files.periodic_checkpoints_dir
        self._origin = origin
        self._condition = threading.Condition()
        self._planned: deque[Checkpoint] = deque()  # the first one stays there until it is answered
        self._periodic: Checkpoint | None = None
        self._writing: TrainingPosition | None = None  # of a periodic one
        self._unwanted = False  # the candidate whose periodic one is being written has ended
        self._answers: deque[Answer] = deque()
        self._closed = False
        self._thread = threading.Thread(target=self._serve, name="checkpoints", daemon=True)
        self._thread.start()

    def keep(self, checkpoint: Checkpoint) -> None:
        """A periodic one."""
        with self._condition:
            self._periodic = checkpoint
            self._condition.notify_all()

    def save(self, checkpoint: Checkpoint, *, timeout_s: float) -> None:
        """One of a planned end; `take` gives the answer. Waits, at most so long, only where several wait already."""
        position = checkpoint.position
        with self._condition:
            if self._periodic is not None and self._periodic.position.candidate == position.candidate:
                self._periodic = None
            if self._condition.wait_for(lambda: len(self._planned) <= MAX_WAITING, timeout_s):
                self._planned.append(checkpoint)
                self._condition.notify_all()
                return
            number = len(self._planned)
        message = f"{number} checkpoints wait to be written to {self._shared}, for more than {timeout_s:g} s"
        self._answers.append(_answer(position, name=None, message=message))

    def forget(self, candidate: int) -> None:
        """The candidate has ended for good here: of its periodic ones nothing is to appear any more.

        What lies in the run directory stays until the campaign knows of the end; what lies on the node goes.
        """
        with self._condition:
            if self._periodic is not None and self._periodic.position.candidate.number == candidate:
                self._periodic = None
            if self._writing is not None and self._writing.candidate.number == candidate:
                self._unwanted = True
        if self._periodic_dir != self._shared:
            remove_checkpoints(self._periodic_dir, candidate=candidate)

    def take(self) -> Answer | None:
        """The next answer, if there is one; costs next to nothing."""
        return self._answers.popleft() if self._answers else None

    @property
    def busy(self) -> bool:
        """Are there planned ones without an answer?"""
        return bool(self._planned)

    def close(self, *, timeout_s: float) -> list[Answer]:
        """Write what is planned and end the thread, as long as there is time; the answers that are left.

        A disk that hangs keeps nobody: what could not be written in time is answered so.
        """
        deadline = time.monotonic() + timeout_s
        with self._condition:
            self._periodic = None
            self._closed = True
            self._condition.notify_all()
            self._condition.wait_for(lambda: not self._planned, timeout_s)
            message = f"its checkpoint could not be written within {timeout_s:g} s"
            late = [_answer(each.position, name=None, message=message) for each in self._planned]
            answers = [*self._answers, *late]
        self._thread.join(max(0.0, deadline - time.monotonic()))
        return answers

    # --- the thread ----------------------------------------------------------------------------------------

    def _serve(self) -> None:
        while self._serve_one():
            pass

    def _serve_one(self) -> bool:
        """Write one; False when there is nothing left to do. No reference to it is kept."""
        with self._condition:
            self._condition.wait_for(lambda: self._planned or self._periodic is not None or self._closed)
            if self._planned:
                planned: Checkpoint | None = self._planned[0]
            elif self._periodic is not None:
                planned, periodic = None, self._periodic
                self._periodic, self._writing, self._unwanted = None, periodic.position, False
            else:
                return False
        if planned is not None:
            answer = self._write_planned(planned)
            with self._condition:
                self._planned.popleft()
                self._answers.append(answer)
                self._condition.notify_all()
        else:
            self._write_periodic(periodic)
        return True

    def _write_planned(self, checkpoint: Checkpoint) -> Answer:
        name = name_of(checkpoint.position)
        problem = self._write(self._shared / str(name), checkpoint)
        if problem is not None:
            return _answer(checkpoint.position, name=None, message=problem)
        for directory in {self._shared, self._periodic_dir}:
            remove_checkpoints(directory, candidate=name.candidate, before=name)
        return _answer(checkpoint.position, name=name)

    def _write_periodic(self, checkpoint: Checkpoint) -> None:
        name = name_of(checkpoint.position)
        problem = self._write(self._periodic_dir / str(name), checkpoint)
        with self._condition:
            self._writing = None
            unwanted = self._unwanted
        if problem is not None:
            logger.warning(
                "candidate %d attempt %d: no checkpoint at epoch %g: %s",
                name.candidate,
                name.attempt,
                checkpoint.position.epochs,
                problem,
            )
        elif unwanted:
            with contextlib.suppress(OSError):
                (self._periodic_dir / str(name)).unlink()
        else:
            remove_checkpoints(self._periodic_dir, candidate=name.candidate, before=name)

    def _write(self, path: Path, checkpoint: Checkpoint) -> str | None:
        """None when it is there, or the problem in words: whatever it is, the training goes on."""
        try:
            write_checkpoint(path, checkpoint, origin=self._origin)
        except Exception as error:
            return f"{path} can't be written: {getattr(error, 'strerror', None) or error}"
        return None


def name_of(position: TrainingPosition) -> CheckpointName:
    """The file name of a checkpoint."""
    return CheckpointName(
        candidate=position.candidate.number, attempt=position.attempt, batches=position.batches
    )


def _answer(position: TrainingPosition, *, name: CheckpointName | None, message: str = "") -> Answer:
    return Answer(
        candidate=position.candidate.number,
        attempt=position.attempt,
        epochs=position.epochs,
        checkpoint=None if name is None else str(name),
        message=message,
    )
