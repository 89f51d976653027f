"""What every command says of itself is what its author wrote; the version; what a shell completes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer

import hpc_nas
from hpc_nas import parsl_command
from hpc_nas.cli import main as cli
from tests.unit.cli_harness import invoke


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """A command and all below it, by the words that call them."""
    yield path, command
    for name, below in getattr(command, "commands", {}).items():
        yield from commands(below, (*path, name))


ALL = dict(commands(typer.main.get_command(cli.app)))


def squeezed(text: str) -> str:
    """Lines are broken where they are long, at hyphens as well."""
    return re.sub(r"\s+", "", text)


@pytest.mark.parametrize("path", list(ALL), ids=" ".join)
def test_help_shows_every_text_as_it_was_written(path: tuple[str, ...]) -> None:
    command = ALL[path]
    done = invoke(*path, "--help")
    assert done.code == 0
    shown = squeezed(done.out)
    assert command.help
    assert squeezed(command.help) in shown
    for parameter in command.params:
        assert parameter.help, parameter.name
        assert squeezed(parameter.help) in shown


def test_all_commands_are_looked_at() -> None:
    assert {("run",), ("finalists",), ("import", "a4nn")} < set(ALL)
    texts = [str(parameter.help) for command in ALL.values() for parameter in command.params]
    assert [text for text in texts if "[" in text], "some text has brackets, which markup would swallow"


def test_overview_cuts_no_command_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert "..." not in invoke("--help").out.partition("Commands:")[2]


def test_texts_of_the_other_command_are_no_markup() -> None:
    assert parsl_command.app.rich_markup_mode is None


def test_version_is_printed() -> None:
    done = invoke("--version")
    assert (done.code, done.out) == (0, f"hpc-nas {hpc_nas.__version__}\n")


# --- completion ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("hpc-nas re", {"report", "replay"}),
        ("hpc-nas import ", {"penguin", "a4nn"}),
        ("hpc-nas run --res", {"--resume"}),
        ("hpc-nas submit --dry", {"--dry-run"}),
    ],
)
def test_shell_completes_commands_and_their_options(
    monkeypatch: pytest.MonkeyPatch, shell: str, typed: str, expected: set[str]
) -> None:
    monkeypatch.setenv("_HPC_NAS_COMPLETE", f"complete_{shell}")
    monkeypatch.setenv("COMP_WORDS", typed)  # bash
    monkeypatch.setenv("COMP_CWORD", str(len(typed.split(" ")) - 1))
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", typed)  # zsh, fish
    monkeypatch.setenv("_TYPER_COMPLETE_FISH_ACTION", "get-args")
    offered = invoke().out
    assert set(re.findall(r"(?<![\w-])(?:--)?[a-z0-9][\w-]*", offered)) >= expected, offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_written_for_a_shell(monkeypatch: pytest.MonkeyPatch, shell: str) -> None:
    monkeypatch.setenv("_HPC_NAS_COMPLETE", f"source_{shell}")
    assert "_HPC_NAS_COMPLETE=complete_" in invoke().out
