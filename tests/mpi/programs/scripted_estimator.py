"""Two ranks: a real trainer rank, and an estimator that follows a script of stale, late and right signals.

`mpiexec -n 2 python -m mpi4py scripted_estimator.py RUN_DIR GATE_DIR`: the trainer writes its rank file as ever; what
the estimator heard, and when it sent each signal, is left in RUN_DIR/heard.json.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from mpi4py import MPI

from hpc_nas.configuration import Configuration
from hpc_nas.group.protocol import Assignment
from hpc_nas.group.trainer_rank import TrainerRank
from hpc_nas.group.wire import COMMAND_TAG, Leave, Outbox, ReportBox, Stop, Train
from hpc_nas.records.group_files import GroupFiles
from hpc_nas.records.run_directory import RunDirectory
from hpc_nas.values import Candidate, Reason
from tests.gate import Gate

TRAINER, ESTIMATOR = 0, 1
DEADLINE_S = 240.0
BATCHES_PER_INTERVAL = 17


class Script:
    """Sends commands to the one trainer and waits for its reports, each step after the one before."""

    def __init__(self, comm: MPI.Comm):
        self._reports = ReportBox(comm)
        self._outbox = Outbox(comm, tag=COMMAND_TAG)
        self.heard: list[dict[str, object]] = []

    def train(self, number: int, *, attempt: int = 0) -> None:
        """Hand out a sound network of `faulty_space`, behind a gate."""
        candidate = Candidate(
            number=number,
            seed=number,
            parameters={"fault": "none", "at_batch": 100},
            num_parameters=650,
            num_layers=1,
            macs=640,
        )
        self._outbox.send(Train(assignment=Assignment(candidate=candidate, attempt=attempt)), to=TRAINER)

    def stop(self, number: int, *, attempt: int = 0, reason: Reason = Reason.CONVERGED) -> None:
        """Send a signal, and note when."""
        self.heard.append({"kind": "sent", "candidate": number, "attempt": attempt, "time": time.time()})
        self._outbox.send(Stop(candidate=number, attempt=attempt, reason=reason), to=TRAINER)

    def until(self, kind: str) -> None:
        """Wait for the trainer's next report of this kind."""
        deadline = time.monotonic() + DEADLINE_S
        while not self._next_is(kind):
            if time.monotonic() > deadline:
                raise TimeoutError(f"no {kind!r} came; heard {self.heard}")

    def leave(self) -> None:
        """Send the trainer away."""
        self._outbox.send(Leave(), to=TRAINER)
        self._outbox.flush(timeout_s=5.0)

    def _next_is(self, kind: str) -> bool:
        item = self._reports.poll()
        if item is None:
            time.sleep(0.001)  # the trainer needs this core
            return False
        self.heard.append(item[1].model_dump(mode="json"))
        return item[1].kind == kind


def follow(script: Script, gate: Gate) -> None:
    """Candidates 0 to 4, one for each thing that can happen to a signal; each waits for it at the gate."""
    gate.close(batches=BATCHES_PER_INTERVAL + 1)
    script.until("present")
    script.train(0, attempt=1)
    script.until("ring")
    script.stop(0, attempt=0)  # stale: for the attempt before this one
    script.stop(0, attempt=2)
    script.stop(9, attempt=1)  # for a candidate that was never here
    gate.open()
    script.until("left")
    gate.close(batches=BATCHES_PER_INTERVAL + 1)
    script.stop(0, attempt=1)  # late: it is over, and nobody trains
    script.train(1)
    script.until("ring")
    script.stop(0, attempt=1)  # late: it is over, and the next one trains
    gate.open()
    script.until("left")
    gate.close(batches=BATCHES_PER_INTERVAL + 1)
    script.train(2)
    script.until("ring")
    script.stop(2, reason=Reason.UNLIKELY_BEST)  # right
    gate.open()
    script.until("left")
    gate.close(batches=1)
    script.train(3)
    script.stop(3, reason=Reason.NEVER_LEARN)  # right, and there before the first batch or soon after
    script.stop(3, reason=Reason.CONVERGED)  # a second word on it: late
    gate.open()
    script.until("left")
    script.train(4)
    script.until("left")
    script.leave()


def main() -> None:
    """Play the role of this rank."""
    comm, directory = MPI.COMM_WORLD, RunDirectory.open(Path(sys.argv[1]))
    if comm.rank == ESTIMATOR:
        script = Script(comm)
        follow(script, Gate(Path(sys.argv[2])))
        (directory.path / "heard.json").write_text(json.dumps(script.heard))
        return
    configuration = Configuration.model_validate_json(directory.configuration_path.read_text())
    files = GroupFiles(run_directory=directory, group=0)
    TrainerRank(comm, configuration=configuration, files=files, estimator=ESTIMATOR).run()


if __name__ == "__main__":
    main()
