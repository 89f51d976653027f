"""The commands `hpc-nas replay` and `hpc-nas import`. What is slow to import is imported where it is used."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hpc_nas.console import plain_console

if TYPE_CHECKING:
    from hpc_nas.records.curve_set import CurveSet

__all__ = ["import_app", "replay"]

import_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Curves that others recorded, as a curve file."
)


REPLAY_HELP = "What would these rules have saved on recorded curves, and what would they have lost?"
"""Given to the command: docstrings are gone where Python is told to optimize."""


def replay(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PATH...", help="curve files (.npz, .h5) or run directories"),
    ] = None,
    rules: Annotated[
        list[str] | None,
        typer.Option(
            "--rule",
            metavar="NAME[:key=value,...]",
            help="a preset with its settings, or FILE.py:FUNCTION; repeatable",
        ),
    ] = None,
    orders: Annotated[
        int,
        typer.Option(min=1, help="random orders for rules that look at other candidates; 1: the file's own"),
    ] = 3,
    trainers: Annotated[int, typer.Option(min=1, help="how many candidates train at a time")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="of the random orders")] = 0,
    max_epochs: Annotated[
        float, typer.Option(show_default=False, help="full budget; default: the last epoch recorded")
    ] = math.nan,
    chance_accuracy: Annotated[
        float,
        typer.Option(
            show_default=False,
            help="largest class's share of the validation set, percent; default: as recorded",
        ),
    ] = math.nan,
    sets: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME", help="only this set; repeatable")
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN=NUMBER", help="only candidates with this value; repeatable"),
    ] = None,
    json_path: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="write the figures as JSON; -: print them")
    ] = None,
    per_candidate: Annotated[
        bool, typer.Option("--per-candidate", help="with --json: each candidate's end and estimate as well")
    ] = False,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="draw the Pareto figure (PNG)")] = None,
    processes: Annotated[int, typer.Option(min=0, help="how many work; 0: one per core")] = 0,
    show_list: Annotated[bool, typer.Option("--list", help="show the rules and what they are")] = False,
) -> None:
    """What would these rules have saved on recorded curves, and what would they have lost?"""
    import estimator
    from hpc_nas.replay import command, output

    if show_list:
        plain_console().print(output.preset_table(estimator.presets()))
        return
    request = command.Request(
        paths=tuple(paths or ()),
        rules=tuple(rules or ()),
        sets=tuple(sets or ()),
        where=tuple(where or ()),
        max_epochs=max_epochs,
        chance_accuracy=chance_accuracy,
        num_orders=orders,
        num_trainers=trainers,
        seed=seed,
        num_processes=processes,
    )
    comparison = command.replay(request, console=plain_console(stderr=True))
    if json_path == Path("-"):
        print(output.comparison_json(comparison, per_candidate=per_candidate))
    else:
        plain_console().print(output.comparison_tables(comparison))
        if json_path is not None:
            command.write_json(comparison, json_path, per_candidate=per_candidate)
    if plot is not None:
        from hpc_nas.replay.pareto import draw_pareto

        draw_pareto(comparison, plot)


CurveFileOption = Annotated[
    Path, typer.Option("--output", "-o", metavar="FILE", help="the curve file to write, .h5 or .npz")
]


@import_app.command("penguin", help="PENGUIN's text files, one network each.")
def import_penguin_files(
    path: Annotated[Path, typer.Argument(metavar="DIR", help="directory of PENGUIN's .txt files")],
    output: CurveFileOption,
) -> None:
    """PENGUIN's text files, one network each."""
    from hpc_nas.records.importers import import_penguin

    _save_curves(import_penguin(path), output)


@import_app.command("a4nn", help="A4NN's training tables, one search each.")
def import_a4nn_tables(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH...", help="A4NN's training tables (.csv), or directories")
    ],
    output: CurveFileOption,
) -> None:
    """A4NN's training tables, one search each."""
    from hpc_nas.records.importers import import_a4nn

    _save_curves(import_a4nn(paths), output)


def _save_curves(sets: Sequence[CurveSet], path: Path) -> None:
    from hpc_nas.records.curve_writer import save_curve_sets

    save_curve_sets(sets, path)
    for part in sets:
        complete = int(part.finished.sum())
        print(f"{part.name}: {len(part)} candidates, {complete} complete, {part.max_epochs:g} epochs")
    print(f"wrote {path}")
