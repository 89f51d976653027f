"""One real worker group under a test's control: the test plays the campaign."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import psutil

from hpc_nas.campaign.endpoint import LOOPBACK, Endpoint
from hpc_nas.configuration import Configuration, load_configuration
from hpc_nas.group import protocol
from hpc_nas.group.connection import new_keys
from hpc_nas.platforms.processes.group_task import GroupExit, run_group
from hpc_nas.records.run_directory import RunDirectory
from hpc_nas.values import Candidate, Outcome
from tests.gate import HANG_S, Gate

HERE = Path(__file__).parent
CHANCE = 11.0
DEADLINE_S = HANG_S
ENDLESS = "training.max_epochs=10000"
"""Of candidates that are `slow`, an hour at least: no training ends before the test's own time limit."""


def configure(*settings: str, gate: Gate | None = None) -> Configuration:
    """Two trainers on digits, networks of `faulty_space`, small and quick; behind a gate where there is one."""
    space = f"{HERE / 'faulty_space.py'}:faulty"
    defaults = (
        *((f'space.name="{space}"',) if gate is None else gate.settings(space)),
        "training.max_epochs=4",
        "training.batch_size=64",
        "estimator.preset=none",
        "group.orphan_grace_s=8",
    )
    return load_configuration(None, settings=(*defaults, *settings))


def candidate(number: int, *, fault: str = "none", at_batch: int = 5) -> Candidate:
    """A candidate of `faulty_space`."""
    return Candidate(
        number=number,
        seed=number,
        parameters={"fault": fault, "at_batch": at_batch},
        num_parameters=650,
        num_layers=1,
        macs=640,
    )


class GroupHarness:
    """Starts a group and plays its campaign; everything that the group says is kept in `heard`."""

    def __init__(self, run_dir: Path, configuration: Configuration):
        self.directory = RunDirectory.create(run_dir)
        self.directory.publish(self.directory.configuration_path, configuration.model_dump_json())
        self.endpoint = Endpoint(new_keys(), addresses=[LOOPBACK])
        self.directory.publish(
            self.directory.connection_path, self.endpoint.connection.model_dump_json(), mode=0o600
        )
        self.directory.create_group_dir(0)
        self.heard: list[protocol.FromGroup] = []
        self.exit: GroupExit | None = None
        self.speaking = True
        self.acknowledging = True
        self._next_beat = 0.0
        self._thread = threading.Thread(target=self._supervise, daemon=True)

    def __enter__(self) -> GroupHarness:
        self._thread.start()
        self.until(lambda: any(isinstance(m, protocol.Ready) for m in self.heard))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread.is_alive():
            self.endpoint.send(0, protocol.Leave(reason="the test is over"))
        self._thread.join(timeout=DEADLINE_S)
        self.endpoint.close()
        assert not self._thread.is_alive(), "the group did not leave"

    def assign(self, *candidates: Candidate, attempt: int = 0, checkpoint: str | None = None) -> None:
        """Hand candidates out."""
        items = [
            protocol.Assignment(candidate=item, attempt=attempt, checkpoint=checkpoint) for item in candidates
        ]
        self.endpoint.send(0, protocol.Assign(assignments=items))

    def until(self, condition: Callable[[], bool], *, timeout_s: float = DEADLINE_S) -> None:
        """Serve the group until the condition holds; fails loudly when time runs out."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, f"timed out; heard {self.heard[-5:]}; log:\n{self.log}"
            self._serve()

    def until_ended(self, count: int) -> list[Outcome]:
        """Serve until `count` attempts have ended; their outcomes by candidate."""
        self.until(lambda: len(self.outcomes) >= count)
        return sorted(self.outcomes.values(), key=lambda outcome: outcome.candidate)

    def until_exit(self) -> GroupExit:
        """Serve until the group's launch has ended."""
        self.until(lambda: self.exit is not None)
        assert self.exit is not None
        return self.exit

    @property
    def outcomes(self) -> dict[tuple[int, int], Outcome]:
        """Every outcome heard, by (candidate, attempt)."""
        ended = [message.outcome for message in self.heard if isinstance(message, protocol.Ended)]
        return {(outcome.candidate, outcome.attempt): outcome for outcome in ended}

    @property
    def interrupted(self) -> dict[tuple[int, int], protocol.Interrupted]:
        """Every interruption heard, by (candidate, attempt)."""
        found = [message for message in self.heard if isinstance(message, protocol.Interrupted)]
        return {(message.candidate, message.attempt): message for message in found}

    def progress_of(self, candidate: int) -> list[float]:
        """The epochs of a candidate that were told, in order."""
        told = [message for message in self.heard if isinstance(message, protocol.Progress)]
        return [message.epoch for message in told if message.candidate == candidate]

    @property
    def ranks(self) -> list[psutil.Process]:
        """The rank processes, in rank order (trainers, then the estimator), from their command lines."""
        marker = str(self.directory.path)
        found = []
        for process in psutil.process_iter(["cmdline", "environ"]):
            line = process.info["cmdline"] or []
            if marker in line and "mpi4py" in line and "rank_wrapper.py" not in " ".join(line):
                rank = (process.info["environ"] or {}).get("PMI_RANK", "")
                if rank.isdigit() and "mpiexec" not in line[0]:
                    found.append((int(rank), process))
        return [process for _, process in sorted(found, key=lambda item: item[0])]

    @property
    def log(self) -> str:
        """What the group printed."""
        path = self.directory.launch_log_path(0)
        return path.read_text(errors="replace") if path.exists() else "(none)"

    def _serve(self) -> None:
        for group, message in self.endpoint.poll(20):
            self.heard.append(message)
            if not self.speaking:
                continue
            if isinstance(message, protocol.Hello):
                self.endpoint.send(group, protocol.Welcome(chance_accuracy=CHANCE))
            elif self.acknowledging and isinstance(message, protocol.Ended | protocol.Interrupted):
                end = message.outcome if isinstance(message, protocol.Ended) else message
                self.endpoint.send(group, protocol.Acknowledge(candidate=end.candidate, attempt=end.attempt))
        if self.speaking and time.monotonic() > self._next_beat:
            self._next_beat = time.monotonic() + 0.5
            self.endpoint.send(0, protocol.Beat())

    def _supervise(self) -> None:
        # In a thread of the test, so "the pool" that must stay its parent is the test's own parent.
        self.exit = run_group(str(self.directory.path), 0)


def processes_of(run_dir: Path) -> list[str]:
    """Command lines of all processes that name this run directory."""
    done = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if str(run_dir) in line and "pytest" not in line]
