"""What `hpc-nas replay` does; `cli` parses and prints."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from hpc_nas.errors import ConfigurationError, RecordError
from hpc_nas.replay.comparison import Comparison, compare
from hpc_nas.replay.output import comparison_json
from hpc_nas.replay.rules import default_rules, named_rules
from hpc_nas.replay.sources import Choice, load_sets

__all__ = ["Request", "replay", "write_json"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What the user asked for. `rules` as written, none: the default ones; `num_processes` 0: one per core."""

    paths: tuple[Path, ...]
    rules: tuple[str, ...]
    sets: tuple[str, ...]
    where: tuple[str, ...]
    max_epochs: float
    chance_accuracy: float
    num_orders: int
    num_trainers: int
    seed: int
    num_processes: int


def replay(request: Request, *, console: Console) -> Comparison:
    """Load, replay and score; notes and progress go to `console`. Raises HpcNasError."""
    if not request.paths:
        raise ConfigurationError("name curve files (.npz, .h5) or run directories; --list shows the rules")
    choice = Choice(
        names=request.sets,
        where=tuple(map(_condition, request.where)),
        max_epochs=request.max_epochs,
        chance_accuracy=request.chance_accuracy,
    )
    loaded = load_sets(request.paths, choice)
    for item in loaded:
        if item.num_left_out:
            console.print(
                f"{item.curves.name}: {item.num_left_out} incomplete curves left out, their truth is not known; "
                f"{len(item.curves)} remain",
                highlight=False,
                soft_wrap=True,
            )
    return compare(
        [item.curves for item in loaded],
        named_rules(request.rules) if request.rules else default_rules(),
        num_orders=request.num_orders,
        num_trainers=request.num_trainers,
        seed=request.seed,
        num_processes=request.num_processes or os.cpu_count() or 1,
        console=console,
    )


def write_json(comparison: Comparison, path: Path, *, per_candidate: bool) -> None:
    """Publish the figures as a file, at once or not at all. Raises RecordError."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(
            comparison_json(comparison, per_candidate=per_candidate) + "\n", encoding="utf-8"
        )
        os.replace(temporary, path)
    except OSError as error:
        raise RecordError(f"{path}: can't be written: {error}; choose another --json FILE") from error


def _condition(text: str) -> tuple[str, float]:
    column, equals, value = text.partition("=")
    try:
        number = float(value)
    except ValueError:
        number = None
    if not equals or number is None:
        raise ConfigurationError(f"--where {text}: write COLUMN=NUMBER, such as run_index=0")
    return column.strip(), number
