"""Is this machine ready? Each check really does what a campaign would do, and says what to do if it can't."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import zmq

from hpc_nas.configuration import Configuration
from hpc_nas.errors import HpcNasError
from hpc_nas.platforms.addresses import check_loopback
from hpc_nas.platforms.cluster_checks import check_scheduler, check_scratch, is_elsewhere
from hpc_nas.platforms.finding import Finding
from hpc_nas.platforms.gpu_check import find_gpus
from hpc_nas.platforms.parsl_directory import check_paths
from hpc_nas.platforms.preflight import check_launcher
from hpc_nas.records.probe import probe_swmr

MIN_FREE_BYTES = 1 << 30
_ADVICE_DIRECTORY = "create it, or choose another with --directory"


def examine(configuration: Configuration, *, directory: Path) -> list[Finding]:
    """All checks, for the platform of `configuration`, with runs written to `directory`."""
    checks: list[Callable[[], Finding]] = [
        lambda: _cores(configuration),
        lambda: _mpi(configuration),
        lambda: find_gpus(configuration, environment=os.environ),
        lambda: _hdf5(directory),
        lambda: _disk(directory),
        lambda: _paths(configuration, directory),
        _parsl,
        _messages,
        lambda: check_scheduler(configuration, environment=os.environ),
    ]
    if configuration.platform.scratch is not None:
        checks.append(lambda: check_scratch(configuration, environment=os.environ))
    return [check() for check in checks]


def _cores(configuration: Configuration) -> Finding:
    cores = len(os.sched_getaffinity(0))
    section = configuration.group
    busy = section.groups_per_node * section.trainers_per_node * section.threads_per_rank
    elsewhere = is_elsewhere(configuration, environment=os.environ)
    where = "cores here; on each node" if elsewhere else "cores;"
    detail = f"Python {sys.version.split()[0]}, {cores} {where} trainers use {busy} threads"
    if busy <= cores or elsewhere:
        return Finding(name="cores", status="OK", detail=detail)
    advice = "lower [group] trainers_per_node or threads_per_rank: trainers will take turns on the cores"
    return Finding(name="cores", status="WARN", detail=detail, advice=advice)


def _mpi(configuration: Configuration) -> Finding:
    size = configuration.world_size
    try:
        library = check_launcher(configuration, num_ranks=size)
    except HpcNasError as error:
        advice = (
            "pip install mpich mpi4py, or set [platform] mpiexec to the launcher of the MPI that mpi4py loads"
        )
        return Finding(name="MPI", status="FAIL", detail=str(error), advice=advice)
    return Finding(
        name="MPI", status="OK", detail=f"{library.strip()}; {size} ranks started and found each other"
    )


def _hdf5(directory: Path) -> Finding:
    if not os.path.isdir(directory):
        return _no_directory("HDF5", directory)
    probe = probe_swmr(directory)
    if probe.kept and not probe.ok:
        advice = (
            "campaigns run here: rows come by message; with a node-local [platform] scratch, or perhaps with "
            "HDF5_USE_FILE_LOCKING=FALSE, they are read in situ"
        )
        return Finding(name="HDF5", status="WARN", detail=probe.message, advice=advice)
    if not probe.ok:
        advice = "keep runs on a local or POSIX file system (not NFS), or try HDF5_USE_FILE_LOCKING=FALSE"
        return Finding(name="HDF5", status="FAIL", detail=probe.message, advice=advice)
    detail = (
        f"single writer, multiple readers works in {directory.absolute()}: append and flush "
        f"{1e3 * probe.append_flush_s:.2f} ms, visible after {1e3 * probe.visible_s:.2f} ms"
    )
    return Finding(name="HDF5", status="OK", detail=detail)


def _disk(directory: Path) -> Finding:
    if not os.path.isdir(directory):
        return _no_directory("disk", directory)
    try:
        free = shutil.disk_usage(directory).free
    except OSError as error:
        return Finding(name="disk", status="FAIL", detail=str(error), advice=_ADVICE_DIRECTORY)
    detail = f"{free / 2**30:.1f} GiB free in {directory.absolute()}"
    if free < MIN_FREE_BYTES:
        return Finding(
            name="disk", status="WARN", detail=detail, advice="free some space, or choose another --run-dir"
        )
    return Finding(name="disk", status="OK", detail=detail)


def _paths(configuration: Configuration, directory: Path) -> Finding:
    try:
        check_paths(configuration, run_dir=directory)
    except HpcNasError as error:
        return Finding(name="paths", status="FAIL", detail=str(error), advice=_ADVICE_DIRECTORY)
    return Finding(name="paths", status="OK", detail="workers can be started with the paths here")


def _no_directory(name: str, directory: Path) -> Finding:
    detail = f"{directory.absolute()} is not there, or not a directory: not tried"
    return Finding(name=name, status="FAIL", detail=detail, advice=_ADVICE_DIRECTORY)


def _parsl() -> Finding:
    if importlib.util.find_spec("parsl") is None:
        return Finding(name="Parsl", status="FAIL", detail="not installed", advice="pip install parsl")
    scripts = Path(sys.executable).parent
    missing = [name for name in ("interchange.py", "process_worker_pool.py") if not (scripts / name).exists()]
    if missing:
        detail = f"{', '.join(missing)} not beside {sys.executable}"
        return Finding(
            name="Parsl", status="FAIL", detail=detail, advice="reinstall parsl into this environment"
        )
    return Finding(
        name="Parsl", status="OK", detail=f"Parsl {metadata.version('parsl')} with its worker pool"
    )


def _messages() -> Finding:
    if not zmq.has("curve"):
        advice = "install pyzmq from its wheel, which brings libsodium"
        return Finding(
            name="messages", status="FAIL", detail="ZeroMQ without CURVE encryption", advice=advice
        )
    try:
        check_loopback()
    except HpcNasError as error:
        advice = "bring the loopback interface up: ip link set lo up"
        return Finding(name="messages", status="FAIL", detail=str(error).partition(";")[0], advice=advice)
    return Finding(name="messages", status="OK", detail=f"ZeroMQ {zmq.zmq_version()} with CURVE encryption")
