"""The command `hpc-nas`: all commands by name; those that only show something; errors and exit codes."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import hpc_nas
from hpc_nas.cli.finalists import FINALISTS_HELP, finalists
from hpc_nas.cli.options import EXIT_ERROR, RunDirectoryArgument
from hpc_nas.cli.output import whole_output
from hpc_nas.cli.replay import REPLAY_HELP, import_app, replay
from hpc_nas.cli.run import RUN_HELP, run
from hpc_nas.cli.space import SPACE_HELP, space
from hpc_nas.cli.submit import SUBMIT_HELP, submit
from hpc_nas.console import plain_console
from hpc_nas.errors import HpcNasError
from hpc_nas.platforms.user_name import name_user

if TYPE_CHECKING:
    pass

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,  # what stands in brackets, [platform] for one, is no markup
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"hpc-nas {hpc_nas.__version__}")
        raise typer.Exit


@app.callback(help="Neural architecture search that spends GPU time only on networks worth it.")
def _commands(
    version: Annotated[
        bool,
        typer.Option("--version", help="print the version", is_eager=True, callback=_print_version),
    ] = False,
) -> None:
    """Neural architecture search that spends GPU time only on networks worth it."""


app.command(short_help="Run a campaign, or take one up again.", help=RUN_HELP)(run)


@app.command(help="Show how a running or finished campaign stands.")
def status(run_dir: RunDirectoryArgument) -> None:
    """Show how a running or finished campaign stands."""
    from hpc_nas.records.archive import load_record
    from hpc_nas.report.finalists import finalists_of
    from hpc_nas.report.summary import summarize
    from hpc_nas.report.tables import status_table

    record = load_record(run_dir)
    plain_console().print(status_table(record, summarize(record, finalists=finalists_of(run_dir, record))))


@app.command(help="Tables and plots of a campaign.")
def report(
    run_dir: RunDirectoryArgument,
    as_json: Annotated[bool, typer.Option("--json", help="print the figures as JSON, draw nothing")] = False,
    output: Annotated[Path | None, typer.Option(help="where the plots go; default: RUN_DIR/report")] = None,
) -> None:
    """Tables and plots of a campaign."""
    from hpc_nas.records.archive import load_record
    from hpc_nas.report.finalists import finalists_of
    from hpc_nas.report.summary import summarize

    record = load_record(run_dir)
    summary = summarize(record, finalists=finalists_of(run_dir, record))
    if as_json:
        print(summary.to_json())
        return
    from hpc_nas.report.figures import draw_all
    from hpc_nas.report.tables import report_tables

    console = plain_console()
    console.print(report_tables(record, summary))
    directory = output or (run_dir if run_dir.is_dir() else run_dir.parent) / "report"
    for path in draw_all(record, summary, directory=directory):
        console.print(f"wrote {path}", highlight=False, soft_wrap=True)


@app.command(
    short_help="Is this machine ready?",
    help="Is this machine ready? MPI, GPUs, HDF5 locking, Parsl, scheduler: each OK, or what to do.",
)
def doctor(
    platform: Annotated[Path | None, typer.Option(help="platform file (TOML); default: this machine")] = None,
    directory: Annotated[Path, typer.Option(help="where runs would be written")] = Path(),
) -> None:
    """Is this machine ready? MPI, GPUs, HDF5 locking, Parsl, scheduler: each OK, or what to do."""
    from hpc_nas.configuration import load_configuration
    from hpc_nas.platforms.doctor import examine
    from hpc_nas.report.tables import doctor_table

    findings = examine(load_configuration(None, platform_path=platform), directory=directory)
    plain_console().print(doctor_table(findings))
    if any(finding.failed for finding in findings):
        raise typer.Exit(1)


app.command(short_help="Train the best candidates to the full budget.", help=FINALISTS_HELP)(finalists)
app.command(short_help="Submit a campaign as a job, or as a chain of jobs.", help=SUBMIT_HELP)(submit)
app.command(short_help="Draw networks of a search space.", help=SPACE_HELP)(space)
app.command(short_help="Try rules on recorded curves.", help=REPLAY_HELP)(replay)
app.add_typer(import_app, name="import")


def main() -> None:
    """Entry point: errors raised on purpose become one clear message and exit code 2."""
    name_user(os.environ)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    with whole_output(failure_code=EXIT_ERROR):
        try:
            app(prog_name="hpc-nas", standalone_mode=True)
        except HpcNasError as error:
            print(f"hpc-nas: {error}", file=sys.stderr)
            sys.exit(EXIT_ERROR)


if __name__ == "__main__":
    main()
