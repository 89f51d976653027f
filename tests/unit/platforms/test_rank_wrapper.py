"""The rank_wrapper: a rank's end is its own end, and is written down."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from hpc_nas.platforms.processes import rank_wrapper

WARDEN = Path(rank_wrapper.__file__)
DEADLINE_S = 240.0


def start(directory: Path, program: str, *, rank: str | None = "3", **options: Any) -> subprocess.Popen[str]:
    """A rank_wrapper over a Python program, as a rank of an MPI job."""
    environment = {k: v for k, v in os.environ.items() if k not in rank_wrapper.RANK_VARIABLES}
    if rank is not None:
        environment["PMI_RANK"] = rank
    return subprocess.Popen(
        [sys.executable, str(WARDEN), str(directory), "--", sys.executable, "-c", program],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        **options,
    )


def record(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    assert content.keys() == {"rank", "pid", "exit_code", "time_s"}
    return content


def until_it_forwards(process: subprocess.Popen[str]) -> None:
    """The rank_wrapper takes signals from now on: the kernel says which ones it catches."""
    deadline = time.monotonic() + DEADLINE_S
    caught = 0
    while not caught & (1 << (signal.SIGUSR2 - 1)):
        assert time.monotonic() < deadline
        lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
        caught = next(int(line.split()[1], 16) for line in lines if line.startswith("SigCgt"))


@pytest.mark.parametrize(
    ("program", "code", "returned"),
    [
        ("raise SystemExit(3)", 3, 3),
        ("1 / 0", 1, 1),
        ("import os; os.kill(os.getpid(), 9)", -9, 137),
        ("import os; os.kill(os.getpid(), 15)", -15, 143),
        ("import os; os._exit(9)", 9, 9),
    ],
)
def test_end_of_the_rank_is_passed_on_and_written_down(
    tmp_path: Path, program: str, code: int, returned: int
) -> None:
    before = time.time()
    with start(tmp_path, program, stderr=subprocess.DEVNULL) as process:
        assert process.wait(DEADLINE_S) == returned
    assert [path.name for path in tmp_path.iterdir()] == ["died-3.json"]
    written = record(tmp_path / "died-3.json")
    assert (written["rank"], written["exit_code"]) == ("3", code)
    assert before <= written["time_s"] <= time.time()


def test_rank_that_leaves_in_order_leaves_no_trace(tmp_path: Path) -> None:
    with start(tmp_path, "print('done')") as process:
        assert process.communicate(timeout=DEADLINE_S)[0] == "done\n"
    assert process.returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_rank_is_called_unknown_where_no_launcher_names_it(tmp_path: Path) -> None:
    with start(tmp_path, "raise SystemExit(3)", rank=None) as process:
        process.wait(DEADLINE_S)
    assert record(tmp_path / "died-unknown.json")["rank"] == "unknown"


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGUSR1", "SIGUSR2"])
def test_signal_reaches_the_rank(tmp_path: Path, name: str) -> None:
    program = (
        "import signal, sys\n"
        f"signal.signal(signal.{name}, lambda *_: sys.exit(5))\n"
        "print('ready', flush=True)\n"
        "signal.pause()"
    )
    with start(tmp_path, program) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        until_it_forwards(process)
        process.send_signal(signal.Signals[name])
        assert process.wait(DEADLINE_S) == 5
    assert record(tmp_path / "died-3.json")["exit_code"] == 5


def test_rank_dies_with_its_warden(tmp_path: Path) -> None:
    program = "import os, signal; print(os.getpid(), flush=True); signal.pause()"
    with start(tmp_path, program) as process:
        assert process.stdout is not None
        rank = int(process.stdout.readline())
        process.kill()
        process.wait(DEADLINE_S)
        assert process.stdout.read() == ""  # the pipe ends when its last holder, the rank, has gone
    assert not Path(f"/proc/{rank}/exe").exists()


def test_process_managers_descriptor_belongs_to_the_rank(tmp_path: Path) -> None:
    """MPI's launcher speaks to its ranks through an inherited descriptor (PMI_FD)."""
    reader, writer = os.pipe()
    with start(tmp_path, f"import os; os.write({writer}, b'from the rank')", pass_fds=(writer,)) as process:
        os.close(writer)
        assert process.wait(DEADLINE_S) == 0
    with open(reader, "rb") as pipe:
        assert pipe.read() == b"from the rank"


def test_command_that_cant_be_started_is_an_error(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(WARDEN), str(tmp_path), "--", str(tmp_path / "no-such-program")],
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "no-such-program" in done.stderr


def test_warden_needs_nothing_but_the_standard_library(tmp_path: Path) -> None:
    """It starts before every rank: -I hides all installed packages from it."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(WARDEN), str(tmp_path), "--", "true"], capture_output=True
    )
    assert (done.returncode, done.stderr) == (0, b"")
