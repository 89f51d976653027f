"""munged, slurmctld and slurmd as children of the fixture, in the foreground, so that each one's end is seen."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from hpc_nas.platforms.processes.rank_wrapper import die_with_parent
from tools.slurm_cluster.network import Network
from tools.slurm_cluster.processes import end, processes_naming

ROOT = Path(__file__).resolve().parents[2]
LOG_LINES = 12


class ClusterError(RuntimeError):
    """The fixture could not do what it was asked to; the message shows the logs' last lines."""


class Daemons:
    """Everything that runs for one fixture, under one directory."""

    def __init__(self, directory: Path, *, network: Network | None):
        self._directory = directory
        self._network = network
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._guard: subprocess.Popen[bytes] | None = None

    @property
    def munge_socket(self) -> Path:
        return self._directory / "munge.sock"

    def start_guard(self) -> None:
        """Before anything else: it ends what is left should this process be killed."""
        line = [sys.executable, "-m", "tools.slurm_cluster.processes", str(self._directory)]
        line += [self._network.tag] if self._network else []
        self._guard = subprocess.Popen(line, stdin=subprocess.PIPE, cwd=ROOT, start_new_session=True)

    def start_munged(self) -> None:
        key = self._directory / "munge.key"
        if not key.exists():
            key.write_bytes(secrets.token_bytes(1024))
            key.chmod(0o400)
        files = {"key-file": key, "socket": self.munge_socket}
        files |= {"pid-file": self._directory / "munged.pid", "log-file": self._directory / "munged.log"}
        files |= {"seed-file": self._directory / "munge.seed"}
        options = [f"--{name}={path}" for name, path in files.items()]
        self.start("munged", ["munged", "--foreground", "--force", *options], environment={})

    def start(self, name: str, line: list[str], *, environment: Mapping[str, str]) -> None:
        """Start a daemon that stays in the foreground; its output goes to NAME.out."""
        with open(self._directory / f"{name}.out", "ab") as output:
            self._running[name] = subprocess.Popen(
                line,
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **environment},
                start_new_session=True,
                preexec_fn=die_with_parent,
            )

    def runs(self, name: str) -> bool:
        """Was it started, and not killed since?"""
        return name in self._running

    def kill(self, name: str) -> None:
        """SIGKILL, and wait for its end."""
        process = self._running.pop(name, None)
        if process is None:
            raise ClusterError(f"{name} does not run; it was killed before")
        process.kill()
        process.wait()

    def check(self) -> None:
        """Raises ClusterError if one has ended unasked."""
        for name, process in self._running.items():
            if process.poll() is not None:
                raise ClusterError(
                    f"{name} has ended with exit code {process.returncode}\n{self.tails(name)}"
                )

    def stop(self) -> list[int]:
        """End everything, jobs included; pids that could not be ended. May be called twice."""
        for name in list(self._running):
            self.kill(name)
        left = end(lambda: self._all_but_guard())
        if self._guard is not None:  # it finds nothing left, and removes the network
            assert self._guard.stdin is not None
            self._guard.stdin.close()
            try:
                self._guard.wait(timeout=30)
            except subprocess.TimeoutExpired:
                os.kill(self._guard.pid, signal.SIGKILL)
                self._guard.wait()
            self._guard = None
        return left

    def tails(self, *names: str) -> str:
        """The last lines of these daemons' logs, or of all; that PMIx is not installed is not told again."""
        patterns = [f"{name}*.{kind}" for name in names or ("slurmctld", "slurmd") for kind in ("log", "out")]
        parts = []
        for path in sorted({path for pattern in patterns for path in self._directory.glob(pattern)}):
            with contextlib.suppress(OSError):
                lines = [line for line in path.read_text(errors="replace").splitlines() if "pmix" not in line]
                parts += [f"--- {path.name}", *lines[-LOG_LINES:]] if lines else []
        return "\n".join(parts)

    def _all_but_guard(self) -> list[int]:
        guard = self._guard.pid if self._guard else 0
        return [pid for pid in processes_naming(str(self._directory)) if pid != guard]
