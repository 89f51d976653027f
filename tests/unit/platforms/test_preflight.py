"""The launcher is asked with a real job before anything else is started."""

from __future__ import annotations

import time
from pathlib import Path

import psutil
import pytest

from hpc_nas.configuration import Configuration, PlatformSection
from hpc_nas.errors import LaunchError
from hpc_nas.platforms import preflight
from hpc_nas.platforms.preflight import check_launcher
from tests.gate import wait_for

SINGLETONS = 'n=$4; shift 4; while [ $n -gt 0 ]; do "$@" & n=$((n - 1)); done; wait'
ONE_RANK_ONLY = 'shift 4; exec "$@"'


def launcher(path: Path, script: str) -> Configuration:
    """A platform whose mpiexec is this shell script; it is called as `-launcher fork -n N COMMAND ...`."""
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return Configuration(platform=PlatformSection(mpiexec=str(path)))


def refusal(configuration: Configuration, *, num_ranks: int = 2) -> str:
    with pytest.raises(LaunchError) as refused:
        check_launcher(configuration, num_ranks=num_ranks)
    return str(refused.value)


def test_launcher_that_belongs_to_mpi4py_is_found_good(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also inside another launcher's job, whose leftovers would make the ranks singletons or abort."""
    for name in ("PMI_RANK", "PMI_SIZE", "PMIX_RANK", "OMPI_COMM_WORLD_SIZE", "PALS_RANKID"):
        monkeypatch.setenv(name, "1")
    library = check_launcher(Configuration(), num_ranks=3)
    assert "MPI" in library.upper()


@pytest.mark.parametrize(("script", "num_found"), [(SINGLETONS, 3), (ONE_RANK_ONLY, 1)])
def test_singletons_are_told_by_their_world_sizes(tmp_path: Path, script: str, num_found: int) -> None:
    path = tmp_path / "mpiexec"
    message = refusal(launcher(path, script), num_ranks=3)
    assert message.startswith(f"{path} -n 3 gave {num_found} rank(s) that see world sizes [1], expected 3: ")
    assert message.endswith("set [platform] mpiexec to the launcher of that MPI")


def test_launcher_that_is_missing_is_named() -> None:
    message = refusal(Configuration(platform=PlatformSection(mpiexec="nonexistent")))
    assert message.startswith("no 'nonexistent' beside ")
    assert "[platform] mpiexec" in message


def test_launcher_that_fails_is_quoted(tmp_path: Path) -> None:
    path = tmp_path / "mpiexec"
    script = "for i in 1 2 3 4 5; do echo line $i >&2; done; echo usage: no -launcher >&2; exit 7"
    assert refusal(launcher(path, script)) == (
        f"{path} -launcher fork -n 2 ...: exit code 7: line 4 | line 5 | usage: no -launcher"
    )


def test_launcher_that_starts_nothing_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mpiexec"
    assert refusal(launcher(path, "exit 0")) == f"{path} -launcher fork -n 2 ...: exit code 0: "


def test_launcher_that_is_no_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mpiexec"
    path.write_bytes(b"\x7fELF and no more")
    path.chmod(0o755)
    message = refusal(Configuration(platform=PlatformSection(mpiexec=str(path))))
    assert message.startswith(f"{path}: can't be started: ")


def test_launcher_that_hangs_is_ended_with_all_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, pids = tmp_path / "mpiexec", tmp_path / "pids"
    configuration = launcher(path, f"sleep 3600 & echo $$ $! > {pids}.new; mv {pids}.new {pids}; wait")

    class Patience(float):
        """The time limit, which begins once all has been started."""

        def __radd__(self, now: float) -> float:
            wait_for(pids.exists, what="the launcher")
            return time.monotonic() + float(self)

    monkeypatch.setattr(preflight, "TIMEOUT_S", Patience(0.5))
    assert refusal(configuration) == f"{path} -launcher fork -n 2 ...: no answer within 0.5 s"
    started = list(map(int, pids.read_text().split()))
    wait_for(lambda: not any(map(runs, started)), what="their end")


def runs(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
