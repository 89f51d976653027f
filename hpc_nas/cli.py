"""The `hpc-nas` command. Only this and the other modules named `cli` print; slow imports stand where they are used."""

from __future__ import annotations

import json
import logging
import shlex
import sys
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

import hpc_nas
from hpc_nas.console import plain_console
from hpc_nas.errors import ConfigurationError, HpcNasError
from hpc_nas.finalists_cli import finalists
from hpc_nas.replay.cli import import_app, replay
from hpc_nas.spaces_cli import space
from hpc_nas.submit_cli import submit

if TYPE_CHECKING:
    from hpc_nas.configuration import Configuration

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,  # what stands in brackets, [platform] for one, is no markup
    pretty_exceptions_enable=False,
)

EXIT_ERROR = 2
EXIT_INCOMPLETE = 3

RunDirectoryArgument = Annotated[
    Path, typer.Argument(metavar="RUN_DIR", help="a run directory, or a campaign.h5 file")
]


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"hpc-nas {hpc_nas.__version__}")
        raise typer.Exit


@app.callback()
def _commands(
    version: Annotated[
        bool,
        typer.Option("--version", help="print the version", is_eager=True, callback=_print_version),
    ] = False,
) -> None:
    """Neural architecture search that spends GPU time only on networks worth it."""


@app.command(short_help="Run a campaign, or take one up again.")
def run(
    campaign: Annotated[
        Path | None, typer.Argument(help="campaign file (TOML); one that goes on needs none, it has its own")
    ] = None,
    platform: Annotated[Path | None, typer.Option(help="platform file (TOML); default: this machine")] = None,
    run_dir: Annotated[Path | None, typer.Option(help="default: runs/NAME-TIME")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="TABLE.KEY=VALUE", help="override a setting; repeatable"),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="short for --set campaign.seed=N")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="where the data set's official files lie")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="go on with the campaign in --run-dir")] = False,
    auto_resume: Annotated[
        bool, typer.Option("--auto-resume", help="go on with the campaign in --run-dir, or begin it there")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="go on with other code, data or settings than it was begun with")
    ] = False,
) -> None:
    """Run a campaign and its finalists, or take one up again after anything."""
    from hpc_nas.campaign.opening import Opening, expects_campaign
    from hpc_nas.campaign.resume import OnDifference
    from hpc_nas.configuration import load_configuration
    from hpc_nas.configuration.file_kind import check_campaign_file

    opening = Opening.RESUME if resume else Opening.AUTO if auto_resume else Opening.NEW
    if opening is not Opening.NEW and run_dir is None:
        raise ConfigurationError(f"--{opening} needs --run-dir: which campaign is to go on?")

    overrides = list(settings or [])
    overrides += [f"campaign.seed={seed}"] if seed is not None else []
    overrides += (
        [f"data.data_dir={json.dumps(str(data_dir), ensure_ascii=False)}"] if data_dir is not None else []
    )
    if campaign is None:
        goes_on = run_dir is not None and expects_campaign(run_dir, opening)
        configuration = _configuration_of(run_dir if goes_on else None, overrides=overrides)
    else:
        check_campaign_file(campaign)
        configuration = load_configuration(campaign, platform_path=platform, settings=tuple(overrides))
    if run_dir is None:
        run_dir = Path("runs") / f"{configuration.campaign.name}-{datetime.now():%Y%m%d-%H%M%S}"

    from hpc_nas.campaign.finalists import run_with_finalists
    from hpc_nas.campaign.run import ALREADY_COMPLETE

    console = plain_console()
    console.print(f"campaign {configuration.campaign.name} in {run_dir}", highlight=False, soft_wrap=True)
    result = run_with_finalists(
        configuration,
        run_dir=run_dir,
        opening=opening,
        on_difference=OnDifference.GO_ON if force else OnDifference.REFUSE,
        console=console,
    )
    if result.reason == ALREADY_COMPLETE:
        console.print(f"{ALREADY_COMPLETE}: every candidate has its outcome, nothing is started")
    _print_result(console, run_dir)
    if not result.complete:
        console.print(
            f"not complete: {result.reason}; go on with: hpc-nas run --resume --run-dir {shlex.quote(str(run_dir))}",
            highlight=False,
            soft_wrap=True,
        )
        raise typer.Exit(EXIT_INCOMPLETE)


@app.command()
def status(run_dir: RunDirectoryArgument) -> None:
    """Show how a running or finished campaign stands."""
    from hpc_nas.records.archive import load_record
    from hpc_nas.report.finalists import finalists_of
    from hpc_nas.report.summary import summarize
    from hpc_nas.report.tables import status_table

    record = load_record(run_dir)
    plain_console().print(status_table(record, summarize(record, finalists=finalists_of(run_dir, record))))


@app.command()
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


@app.command(short_help="Is this machine ready?")
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


app.command(short_help="Train the best candidates to the full budget.")(finalists)
app.command(short_help="Submit a campaign as a job, or as a chain of jobs.")(submit)
app.command(short_help="Draw networks of a search space.")(space)
app.command(short_help="Try rules on recorded curves.")(replay)
app.add_typer(import_app, name="import")


def main() -> None:
    """Entry point: errors raised on purpose become one clear message and exit code 2."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    try:
        app(prog_name="hpc-nas", standalone_mode=True)
    except HpcNasError as error:
        print(f"hpc-nas: {error}", file=sys.stderr)
        sys.exit(EXIT_ERROR)


def _configuration_of(run_dir: Path | None, *, overrides: list[str]) -> Configuration:
    """The configuration of the campaign that goes on there; None: there is none to go on with."""
    from hpc_nas.configuration import read_configuration
    from hpc_nas.records.run_directory import RunDirectory

    if run_dir is None:
        raise ConfigurationError(_how_to_begin())
    if overrides:
        raise ConfigurationError(
            "a campaign that goes on without its file takes no --set, --seed or --data-dir"
        )
    return read_configuration(RunDirectory.open(run_dir).configuration_path)


FIRST_CAMPAIGN = Path("configs", "campaigns", "digits.toml")


def _how_to_begin() -> str:
    """Lines that a shell takes as they are; where there is no file to begin with, they make one."""
    there = FIRST_CAMPAIGN.exists()
    name = FIRST_CAMPAIGN if there else "digits.toml"
    make = "" if there else f"printf '[campaign]\\nname = \"digits\"\\nnum_candidates = 8\\n' > {name} && "
    return (
        "name a campaign file, which says what is searched for and on which data; to begin with one:\n"
        f"  {make}hpc-nas run {name}\n"
        "  hpc-nas run --resume --run-dir RUN_DIR    goes on with a campaign that was stopped\n"
        "  hpc-nas doctor    says whether this machine is ready; hpc-nas run --help: all options"
    )


def _print_result(console: Console, run_dir: Path) -> None:
    from hpc_nas.records.archive import load_record
    from hpc_nas.report.finalists import finalists_of
    from hpc_nas.report.summary import summarize
    from hpc_nas.report.tables import summary_table

    record = load_record(run_dir)
    console.print(summary_table(summarize(record, finalists=finalists_of(run_dir, record))))
    console.print(
        f"plots and tables: hpc-nas report {shlex.quote(str(run_dir))}", highlight=False, soft_wrap=True
    )


if __name__ == "__main__":
    main()
