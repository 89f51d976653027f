"""The node's own disk: a group's directories there, who holds them, and what dead agents have left behind.

`$scratch/hpc-nas-<run>/group-00000/` belongs to one group of one run; the run's part of the name is made from what no
two runs share. The agent that uses the directory holds a lock in it, which the system frees however it dies. The
directory in which agent and ranks watch each other is made in the same way, in memory (`/dev/shm`) where possible.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from hpc_nas.configuration import Configuration
from hpc_nas.group.connection import read_connection
from hpc_nas.records.group_files import GroupFiles
from hpc_nas.records.run_directory import RunDirectory

LOCK_NAME = ".held"
SHARED_MEMORY = Path("/dev/shm")
_GROUP_NAME = re.compile(r"group-(\d{5,})")


@dataclass(frozen=True, kw_only=True)
class LocalDirectory:
    """Where a group's files go; `path` is None for the run directory, `warning` says why if scratch was asked for."""

    path: Path | None
    warning: str = ""


@contextmanager
def local_directory(
    configuration: Configuration,
    *,
    run_directory: RunDirectory,
    group: int,
    environment: Mapping[str, str],
) -> Iterator[LocalDirectory]:
    """Make and hold the group's own directory on the node's disk, or say why there is none."""
    if configuration.platform.scratch is None:
        yield LocalDirectory(path=None)
        return
    parent = run_scratch(configuration, run_directory=run_directory, environment=environment)
    with ExitStack() as stack:
        if parent is None:
            problem = f"{configuration.platform.scratch} names a variable that is not set on this node"
        else:
            path = parent / run_directory.group_dir(group).name
            try:
                stack.enter_context(_made(path))
                problem = ""
            except OSError as error:
                problem = f"{path} can't be used: {error.strerror}"
        if problem:
            yield LocalDirectory(
                path=None,
                warning=f"[platform] scratch: {problem}; rank files go to the run directory. Name a directory "
                "that is writable on every node, or leave scratch out",
            )
        else:
            yield LocalDirectory(path=path)


@contextmanager
def watch_directory(
    local: LocalDirectory, *, run_directory: RunDirectory, group: int
) -> Iterator[LocalDirectory]:
    """Where the group's agent and ranks watch each other: its local directory, or one of its own on this node.

    A node on which nothing can be written has none, and the warning says so.
    """
    if local.path is not None:
        yield LocalDirectory(path=local.path)
        return
    problems = []
    with ExitStack() as stack:
        for parent in _watch_parents(run_directory):
            path = parent / run_directory.group_dir(group).name
            try:
                stack.callback(remove, stack.enter_context(_made_again(path)))
                break
            except OSError as error:
                problems.append(f"{path} can't be used: {error.strerror}")
        else:
            yield LocalDirectory(
                path=None,
                warning=f"{'; '.join(problems)}; the group is watched through the run directory, twenty times a "
                "second. Set TMPDIR to a directory that is writable on every node",
            )
            return
        _clear(parent)
        yield LocalDirectory(path=path)


def clear_watch_directories(run_directory: RunDirectory) -> None:
    """Remove what killed agents of this run have left on this node."""
    for parent in _watch_parents(run_directory):
        _clear(parent)


def _watch_parents(run_directory: RunDirectory) -> list[Path]:
    places = dict.fromkeys((SHARED_MEMORY, Path(tempfile.gettempdir())))
    return [place / f"hpc-nas-watch-{_run_name(run_directory)}" for place in places]


def _clear(parent: Path) -> None:
    with suppress(OSError):
        for entry in parent.iterdir():
            if _GROUP_NAME.fullmatch(entry.name) and not entry.is_symlink():
                with held(entry) as mine:
                    if mine:
                        remove(entry)


@contextmanager
def _made_again(path: Path) -> Iterator[Path]:
    """The same as `_made`, tried twice: the last group of the run on this node may remove the parent meanwhile."""
    with ExitStack() as stack:
        try:
            stack.enter_context(_made(path))
        except FileNotFoundError:
            stack.enter_context(_made(path))
        yield path


@contextmanager
def _made(path: Path) -> Iterator[None]:
    """A new directory of this user alone; held before it has its name, so that it never looks left behind."""
    parent = path.parent
    # What is above must be there: without its mount point the node's root would fill up.
    with suppress(FileExistsError):
        os.mkdir(parent, mode=0o700)
    if parent.is_symlink() or parent.stat().st_uid != os.geteuid():
        raise PermissionError(errno.EPERM, f"{parent} belongs to another user")
    new = path.with_name(f".{path.name}.{os.getpid()}")
    os.mkdir(new, mode=0o700)
    try:
        with held(new) as mine:
            # A disk without space takes no rank file either.
            (new / LOCK_NAME).write_bytes(b"1" * 4096)
            if not mine or path.exists():
                raise FileExistsError(errno.EEXIST, "it is there already")
            os.rename(new, path)
            yield
    except OSError:
        shutil.rmtree(new, ignore_errors=True)
        raise


def run_scratch(
    configuration: Configuration, *, run_directory: RunDirectory, environment: Mapping[str, str]
) -> Path | None:
    """The run's directory on this node's disk, whether it is there or not; None where the node has no scratch."""
    if configuration.platform.scratch is None:
        return None
    place = _expand(configuration.platform.scratch, environment)
    return None if place is None else Path(place) / f"hpc-nas-{_run_name(run_directory)}"


@contextmanager
def held(local_dir: Path) -> Iterator[bool]:
    """Hold the directory's lock; False where another living agent does, or the directory is gone."""
    try:
        descriptor = os.open(local_dir / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        yield False
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def remove(local_dir: Path) -> None:
    """Remove a group's local directory, and the run's if it was the last one."""
    shutil.rmtree(local_dir, ignore_errors=True)
    with suppress(OSError):
        local_dir.parent.rmdir()


def left_behind(parent: Path, *, run_directory: RunDirectory) -> Iterator[GroupFiles]:
    """The groups of this run whose local directories nobody holds any more; each is held while it is looked at."""
    try:
        entries = sorted(parent.iterdir())
    except OSError:
        return
    for entry in entries:
        name = _GROUP_NAME.fullmatch(entry.name)
        # A run directory that was made anew has no such group: these rows are not its own.
        if name is None or not run_directory.group_dir(int(name[1])).is_dir():
            continue
        with held(entry) as mine:
            if mine:
                yield GroupFiles(run_directory=run_directory, group=int(name[1]), local_dir=entry)


def _expand(text: str, environment: Mapping[str, str]) -> str | None:
    """The path with its $VARIABLES replaced; None where one is not set."""
    missing = False

    def value(found: re.Match[str]) -> str:
        nonlocal missing
        name = found[1] or found[2]
        missing = missing or not environment.get(name)
        return environment.get(name, "")

    path = re.sub(r"\$(?:(\w+)|\{(\w+)\})", value, text)
    return None if missing else path


def _run_name(run_directory: RunDirectory) -> str:
    """The same on every node and after each resume, and another one for another run at the same path."""
    key = read_connection(run_directory.connection_path).server_public
    return hashlib.sha256(f"{run_directory.path}\0{key}".encode()).hexdigest()[:12]
