"""Launch lines are whole, explicit and free of an outer launcher's leftovers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hpc_nas.configuration import Configuration, GroupSection, PlatformSection
from hpc_nas.errors import LaunchError
from hpc_nas.platforms.launch_line import find_mpiexec, group_environment, group_line, mpi_line


def test_group_line_is_one_rank_more_than_trainers(tmp_path: Path) -> None:
    mpiexec = tmp_path / "mpiexec"
    mpiexec.write_text("#!/bin/sh\n")
    mpiexec.chmod(0o755)
    configuration = Configuration(
        platform=PlatformSection(mpiexec=str(mpiexec)), group=GroupSection(trainers_per_node=3)
    )
    line = group_line(
        configuration,
        run_dir=tmp_path,
        group=7,
        watch_dir=tmp_path / "g",
        deadline_time=None,
        local_dir=None,
    )
    rank_wrapper = Path(line[7])
    assert rank_wrapper.name == "rank_wrapper.py"
    assert rank_wrapper.is_file()
    assert [*line[:7], *line[8:]] == [
        *(str(mpiexec), "-launcher", "fork", "-n", "4", sys.executable, "-P"),
        *(str(tmp_path / "g"), "--", sys.executable, "-P", "-m", "mpi4py", "-m", "hpc_nas.group"),
        *(str(tmp_path), "--group", "7", "--expect-size", "4", "--watch-dir", str(tmp_path / "g")),
    ]


def test_group_is_told_its_deadline_and_where_its_files_lie() -> None:
    line = group_line(
        Configuration(),
        run_dir=Path("/run"),
        group=0,
        watch_dir=Path("/dev/shm/w"),
        deadline_time=1795336632.5,
        local_dir=Path("/scratch/hpc-nas-1/group-00000"),
    )
    assert line[-10:] == [
        *("--group", "0", "--expect-size", "3", "--watch-dir", "/dev/shm/w"),
        *("--deadline", "1795336632.5", "--local-dir", "/scratch/hpc-nas-1/group-00000"),
    ]


def test_environment_shows_the_group_of_this_worker_its_own_gpus() -> None:
    configuration = Configuration(
        platform=PlatformSection(gpus_per_node=4), group=GroupSection(groups_per_node=2)
    )
    inherited = {"PARSL_WORKER_RANK": "1", "CUDA_VISIBLE_DEVICES": "4,5,6,7"}
    assert group_environment(configuration, inherited=inherited)["CUDA_VISIBLE_DEVICES"] == "6,7"
    told = Configuration(
        platform=PlatformSection(gpus_per_node=4, environment={"CUDA_VISIBLE_DEVICES": "3,2"})
    )
    inherited["PARSL_WORKER_RANK"] = "0"
    assert group_environment(told, inherited=inherited)["CUDA_VISIBLE_DEVICES"] == "3,2"


def test_environment_loses_leftovers_and_gains_thread_counts() -> None:
    leftovers = ("PMI_RANK", "PMI_SIZE", "PMIX_NAMESPACE", "PALS_RANKID", "OMPI_COMM_WORLD_SIZE", "PMI_FD")
    inherited = dict.fromkeys(leftovers, "1") | {
        "PATH": "/bin",
        "OMP_NUM_THREADS": "64",
        "PMIRROR": "kept",
    }
    configuration = Configuration(
        platform=PlatformSection(environment={"EXTRA": "yes"}), group=GroupSection(threads_per_rank=2)
    )
    environment = group_environment(configuration, inherited=inherited)
    assert not set(leftovers) & set(environment)
    assert environment["PATH"] == "/bin"
    assert environment["PMIRROR"] == "kept"
    assert environment["OMP_NUM_THREADS"] == "2"
    assert environment["EXTRA"] == "yes"


@pytest.mark.parametrize("scheduler", ["PBS", "LSF"])
def test_ranks_of_a_group_stay_on_their_node_whatever_nodes_the_job_has(
    tmp_path: Path, scheduler: str
) -> None:
    """Left to itself, hydra deals them out among the job's nodes, and they don't see that they share one."""
    nodes = tmp_path / "nodes"
    nodes.write_text("nodeA\nnodeB\n")
    jobs = {
        "PBS": {"PBS_JOBID": "1", "PBS_ENVIRONMENT": "PBS_BATCH", "PBS_NODEFILE": str(nodes)},
        "LSF": {"LSB_JOBID": "1", "LSF_BINDIR": "/x", "LSB_MCPU_HOSTS": "nodeA 1 nodeB 1"},
    }
    size = "MPI.COMM_WORLD.Split_type(MPI.COMM_TYPE_SHARED).size"
    ask = f"import os; from mpi4py import MPI; os.write(1, b'%d\\n' % {size})"  # one write a line
    done = subprocess.run(
        mpi_line(find_mpiexec("mpiexec"), num_ranks=2, command=[sys.executable, "-c", ask]),
        env=group_environment(Configuration(), inherited={**os.environ, **jobs[scheduler]}),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.split() == ["2", "2"], done.stderr


def test_missing_launcher_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "PATH", "")
    with pytest.raises(LaunchError, match=r"no 'no-such-mpiexec' beside .*pip install mpich"):
        find_mpiexec("no-such-mpiexec")
