"""Slurm's commands as calls with a deadline, whose errors show the daemons' last words."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from tools.slurm_cluster.daemons import ClusterError, Daemons

ENDED = frozenset({"COMPLETED", "CANCELLED", "FAILED", "TIMEOUT", "NODE_FAIL", "PREEMPTED"})
COMMAND_S = 30.0


class Whom(StrEnum):
    """Who gets a signal, as scancel's options say it."""

    STEPS = ""  # the tasks of all steps, not the batch shell
    BATCH = "--batch"  # the batch shell alone
    ALL = "--full"  # the batch shell with its children, and all steps


class SlurmClient:
    """What a user does with a Slurm: submit, ask, cancel."""

    def __init__(self, directory: Path, *, daemons: Daemons):
        self.directory = directory
        self._daemons = daemons
        self._environment: dict[str, str] = {}
        self._num_scripts = 0

    @property
    def environment(self) -> dict[str, str]:
        """What Slurm's commands need to find this Slurm; add it to os.environ."""
        return dict(self._environment)

    def nodes(self) -> dict[str, str]:
        """State of each node in Slurm's words: idle, allocated, mixed, down, ..., with `*` while it is silent."""
        lines = self.command("sinfo", "-h", "-N", "-o", "%N %T").splitlines()
        return dict(line.split()[:2] for line in lines)

    def command(self, *line: str, stdin: str = "") -> str:
        """Run one of Slurm's commands; its output. Raises ClusterError with the daemons' last words."""
        try:
            done = subprocess.run(
                line,
                input=stdin,
                capture_output=True,
                text=True,
                timeout=COMMAND_S,
                env={**os.environ, **self._environment},
            )
        except subprocess.TimeoutExpired as error:
            raise self._error(f"{' '.join(line)} did not answer within {COMMAND_S:g} s") from error
        if done.returncode != 0:
            raise self._error(f"{' '.join(line)}: exit code {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def submit(self, script: str | Path, **options: str | int) -> int:
        """sbatch a script, or the text of one; `gpus_per_node=2` is `--gpus-per-node=2`, "" a bare option."""
        if isinstance(script, str):
            self._num_scripts += 1
            path = self.directory / "jobs" / f"script-{self._num_scripts}.sh"
            path.write_text(script if script.startswith("#!") else f"#!/bin/bash\n{script}\n")
            script = path
        options = {"output": f"{self.directory}/jobs/%j.out", "open_mode": "append", **options}
        flags = [f"--{n.replace('_', '-')}" + (f"={v}" if v != "" else "") for n, v in options.items()]
        return int(self.command("sbatch", "--parsable", *flags, str(script)).split(";")[0])

    def output(self, job: int) -> str:
        """What the job's script and its steps have printed."""
        path = self.directory / "jobs" / f"{job}.out"
        return path.read_text(errors="replace") if path.exists() else ""

    def state(self, job: int) -> str:
        """PENDING, RUNNING, COMPLETING, or one of ENDED."""
        return self.field(job, "JobState")

    def field(self, job: int, name: str) -> str:
        """One value of `scontrol show job`."""
        text = self.command("scontrol", "show", "job", "--oneliner", str(job))
        found = re.search(rf"\b{name}=(\S+)", text)
        if found is None:
            raise self._error(f"scontrol tells no {name} of job {job}: {text.strip()}")
        return found[1]

    def job_nodes(self, job: int) -> list[str]:
        """Names of the nodes that the job has."""
        return self.command("scontrol", "show", "hostnames", self.field(job, "NodeList")).split()

    def wait(self, job: int, *, timeout_s: float) -> str:
        """Until the job has ended; its last state."""
        self.wait_for(
            lambda: self.state(job) in ENDED, timeout_s=timeout_s, what=f"the end of job {job}", job=job
        )
        return self.state(job)

    def cancel(self, job: int) -> None:
        """scancel JOB, as a user does."""
        self.command("scancel", str(job))

    def signal(self, job: int, name: str, *, whom: Whom) -> None:
        """scancel --signal=NAME, to whom."""
        self.command("scancel", f"--signal={name}", *([whom.value] if whom.value else []), str(job))

    def wait_for(
        self, condition: Callable[[], bool], *, timeout_s: float, what: str, job: int | None = None
    ) -> None:
        """Until the condition holds; a time-out shows the daemons' logs and the job's output."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            self._daemons.check()
            if time.monotonic() > deadline:
                raise self._error(f"timed out after {timeout_s:g} s waiting for {what}", job=job)
            time.sleep(0.1)

    def _error(self, message: str, *, job: int | None = None) -> ClusterError:
        parts = [message, self._daemons.tails()]
        if job is not None:
            parts.insert(1, f"--- output of job {job}, {self.state(job)}\n{self.output(job)[-2000:]}")
        return ClusterError("\n".join(parts))
