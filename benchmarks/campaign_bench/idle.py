"""What an idle group costs: one real group is started, given nothing, and its CPU time is read."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import TracebackType

import psutil

from benchmarks.bench.command import Workspace
from benchmarks.campaign_bench.values import Idle, IdleWindow
from hpc_nas.campaign.endpoint import Endpoint
from hpc_nas.configuration import load_configuration
from hpc_nas.group import protocol
from hpc_nas.group.connection import new_keys
from hpc_nas.platforms.addresses import LOOPBACK
from hpc_nas.platforms.processes.group_task import GroupExit, run_group
from hpc_nas.records.run_directory import RunDirectory

START_S = 120.0
SETTLE_S = 2.0
LEAVE_S = 30.0
BEAT_S = 0.5
POLL_MS = 50
CHANCE_ACCURACY = 10.0
GROUP = 0


def measure_idle(workspace: Workspace, *, seconds: float, repeats: int) -> Idle:
    """CPU time of each rank of an idle group (2 trainers, 1 estimator) over `repeats` windows."""
    with _IdleGroup(workspace.new_run_dir("idle")) as group:
        group.serve(SETTLE_S)
        return Idle(windows=tuple(_window(group, seconds=seconds) for _ in range(repeats)))


def _window(group: _IdleGroup, *, seconds: float) -> IdleWindow:
    ranks, started = group.ranks(), time.perf_counter()
    before = [_cpu_s(rank) for rank in ranks]
    group.serve(seconds)
    spent = [_cpu_s(rank) - cpu_s for rank, cpu_s in zip(ranks, before, strict=True)]
    elapsed = time.perf_counter() - started
    percents = [100.0 * cpu_s / elapsed for cpu_s in spent]
    print(f"  idle for {elapsed:.1f} s: estimator {percents[-1]:.2f} % of a core", flush=True)
    return IdleWindow(seconds=elapsed, estimator_percent=percents[-1], trainers_percent=tuple(percents[:-1]))


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


class _IdleGroup:
    """One group, and the part of the campaign that keeps it alive: a welcome and a beat, never a candidate."""

    def __init__(self, run_dir: Path):
        self._directory = RunDirectory.create(run_dir)
        configuration = load_configuration(None)
        self._num_ranks = configuration.world_size
        self._directory.publish(self._directory.configuration_path, configuration.model_dump_json())
        self._endpoint = Endpoint(new_keys(), addresses=[LOOPBACK])
        connection = self._endpoint.connection.model_dump_json()
        self._directory.publish(self._directory.connection_path, connection, mode=0o600)
        self._directory.create_group_dir(GROUP)
        self._exit: GroupExit | None = None
        self._ready = False
        self._next_beat = 0.0
        self._thread = threading.Thread(target=self._supervise, daemon=True)

    def __enter__(self) -> _IdleGroup:
        self._thread.start()
        deadline = time.monotonic() + START_S
        while not self._ready:
            if self._exit is not None or time.monotonic() > deadline:
                self._leave()
                raise RuntimeError(f"the group did not start ({self._exit}); its log:\n{self._log()}")
            self.serve(0.1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    def serve(self, seconds: float) -> None:
        """Be the campaign for so long."""
        deadline = time.monotonic() + seconds
        while (now := time.monotonic()) < deadline:
            if now >= self._next_beat:
                self._next_beat = now + BEAT_S
                self._endpoint.send(GROUP, protocol.Beat())
            for group, message in self._endpoint.poll(POLL_MS):
                if isinstance(message, protocol.Hello):
                    self._endpoint.send(group, protocol.Welcome(chance_accuracy=CHANCE_ACCURACY))
                self._ready = self._ready or isinstance(message, protocol.Ready)

    def ranks(self) -> list[psutil.Process]:
        """The rank processes, trainers first, found by their command line and MPI's rank variable."""
        found: dict[int, psutil.Process] = {}
        for process in psutil.Process().children(recursive=True):
            line = process.cmdline()
            rank = process.environ().get("PMI_RANK", "")
            rank_wrapper = any(argument.endswith("rank_wrapper.py") for argument in line)
            if "hpc_nas.group" in line and not rank_wrapper and rank.isdigit():
                found[int(rank)] = process
        if sorted(found) != list(range(self._num_ranks)):
            raise RuntimeError(f"found ranks {sorted(found)} of a group of {self._num_ranks}")
        return [found[rank] for rank in sorted(found)]

    def _leave(self) -> None:
        self._endpoint.send(GROUP, protocol.Leave(reason="the measurement is over"))
        self._thread.join(timeout=LEAVE_S)
        self._endpoint.close()

    def _log(self) -> str:
        path = self._directory.launch_log_path(GROUP)
        return path.read_text(errors="replace") if path.exists() else "(none)"

    def _supervise(self) -> None:
        self._exit = run_group(str(self._directory.path), GROUP)
