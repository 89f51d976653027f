"""Three ranks: two real trainer ranks, and an estimator that follows a script of pauses, resumptions and a leave.

`mpiexec -n 3 python -m mpi4py scripted_pauses.py RUN_DIR GROUP SCRIPT`: the trainers write rank files and
checkpoints as ever; what the estimator heard is left in RUN_DIR/heard-GROUP.json, also when a trainer is killed.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mpi4py import MPI

from hpc_nas.configuration import Configuration
from hpc_nas.group.protocol import Assignment
from hpc_nas.group.trainer_rank import TrainerRank
from hpc_nas.group.wire import COMMAND_TAG, Leave, Left, Outbox, Pause, Report, ReportBox, Saved, Train
from hpc_nas.records.checkpoint_files import latest_checkpoint
from hpc_nas.records.group_files import GroupFiles
from hpc_nas.records.run_directory import RunDirectory
from hpc_nas.values import Candidate, Reason
from tests.mpi.resumable_space import HOLD_DIR

ESTIMATOR = 2
DEADLINE_S = 240.0


class Script:
    """Sends commands to the trainers and waits for their reports, each step after the one before."""

    def __init__(self, comm: MPI.Comm, *, directory: RunDirectory, group: int):
        self._reports = ReportBox(comm)
        self._outbox = Outbox(comm, tag=COMMAND_TAG)
        self._directory = directory
        self._heard_path = directory.path / f"heard-{group}.json"
        self._hold_dir = Path(os.environ[HOLD_DIR])
        self._waiting: list[tuple[int, Report]] = []
        self.heard: list[dict[str, Any]] = []

    def train(self, number: int, *, to: int, attempt: int = 0, checkpoint: str | None = None) -> None:
        """Hand out a network of `resumable_space`."""
        candidate = Candidate(
            number=number,
            seed=number,
            parameters={"dropout": 0.3},
            num_parameters=650,
            num_layers=1,
            macs=640,
        )
        assignment = Assignment(candidate=candidate, attempt=attempt, checkpoint=checkpoint)
        self._outbox.send(Train(assignment=assignment), to=to)

    def pause(self, number: int, *, to: int, attempt: int = 0) -> None:
        self._outbox.send(Pause(candidate=number, attempt=attempt, reason=Reason.RUNG), to=to)

    def hold(self, trainer: int) -> None:
        """From now on its trainings wait half way."""
        (self._hold_dir / str(trainer)).touch()

    def release(self, trainer: int) -> None:
        """They go on, and find whatever was sent before."""
        (self._hold_dir / str(trainer)).unlink(missing_ok=True)

    def leave(self) -> None:
        """Send both away."""
        for trainer in range(ESTIMATOR):
            self._outbox.send(Leave(), to=trainer)

    def latest(self, number: int) -> str | None:
        """As the campaign would choose it."""
        name = latest_checkpoint(self._directory.checkpoints_dir, candidate=number)
        return None if name is None else str(name)

    def until(
        self, kind: str, *, trainer: int, wanted: Callable[[Report], bool] = lambda report: True
    ) -> Any:
        """The trainer's next report of this kind; what others report meanwhile waits for its turn."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            for item in self._waiting:
                if item[0] == trainer and item[1].kind == kind and wanted(item[1]):
                    self._waiting.remove(item)
                    return item[1]
            if time.monotonic() > deadline:
                raise TimeoutError(f"no {kind!r} came from {trainer}; heard {self.heard}")
            self._listen()

    def until_saved(self, number: int, *, trainer: int) -> Saved:
        saved: Saved = self.until("saved", trainer=trainer, wanted=lambda report: report.candidate == number)  # type: ignore[union-attr]
        return saved

    def until_left(self, number: int, *, trainer: int) -> Left:
        left: Left = self.until("left", trainer=trainer, wanted=lambda report: report.candidate == number)  # type: ignore[union-attr]
        return left

    def _listen(self) -> None:
        item = self._reports.poll()
        if item is None:
            time.sleep(0.001)  # the trainers need this core
            return
        self._waiting.append(item)
        self.heard.append({"trainer": item[0], "time": time.time(), **item[1].model_dump(mode="json")})
        self._heard_path.write_text(json.dumps(self.heard))


def pauses(script: Script) -> None:
    """Candidate 0 is never cut; 1 is paused twice, resumed on the other trainer, and 2 trained in between."""
    script.hold(0)
    script.train(0, to=1)
    script.train(1, to=0)
    script.until("ring", trainer=0)
    script.pause(1, to=0, attempt=7)  # stale
    script.pause(1, to=0)
    script.release(0)
    script.until_left(1, trainer=0)
    script.train(2, to=0)
    first = script.until_saved(1, trainer=0)
    script.until_left(0, trainer=1)
    script.hold(1)
    script.train(1, to=1, attempt=1, checkpoint=first.checkpoint)
    script.until("taken", trainer=1, wanted=lambda report: getattr(report, "attempt", None) == 1)
    script.pause(1, to=1, attempt=1)  # perhaps before its first batch
    script.release(1)
    script.until_left(1, trainer=1)
    second = script.until_saved(1, trainer=1)
    script.until_left(2, trainer=0)
    script.train(1, to=0, attempt=2, checkpoint=second.checkpoint)
    script.until_left(1, trainer=0)
    script.leave()


def drained(script: Script) -> None:
    """Candidates 3 and 4 are in training when all are told to leave; 5 was paused just before."""
    for trainer in range(ESTIMATOR):
        script.hold(trainer)
    script.train(3, to=0)
    script.train(5, to=1)
    script.until("ring", trainer=0)
    script.until("ring", trainer=1)
    script.pause(5, to=1)
    script.release(1)
    script.until_left(5, trainer=1)
    script.hold(1)
    script.train(4, to=1)
    script.until("taken", trainer=1, wanted=lambda report: getattr(report, "candidate", None) == 4)
    script.leave()
    for trainer in range(ESTIMATOR):
        script.release(trainer)
    for number, trainer in ((3, 0), (4, 1)):
        script.until_left(number, trainer=trainer)
        script.until_saved(number, trainer=trainer)
    script.until_saved(5, trainer=1)


def resumed(script: Script) -> None:
    """In a later job: what was drained or lost goes on, the one that has no checkpoint from the start."""
    for trainer in range(ESTIMATOR):
        script.release(trainer)
    script.train(3, to=1, attempt=1, checkpoint=script.latest(3))
    script.train(4, to=0, attempt=1, checkpoint=script.latest(4))
    script.until_left(3, trainer=1)
    script.until_left(4, trainer=0)
    script.leave()


def endless(script: Script) -> None:
    """Two candidates train, half way, until somebody kills a rank."""
    for trainer in range(ESTIMATOR):
        script.hold(trainer)
    script.train(3, to=0)
    script.train(4, to=1)
    script.until("never", trainer=0)


def main() -> None:
    """Play the role of this rank."""
    comm, directory = MPI.COMM_WORLD, RunDirectory.open(Path(sys.argv[1]))
    group = int(sys.argv[2])
    if comm.rank == ESTIMATOR:
        script = Script(comm, directory=directory, group=group)
        for trainer in range(ESTIMATOR):
            script.until("present", trainer=trainer)
        {"pauses": pauses, "drained": drained, "resumed": resumed, "endless": endless}[sys.argv[3]](script)
        return
    configuration = Configuration.model_validate_json(directory.configuration_path.read_text())
    files = GroupFiles(run_directory=directory, group=group)
    TrainerRank(comm, configuration=configuration, files=files, estimator=ESTIMATOR).run()


if __name__ == "__main__":
    main()
