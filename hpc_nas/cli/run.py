"""The command `hpc-nas run`: a campaign and its finalists, begun or gone on with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from hpc_nas.cli.options import EXIT_INCOMPLETE, Force, Settings, new_run_dir, quoted
from hpc_nas.console import plain_console
from hpc_nas.errors import ConfigurationError, TrainingError

if TYPE_CHECKING:
    from hpc_nas.configuration import Configuration

__all__ = ["RUN_HELP", "run"]

RUN_HELP = "Run a campaign and its finalists, or take one up again after anything."
FIRST_CAMPAIGN = Path("configs", "campaigns", "digits.toml")


def run(
    campaign: Annotated[
        Path | None, typer.Argument(help="campaign file (TOML); one that goes on needs none, it has its own")
    ] = None,
    platform: Annotated[Path | None, typer.Option(help="platform file (TOML); default: this machine")] = None,
    run_dir: Annotated[Path | None, typer.Option(help="default: runs/NAME-TIME")] = None,
    settings: Settings = None,
    seed: Annotated[int | None, typer.Option(help="short for --set campaign.seed=N")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="where the data set's official files lie")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="go on with the campaign in --run-dir")] = False,
    auto_resume: Annotated[
        bool, typer.Option("--auto-resume", help="go on with the campaign in --run-dir, or begin it there")
    ] = False,
    force: Force = False,
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
        run_dir = new_run_dir(configuration.campaign.name)

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
            f"not complete: {result.reason}; go on with: hpc-nas run --resume --run-dir {quoted(run_dir)}",
            highlight=False,
            soft_wrap=True,
        )
        raise typer.Exit(EXIT_INCOMPLETE)
    if result.failure:
        raise TrainingError(result.failure)


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
    console.print(f"plots and tables: hpc-nas report {quoted(run_dir)}", highlight=False, soft_wrap=True)
