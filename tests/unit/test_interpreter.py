"""What lies in the working directory is never imported by a process of ours, however the path was set up."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hpc_nas.interpreter import leave_working_directory, python_line, safe_children

ROOT = Path(__file__).resolve().parents[2] / "hpc_nas"
SHADOWS = ("random", "profile", "estimator", "logging", "typer", "parsl", "hpc_nas")


@pytest.fixture
def shadowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory in which everything has a namesake that ends who imports it."""
    for name in SHADOWS:
        (tmp_path / f"{name}.py").write_text(f"raise SystemExit('imported {name} of the working directory')")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_processes_start_through_the_one_function_that_composes_their_command_line() -> None:
    """Any other place that names the interpreter does so to find what lies beside it, or to say which one it is."""
    lines = {
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in ROOT.rglob("*.py")
        for line in path.read_text().splitlines()
        if "sys.executable" in line and "Path(sys.executable)" not in line and "{sys.executable}" not in line
    }
    assert lines == {'interpreter.py: return [sys.executable, "-P", *arguments]'}


@pytest.mark.parametrize(
    "arguments",
    [
        ("-c", "import random, profile, logging, estimator, hpc_nas, typer, parsl"),
        ("-m", "hpc_nas.records.probe"),
        ("-m", "hpc_nas.platforms.processes.group_agent", "--help"),
        ("-m", "mpi4py", "-c", "import random, profile, logging, estimator"),
        (
            str(ROOT / "platforms" / "processes" / "pool_wrapper.py"),
            sys.executable,
            "-P",
            "-c",
            "import random, estimator",
        ),
        (
            str(ROOT / "platforms" / "processes" / "parent_death.py"),
            sys.executable,
            "-P",
            "-c",
            "import random, estimator",
        ),
    ],
)
def test_process_does_not_import_from_the_working_directory(
    shadowed: Path, arguments: tuple[str, ...]
) -> None:
    done = subprocess.run(python_line(*arguments), capture_output=True, text=True, cwd=shadowed)
    assert "of the working directory" not in done.stderr


@pytest.mark.parametrize("value", [":{mine}", "{mine}:", "{mine}::", ":"])
def test_empty_entry_of_the_users_path_is_not_the_working_directory(
    shadowed: Path, tmp_path_factory: pytest.TempPathFactory, value: str
) -> None:
    mine = tmp_path_factory.mktemp("mine")
    for name in ("logging", "random", "hpc_nas"):  # imported before a line of ours is run
        (shadowed / f"{name}.py").unlink()
    environment = {**os.environ, "PYTHONPATH": value.format(mine=mine)}
    line = [str(Path(sys.executable).with_name("hpc-nas")), "--help"]
    done = subprocess.run(line, capture_output=True, text=True, env=environment)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_the_user_named_stays_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    environment = {"PYTHONPATH": f"/mine:{tmp_path}:"}
    path = ["/bin", "/mine", str(tmp_path), "/lib"]
    leave_working_directory(environment, path=path)
    assert (environment, path) == (
        {"PYTHONPATH": f"/mine:{tmp_path}"},
        ["/bin", "/mine", str(tmp_path), "/lib"],
    )
    named = {"PYTHONPATH": "/mine:."}
    leave_working_directory(named, path=path)
    assert named == {"PYTHONPATH": "/mine:."}


def test_children_of_multiprocessing_are_safe_for_as_long_as_asked(shadowed: Path) -> None:
    program = (
        "import multiprocessing, os, sys; sys.path.pop(0)\n"
        "from hpc_nas.interpreter import safe_children\n"
        "if __name__ == '__main__':\n"
        "    with safe_children():\n"
        "        process = multiprocessing.get_context('spawn').Process(target=os.getpid)\n"
        "        process.start(); process.join()\n"
        "    sys.exit(process.exitcode)\n"
    )
    script = shadowed.parent / "script.py"
    script.write_text(program)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_environment_is_as_it_was_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    with safe_children():
        assert os.environ["PYTHONSAFEPATH"] == "1"
    assert "PYTHONSAFEPATH" not in os.environ
