"""The command `hpc-nas submit`: checks all that can be checked here, writes the job script, hands it over."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hpc_nas.cli.options import Force, Settings, new_run_dir, quoted

if TYPE_CHECKING:
    from hpc_nas.configuration import Configuration
    from hpc_nas.platforms.job_script import Submission
    from hpc_nas.tasks.registry import DataSummary


SUBMIT_HELP = "Submit a campaign as a job of the platform's scheduler, or as a chain of jobs."
"""Given to the command: docstrings are gone where Python is told to optimize."""


def submit(
    campaign: Annotated[Path, typer.Argument(help="campaign file (TOML)")],
    platform: Annotated[Path, typer.Option(help="platform file (TOML) that names a scheduler")],
    nodes: Annotated[int | None, typer.Option(min=1, help="short for --set platform.num_nodes=N")] = None,
    walltime: Annotated[
        str | None, typer.Option(metavar="HH:MM:SS", help="short for --set platform.walltime=...")
    ] = None,
    account: Annotated[str | None, typer.Option(help="short for --set platform.account=...")] = None,
    queue: Annotated[str | None, typer.Option(help="queue or partition; --set platform.queue=...")] = None,
    run_dir: Annotated[
        Path | None, typer.Option(help="default: runs/NAME-TIME; a campaign that lies there goes on")
    ] = None,
    settings: Settings = None,
    chain: Annotated[
        int, typer.Option(min=1, max=1000, help="this many jobs, one after the other, one campaign")
    ] = 1,
    force: Force = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="print the job script, write and submit nothing")
    ] = False,
) -> None:
    """Submit a campaign as a job of the platform's scheduler, or as a chain of jobs."""
    from hpc_nas.configuration import load_configuration
    from hpc_nas.configuration.file_kind import check_campaign_file
    from hpc_nas.platforms.job_script import Submission, job_script
    from hpc_nas.platforms.parsl_directory import check_paths
    from hpc_nas.platforms.scheduler import SCHEDULERS
    from hpc_nas.platforms.submission import check_can_submit, submit_chain

    overrides = list(settings or [])
    overrides += [f"platform.num_nodes={nodes}"] if nodes is not None else []
    for key, value in (("walltime", walltime), ("account", account), ("queue", queue)):
        overrides += [f"platform.{key}={json.dumps(value)}"] if value is not None else []
    check_campaign_file(campaign)
    configuration = load_configuration(campaign, platform_path=platform, settings=tuple(overrides))
    if run_dir is None:
        run_dir = new_run_dir(configuration.campaign.name)
    submission = Submission(
        command=(str(Path(sys.executable).parent / "hpc-nas"),),
        working_dir=Path.cwd(),
        campaign_path=campaign.absolute(),
        platform_path=platform.absolute(),
        run_dir=run_dir.absolute(),
        settings=tuple(overrides),
        flags=("--force",) if force else (),
    )
    text = job_script(configuration, submission)
    check_paths(configuration, run_dir=submission.run_dir)
    if dry_run:
        print(text, end="")
        return
    scheduler = SCHEDULERS[configuration.platform.scheduler]
    check_can_submit(scheduler)
    _check_run_dir(configuration, submission)
    summary = _check_campaign(configuration, submission)
    _check_provenance(configuration, submission, summary=summary)
    script = _write(submission.jobs_dir / f"job.{scheduler.extension}", text)
    print(f"campaign {configuration.campaign.name} in {run_dir}, script {script}")
    for job in submit_chain(scheduler, script=script, length=chain, working_dir=submission.working_dir):
        print(f"job {job}")
    print(f"look at it: hpc-nas status {quoted(run_dir)}; what the jobs print: {submission.jobs_dir}")


def _check_run_dir(configuration: Configuration, submission: Submission) -> None:
    """Raises RunDirectoryError for a directory that a job could not use, before it has waited in a queue."""
    from hpc_nas.campaign.resume import check_same_configuration
    from hpc_nas.records.run_directory import RunDirectory

    directory = RunDirectory(submission.run_dir)
    if directory.holds_campaign():
        if "--force" not in submission.flags:
            check_same_configuration(directory, configuration)
        with directory.lock():  # a campaign that lives refuses here; it needs its jobs, not more of them
            return
    directory.check_new()


def _check_campaign(configuration: Configuration, submission: Submission) -> DataSummary:
    """What `run` checks before it starts anything; the data set comes into the cache, which a job may not reach."""
    from hpc_nas.campaign.preparation import prepare_campaign
    from hpc_nas.records.run_directory import RunDirectory

    directory = RunDirectory(submission.run_dir)
    prepared = prepare_campaign(configuration, going_on=directory if directory.holds_campaign() else None)
    for warning in prepared.warnings:
        print(f"WARNING {warning}", file=sys.stderr)
    return prepared.summary


def _check_provenance(configuration: Configuration, submission: Submission, *, summary: DataSummary) -> None:
    """Raises RunDirectoryError for a campaign that was begun with other code or data: a job would see it days later."""
    from hpc_nas.campaign.opening import is_complete
    from hpc_nas.campaign.provenance import opened_here
    from hpc_nas.campaign.resume import OnDifference, check_same_campaign
    from hpc_nas.records.run_directory import RunDirectory

    directory = RunDirectory(submission.run_dir)
    if not directory.holds_campaign() or is_complete(directory, configuration):
        return  # a job that has nothing to do compares nothing
    here = opened_here(data=summary.as_record(), resumed=True)
    force = "--force" in submission.flags
    then = OnDifference.GO_ON if force else OnDifference.REFUSE
    check_same_campaign(directory, configuration, opened=here, then=then)


def _write(path: Path, text: str) -> Path:
    from hpc_nas.errors import RunDirectoryError

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RunDirectoryError(
            f"{path} can't be written: {error.strerror}; name another --run-dir"
        ) from error
    return path
