"""A signal while a campaign is prepared: the documented exit code and a word, from the command's first line on."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.campaign.harness import QUICK, arguments, environment, wait_for, write_campaign

# Waits for ever, and says that it does; what is put in the way of an import holds the campaign there.
WAITS = """\
import pathlib, time
pathlib.Path({reached!r}).touch()
while True:
    time.sleep(0.01)
"""
# A user's file that keeps whatever it is sent.
KEEPS = """\
import pathlib, time
pathlib.Path({reached!r}).touch()
while True:
    try:
        time.sleep(0.01)
    except BaseException:
        pass
"""


def started(line: list[str], *, extra: dict[str, str] | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        line,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(extra or {}),
        start_new_session=True,
    )


def ended(process: subprocess.Popen[str], reached: Path, signum: signal.Signals) -> str:
    """What it says after the signal; nothing on standard error but that."""
    try:
        wait_for(reached.exists, timeout_s=120, what="the campaign to come so far")
        process.send_signal(signum)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 3, said
    return said


def word(signum: signal.Signals) -> str:
    return (
        f"hpc-nas: not complete: stopped by {signum.name} while the campaign was prepared; nothing is lost, and the "
        "same command starts it again\n"
    )


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"])
def test_signal_while_a_space_is_loaded_ends_with_the_documented_exit_code(tmp_path: Path, name: str) -> None:
    signum, reached, run_dir = signal.Signals[name], tmp_path / "reached", tmp_path / "run"
    space = tmp_path / "space.py"
    space.write_text(WAITS.format(reached=str(reached)))
    text = f'[data]\nname = "digits"\n[space]\nname = "{space}:mine"\n'
    line = arguments(write_campaign(tmp_path / "c.toml", text=text), run_dir)
    assert ended(started(line), reached, signum) == word(signum)
    assert not run_dir.exists()


def test_users_code_can_not_keep_the_signal_to_itself(tmp_path: Path) -> None:
    reached = tmp_path / "reached"
    space = tmp_path / "space.py"
    space.write_text(KEEPS.format(reached=str(reached)))
    text = f'[data]\nname = "digits"\n[space]\nname = "{space}:mine"\n'
    line = arguments(write_campaign(tmp_path / "c.toml", text=text), tmp_path / "run")
    assert ended(started(line), reached, signal.SIGTERM) == word(signal.SIGTERM)


@pytest.mark.parametrize("module", ["typer", "torch", "parsl", "optuna", "zmq"])
def test_signal_during_any_import_ends_with_the_documented_exit_code(tmp_path: Path, module: str) -> None:
    """The first thing that the command imports of others' is typer."""
    reached, first = tmp_path / "reached", tmp_path / "first"
    first.mkdir()
    (first / f"{module}.py").write_text(WAITS.format(reached=str(reached)))
    line = arguments(write_campaign(tmp_path / "c.toml"), tmp_path / "run", *QUICK)
    process = started(line, extra={"PYTHONPATH": str(first)})
    assert ended(process, reached, signal.SIGTERM) == word(signal.SIGTERM)


def test_signal_does_not_make_another_command_a_campaign(tmp_path: Path) -> None:
    reached, first = tmp_path / "reached", tmp_path / "first"
    first.mkdir()
    (first / "typer.py").write_text(WAITS.format(reached=str(reached)))
    line = [str(Path(sys.executable).with_name("hpc-nas")), "status", str(tmp_path)]
    process = started(line, extra={"PYTHONPATH": str(first)})
    wait_for(reached.exists, timeout_s=120, what="the command to come so far")
    process.terminate()
    process.communicate()
    assert process.returncode == -signal.SIGTERM
