"""Standard output that can't be written is one line and an error; a closed pipe is silence; help has no docstrings."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "hpc_nas"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's")
@pytest.mark.parametrize("arguments", [["--help"], ["space", "--list"], ["replay", "--list"]])
def test_a_full_disk_behind_standard_output_is_said_in_one_line(arguments: list[str]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([*COMMAND, *arguments], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert done.stderr == "hpc-nas: can't write to standard output: No space left on device\n"


def test_a_closed_pipe_is_silent() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [*COMMAND, "space", "--list"], stdout=writing, stderr=subprocess.PIPE, text=True
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


def test_help_is_there_where_python_drops_docstrings() -> None:
    environment = os.environ | {"PYTHONOPTIMIZE": "2"}
    shown = {}
    for optimized in (False, True):
        done = subprocess.run(
            [*COMMAND, "--help"],
            capture_output=True,
            text=True,
            env=environment if optimized else os.environ,
            check=True,
        )
        shown[optimized] = done.stdout
    assert shown[True] == shown[False]
    assert "Draw networks of a search space" in shown[True]
