"""A real disk that fills up."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


@contextlib.contextmanager
def tiny_disk(directory: Path, *, num_bytes: int, num_inodes: int = 0) -> Iterator[Path]:
    """A disk of this size, mounted, with room for so many files and directories (0: any).

    Skips where that is not allowed, fails there under CI.
    """
    directory.mkdir(exist_ok=True)
    command = [
        "mount",
        "-t",
        "tmpfs",
        "-o",
        f"size={num_bytes},nr_inodes={num_inodes}",
        "tmpfs",
        str(directory),
    ]
    problem = "only root may mount"
    if os.geteuid() == 0:
        try:
            problem = subprocess.run(command, capture_output=True, text=True, check=False).stderr
        except FileNotFoundError as error:
            problem = str(error)
    if problem:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"no tiny disk: {problem}")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "--lazy", str(directory)], check=True)
