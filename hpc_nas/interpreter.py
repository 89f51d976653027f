"""Python processes of our own: none imports from the user's working directory, or from beside a script of ours.

`python -m` and `-c` put the working directory first on the path, and a script its own directory: a user's
`random.py` would then end every process. `-P` does neither, and the processes that Python's multiprocessing starts
inherit it; PYTHONSAFEPATH would be inherited by what a user's own code starts, too.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager

__all__ = ["leave_working_directory", "python_line", "safe_children"]

PATH_VARIABLE, SAFE_VARIABLE = "PYTHONPATH", "PYTHONSAFEPATH"


def python_line(*arguments: str) -> list[str]:
    """The command line of a process of this Python; every one that we start is composed here."""
    return [sys.executable, "-P", *arguments]


@contextmanager
def safe_children() -> Iterator[None]:
    """Meanwhile what multiprocessing starts from this process is as safe, where this one was started without -P."""
    before = os.environ.get(SAFE_VARIABLE)
    os.environ[SAFE_VARIABLE] = "1"
    try:
        yield
    finally:
        os.environ.pop(SAFE_VARIABLE)
        if before is not None:
            os.environ[SAFE_VARIABLE] = before


def leave_working_directory(environment: MutableMapping[str, str], *, path: list[str]) -> None:
    """Drop the empty entries of PYTHONPATH, which mean the working directory: `PYTHONPATH=$PYTHONPATH:/mine` has one.

    What is named stays. `path` is this process's own sys.path; the processes that it starts inherit `environment`.
    """
    said = environment.get(PATH_VARIABLE)
    if said is None:
        return
    named = [entry for entry in said.split(os.pathsep) if entry]
    if len(named) == len(said.split(os.pathsep)):
        return
    environment[PATH_VARIABLE] = os.pathsep.join(named)
    here = os.getcwd()
    if here not in map(os.path.abspath, named):
        path[:] = [entry for entry in path if entry and os.path.abspath(entry) != here]
