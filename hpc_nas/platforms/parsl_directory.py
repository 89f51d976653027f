"""Where Parsl keeps its scripts and logs: under a path that needs no quoting, whatever the run directory is called.

Parsl and its launchers put paths into shell lines, here-documents and scheduler directives as they are: a blank in one
splits it, and a `;` ends a command. So Parsl gets the run directory's `parsl` where that path is plain, else a private
directory with a plain path. Where everything runs on this node that lies below the temporary directory; else on the
run directory's own file system, as near to it as a path stays plain, or in the home directory: other nodes read and
write there. The run directory links to it, and has its files once it has ended.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hpc_nas.configuration import Configuration, NodeLauncher, Placement
from hpc_nas.errors import LaunchError
from hpc_nas.records.run_directory import RunDirectory

__all__ = ["check_paths", "is_plain", "parsl_directory"]

logger = logging.getLogger(__name__)

_PLAIN = re.compile(r"/[A-Za-z0-9_./+@=,-]*")  # nothing of a shell's, a scheduler's (%j) or str.format's
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_PREFIX = ".hpc-nas-parsl-"


def is_plain(path: Path) -> bool:
    """May this path stand unquoted wherever Parsl and schedulers put it?"""
    return _PLAIN.fullmatch(str(path)) is not None


def check_paths(configuration: Configuration, *, run_dir: Path) -> None:
    """Raises LaunchError for paths with which no worker could be started; what starts a campaign asks this first.

    Blanks, quotes and all else that shells heed are no matter, but for line breaks and what is no text at all.
    """
    for what, path in (
        ("the run directory", run_dir.absolute()),
        ("the working directory", Path.cwd()),
        ("the Python that runs hpc-nas", Path(sys.executable)),
        ("the directory of hpc-nas itself", Path(__file__).parent),
    ):
        if problem := _unspeakable(path):
            raise LaunchError(f"{what}, {str(path)!r}, has {problem} in its path; rename it, or use another")
    if not is_plain(RunDirectory(run_dir).parsl_dir) and not _places(configuration, run_dir=run_dir):
        raise LaunchError(
            f"the run directory, {run_dir.absolute()}, has characters in its path that launchers can't take, and no "
            "directory that can be written has a path without: name a --run-dir of letters, digits and . _ - / only"
        )


@contextmanager
def parsl_directory(configuration: Configuration, *, directory: RunDirectory) -> Iterator[Path]:
    """Parsl's directory for as long as it runs. Its files are found under `directory.parsl_dir` then and afterwards.

    Raises LaunchError where there is no place for it.
    """
    own = directory.parsl_dir
    own.mkdir(exist_ok=True)
    _bring_home(own)  # what a killed campaign has left
    if is_plain(own):
        yield own
        return
    private = _make(_places(configuration, run_dir=directory.path))
    taken = [int(entry.name) for entry in own.iterdir() if entry.name.isdecimal()]
    (own / f"{max(taken, default=-1) + 1:03d}").symlink_to(private, target_is_directory=True)
    try:
        yield private
    finally:
        _bring_home(own)


def _unspeakable(path: Path) -> str:
    try:
        text = str(path).encode().decode()
    except UnicodeEncodeError:
        return "bytes that are no UTF-8"
    return "a line break or another control character" if _CONTROL.search(text) else ""


def _places(configuration: Configuration, *, run_dir: Path) -> list[Path]:
    """Directories with plain paths that can be written, the best first."""
    if _is_all_here(configuration):
        candidates = [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]
    else:
        candidates = [*_near(run_dir.absolute()), Path(os.path.expanduser("~"))]
    return [place for place in candidates if is_plain(place) and os.access(place, os.W_OK | os.X_OK)]


def _is_all_here(configuration: Configuration) -> bool:
    platform = configuration.platform
    return platform.placement == Placement.SCRIPT and platform.node_launcher == NodeLauncher.NONE


def _near(run_dir: Path) -> list[Path]:
    """What lies above the run directory on the same file system, the nearest first."""
    there = [path for path in (run_dir, *run_dir.parents) if path.is_dir()]
    device = there[0].stat().st_dev
    return [path for path in there if path.stat().st_dev == device]


def _make(places: list[Path]) -> Path:
    problem = "there is none with a plain path"
    for place in places:
        try:
            return Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))  # 0700
        except OSError as error:
            problem = f"{place}: {error.strerror}"
    raise LaunchError(f"no private directory for Parsl's scripts can be made: {problem}")


def _bring_home(own: Path) -> None:
    """Put the files of each private directory where its link is."""
    for link in own.iterdir():
        if not link.is_symlink() or not (private := link.readlink()).name.startswith(_PREFIX):
            continue
        try:
            link.unlink()
            if private.is_dir():  # else it was another node's, or is gone
                shutil.copytree(private, link, symlinks=True)
                shutil.rmtree(private, ignore_errors=True)
        except (OSError, shutil.Error) as error:
            logger.warning("%s: Parsl's files stay in %s: %s", link, private, error)
            with suppress(OSError):
                link.symlink_to(private)
