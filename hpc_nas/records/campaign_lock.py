"""The lock that one campaign process holds on a run directory; the system frees it however that process ends."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hpc_nas.errors import RunDirectoryError

_held: set[int] = set()
_at_fork: list[bool] = []


@contextmanager
def hold_lock(path: Path, *, job_id: str) -> Iterator[None]:
    """Hold an flock on this file, which says who does: `job_id` is the batch scheduler's, empty outside of a job.

    Raises RunDirectoryError naming the holder.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise RunDirectoryError(f"{path} can't be opened: {error.strerror}; make it writable") from error
    _let_go_in_children()
    _held.add(descriptor)
    try:
        _acquire(descriptor, path, job_id=job_id)
        yield
    finally:
        if descriptor in _held:  # not so in a forked child that came out here
            _held.discard(descriptor)
            os.close(descriptor)


def in_use(directory: Path, *, by: str) -> str:
    """What is said to whoever comes second."""
    return (
        f"{directory} is in use by {by}; a campaign runs there, see how it stands with hpc-nas status {directory}: "
        "wait for its end, or stop that process"
    )


def holder_of(path: Path) -> str | None:
    """Which campaign process holds this lock, in words; None where nobody does."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _holder(descriptor)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return None


def _acquire(descriptor: int, path: Path, *, job_id: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        holder = {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "job_id": job_id,
            "started_time": time.time(),
        }
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(holder).encode() + b"\n", 0)
    except BlockingIOError as error:
        raise RunDirectoryError(in_use(path.parent, by=_holder(descriptor))) from error
    except OSError as error:
        raise RunDirectoryError(
            f"{path} can't be locked: {error.strerror}; put the run directory on a file system "
            "with flock and free space"
        ) from error


def _holder(descriptor: int) -> str:
    try:
        holder = json.loads(os.pread(descriptor, 4096, 0))
        job = f", batch job {holder['job_id']}" if holder.get("job_id") else ""
        return f"the campaign process {int(holder['pid'])} on host {holder['host']}{job}"
    except (ValueError, KeyError, TypeError):
        return "another campaign process"


def _close_in_child() -> None:
    for descriptor in _held:
        os.close(descriptor)
    _held.clear()


def _let_go_in_children() -> None:
    """An flock lives as long as any copy of its descriptor: forked children must not keep it."""
    if not _at_fork:
        os.register_at_fork(after_in_child=_close_in_child)
        _at_fork.append(True)
