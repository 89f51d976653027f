"""The one module that composes launch lines, from explicit integers, and the environment they run in."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from hpc_nas.configuration import Configuration
from hpc_nas.errors import LaunchError
from hpc_nas.interpreter import python_line
from hpc_nas.platforms.devices import bind_group

# What an outer launcher leaves behind; an inherited PMIX_NAMESPACE makes the in-node mpiexec abort.
_LAUNCHER_LEFTOVERS = re.compile(r"^(PMI_|PMI2_|PMIX_|PALS_|OMPI_|PRTE_|HYDI?_|MPIR_|I_MPI_HYDRA)|^PMI$")
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def find_mpiexec(command: str) -> Path:
    """The MPI launcher: a path, a command beside this Python (the wheel's), or a command on PATH.

    Raises LaunchError with what to do when there is none.
    """
    beside_python = Path(sys.executable).parent / command
    if os.sep not in command and os.access(beside_python, os.X_OK):
        return beside_python
    found = shutil.which(command)
    if found is None:
        raise LaunchError(
            f"no {command!r} beside {sys.executable} or on PATH; install one (`pip install mpich`), "
            "or set [platform] mpiexec to the path of the MPI that mpi4py loads"
        )
    return Path(found)


def mpi_line(mpiexec: Path, *, num_ranks: int, command: list[str]) -> list[str]:
    """`mpiexec` over `num_ranks` ranks on this node, without any remote launcher."""
    return [str(mpiexec), "-launcher", "fork", "-n", str(num_ranks), *command]


def group_line(
    configuration: Configuration,
    *,
    run_dir: Path,
    group: int,
    watch_dir: Path,
    deadline_time: float | None,
    local_dir: Path | None,
) -> list[str]:
    """The launch line of one worker group inside one node.

    `watch_dir`: where ranks and agent watch each other, and rank wrappers write down how their ranks died;
    `deadline_time`: when the allocation ends, in seconds since 1970; `local_dir`: where its ranks write their files,
    if not in the group's own directory.
    """
    size = configuration.world_size
    rank_wrapper = Path(__file__).parent / "processes" / "rank_wrapper.py"
    command = python_line(
        str(rank_wrapper), str(watch_dir), "--", *python_line("-m", "mpi4py", "-m", "hpc_nas.group")
    )
    arguments = [str(run_dir), "--group", str(group), "--expect-size", str(size)]
    arguments += ["--watch-dir", str(watch_dir)]
    if deadline_time is not None:
        arguments += ["--deadline", str(deadline_time)]
    if local_dir is not None:
        arguments += ["--local-dir", str(local_dir)]
    return mpi_line(find_mpiexec(configuration.platform.mpiexec), num_ranks=size, command=command + arguments)


def group_environment(configuration: Configuration, *, inherited: Mapping[str, str]) -> dict[str, str]:
    """The inherited environment without an outer launcher's leftovers, with thread counts and the group's GPUs.

    Raises LaunchError where the node grants fewer GPUs than its groups need.
    """
    environment = bind_group(configuration, environment=scrub(inherited))
    threads = str(configuration.group.threads_per_rank)
    environment.update(dict.fromkeys(_THREAD_VARIABLES, threads))
    environment["PYTHONUNBUFFERED"] = "1"
    # Else hydra deals the ranks out among all nodes that PBS_NODEFILE or LSB_MCPU_HOSTS name.
    environment["HYDRA_RMK"] = "user"
    environment["CUBLAS_WORKSPACE_CONFIG"] = environment.get("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    environment.update(configuration.platform.environment)
    return environment


def scrub(environment: Mapping[str, str]) -> dict[str, str]:
    """Without the variables by which an outer MPI launcher speaks to its own ranks."""
    return {name: value for name, value in environment.items() if not _LAUNCHER_LEFTOVERS.search(name)}
