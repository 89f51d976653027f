"""The lock that one campaign process holds on a run directory; the system frees it however that process ends."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hpc_nas.errors import RunDirectoryError

_held: set[int] = set()
_at_fork: list[bool] = []

_BEGINS = b'{"host": '
"""What a holder says of itself begins so."""


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


def check_not_held(path: Path) -> None:
    """Raises RunDirectoryError naming the holder while somebody holds the lock; nothing is written."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return  # nobody has ever held it, or opening the directory says what is wrong
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise _in_use(descriptor, path) from error
    except OSError:
        return  # a file system without flock: who takes the lock is told
    finally:
        os.close(descriptor)


def is_lock(path: Path) -> bool:
    """Is this the file of a lock, perhaps of one whose holder was killed before it had said who it is?"""
    with open(path, "rb") as file:
        content = file.read(len(_BEGINS))
    return _BEGINS.startswith(content)


def _in_use(descriptor: int, path: Path) -> RunDirectoryError:
    """What is said to whoever comes second."""
    directory = path.parent
    return RunDirectoryError(
        f"{directory} is in use by {_holder(descriptor)}; a campaign runs there, see how it stands with hpc-nas status "
        f"{shlex.quote(str(directory))}: wait for its end, or stop that process"
    )


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
        raise _in_use(descriptor, path) from error
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
