"""The command `hpc-nas finalists`: trains the best candidates of a search to the end, tests and saves them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from hpc_nas.cli.options import EXIT_INCOMPLETE, quoted
from hpc_nas.console import plain_console
from hpc_nas.errors import ConfigurationError, TrainingError

__all__ = ["FINALISTS_HELP", "finalists"]

DEFAULT_COUNT = 3


FINALISTS_HELP = (
    "Train the best candidates of a search to the full budget, test them, save and export them.\n\n"
    "Takes up what lies in RUN_DIR/finalists. The search stays as it is."
)
"""Given to the command: docstrings are gone where Python is told to optimize."""


def finalists(
    run_dir: Annotated[Path, typer.Argument(metavar="RUN_DIR", help="the run directory of a search")],
    count: Annotated[
        int | None,
        typer.Option(min=1, help="how many of the best by estimate; default: [finalists] count, or 3"),
    ] = None,
    max_epochs: Annotated[
        float | None,
        typer.Option(help="budget of each; default: [finalists] max_epochs, or that of the search"),
    ] = None,
    platform: Annotated[
        Path | None, typer.Option(help="platform file (TOML); default: where the search ran")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="go on with other code or data than they were begun with")
    ] = False,
) -> None:
    """Train the best candidates of a search to the full budget, test them, save and export them.

    Takes up what lies in RUN_DIR/finalists. The search stays as it is.
    """
    from pydantic import ValidationError

    from hpc_nas.campaign.finalists import run_finalists, stored_section
    from hpc_nas.campaign.resume import OnDifference
    from hpc_nas.configuration import Configuration, load_configuration, read_configuration
    from hpc_nas.records.archive import load_record
    from hpc_nas.records.run_directory import RunDirectory
    from hpc_nas.report.finalists import finalists_of, finalists_table

    configuration = read_configuration(RunDirectory.open(run_dir).configuration_path)
    own = stored_section(run_dir) or configuration.finalists
    wanted = own.model_copy(
        update={
            "count": count or own.count or DEFAULT_COUNT,
            "max_epochs": max_epochs if max_epochs is not None else own.max_epochs,
        }
    )
    tables = configuration.model_dump() | {"finalists": wanted.model_dump()}
    if platform is not None:
        there = load_configuration(None, platform_path=platform)
        tables |= {"platform": there.platform.model_dump(), "group": there.group.model_dump()}
    try:
        configuration = Configuration.model_validate(tables)
    except ValidationError as error:
        raise ConfigurationError("; ".join(map(_said, error.errors()))) from None
    console = plain_console()
    result = run_finalists(
        configuration,
        run_dir=run_dir,
        on_difference=OnDifference.GO_ON if force else OnDifference.REFUSE,
        console=console,
    )
    console.print(finalists_table(finalists_of(run_dir, load_record(run_dir))))
    if not result.complete:
        console.print(
            f"not complete: {result.reason}; go on with: hpc-nas finalists {quoted(run_dir)}",
            highlight=False,
            soft_wrap=True,
        )
        raise typer.Exit(EXIT_INCOMPLETE)
    if result.failure:
        raise TrainingError(result.failure)


def _said(problem: Mapping[str, Any]) -> str:
    where = ".".join(map(str, problem["loc"]))
    message = str(problem["msg"]).removeprefix("Value error, ")
    return f"{where} = {problem['input']!r} is not allowed: {message}" if where else message
