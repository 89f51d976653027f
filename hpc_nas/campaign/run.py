"""From a configuration to a finished archive: sets all parts up in order, runs the loop, closes in order.

Everything that can be found wrong is found before a worker group is started: the data, the space, the
strategy, the estimator's settings, the batch size, the launcher, and that a campaign that goes on is the same one.
"""

from __future__ import annotations

import logging
import os
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from hpc_nas.campaign.alike import nothing_trained
from hpc_nas.campaign.checkpoint_store import CheckpointStore
from hpc_nas.campaign.control_loop import ControlLoop
from hpc_nas.campaign.dispatch import Dispatcher
from hpc_nas.campaign.door import raise_descriptor_limit
from hpc_nas.campaign.endpoint import Endpoint
from hpc_nas.campaign.groups import GroupPool
from hpc_nas.campaign.history_feed import HistoryFeed
from hpc_nas.campaign.history_recorder import HistoryRecorder
from hpc_nas.campaign.log import log_to
from hpc_nas.campaign.losses import LossAssessor
from hpc_nas.campaign.opening import Opening, expects_campaign, is_complete
from hpc_nas.campaign.patience import Patience
from hpc_nas.campaign.preparation import Prepared, prepare_campaign
from hpc_nas.campaign.previous_groups import PreviousGroups
from hpc_nas.campaign.progress import Progress
from hpc_nas.campaign.promoter import Promoter
from hpc_nas.campaign.provenance import opened_here
from hpc_nas.campaign.recorder import Recorder
from hpc_nas.campaign.restoring import restored_history, restored_progress, restored_state
from hpc_nas.campaign.resume import OnDifference, check_same_campaign, check_same_data
from hpc_nas.campaign.stop import StopRequest, stop_on_signals
from hpc_nas.campaign.view import make_view
from hpc_nas.campaign.warm_start import earlier_events
from hpc_nas.configuration import Configuration
from hpc_nas.console import plain_console
from hpc_nas.errors import HpcNasError, RecordError
from hpc_nas.group.connection import ServerKeys, new_keys
from hpc_nas.platforms.addresses import check_loopback, listening_addresses
from hpc_nas.platforms.cluster_checks import check_inside
from hpc_nas.platforms.gpu_check import check_gpus
from hpc_nas.platforms.parsl_config import parsl_config
from hpc_nas.platforms.parsl_directory import check_paths, parsl_directory
from hpc_nas.platforms.parsl_session import parsl_session
from hpc_nas.platforms.preflight import check_launcher
from hpc_nas.platforms.scheduler import job_number
from hpc_nas.platforms.walltime import find_deadline
from hpc_nas.records.archive import write_archive
from hpc_nas.records.assembly import assemble
from hpc_nas.records.ledger import CampaignClosed, CampaignOpened, CandidateEnded, LedgerWriter, read_ledger
from hpc_nas.records.run_directory import RunDirectory
from hpc_nas.tasks.registry import DataSummary

logger = logging.getLogger(__name__)

ALREADY_COMPLETE = "complete already"
"""The reason of a process that had nothing to do."""


@dataclass(frozen=True, kw_only=True)
class CampaignResult:
    """How a campaign process ended. `complete` is False when it was stopped: it can be resumed.

    `failure` says that a complete campaign has not a single result, and why; empty where it has.
    """

    run_directory: RunDirectory
    complete: bool
    reason: str
    failure: str = ""


def run_campaign(
    configuration: Configuration,
    *,
    run_dir: Path,
    opening: Opening = Opening.NEW,
    on_difference: OnDifference = OnDifference.REFUSE,
    same_data_as: RunDirectory | None = None,
    console: Console | None = None,
) -> CampaignResult:
    """Run a campaign in `run_dir`, or take up the one that lies there; returns when it has ended.

    `same_data_as` is the campaign that this one rests on, whose data it must have.

    Raises ConfigurationError, DataError, SpaceError, LaunchError before anything is trained, RunDirectoryError
    for a directory that is occupied (by a new one), empty (for one to be resumed), in use, or of another campaign,
    RecordError when the disk fails while running, TrainingError when the first candidates all fail alike. A signal
    (`stop.SIGNALS`) or the end of the allocation stops it in
    order; what was flushed is kept.
    """
    console = console if console is not None else plain_console()
    raise_descriptor_limit()
    resumed = expects_campaign(run_dir, opening)
    if opening is Opening.AUTO and resumed and is_complete(RunDirectory.open(run_dir), configuration):
        directory = RunDirectory.open(run_dir)
        events = read_ledger(directory.ledger_path).events
        ended = [event.outcome for event in events if isinstance(event, CandidateEnded)]
        return CampaignResult(
            run_directory=directory, complete=True, reason=ALREADY_COMPLETE, failure=nothing_trained(ended)
        )
    check_paths(configuration, run_dir=run_dir)
    going_on = RunDirectory.open(run_dir) if resumed else None
    if going_on is not None:
        going_on.check_not_in_use()
    else:
        RunDirectory(run_dir).check_new()
    check_inside(configuration, environment=os.environ)
    check_gpus(configuration, environment=os.environ)
    check_loopback()
    check_launcher(configuration)
    prepared = prepare_campaign(configuration, going_on=going_on)
    opened = _opened(configuration, summary=prepared.summary, resumed=resumed)
    if same_data_as is not None:
        check_same_data(same_data_as, opened=opened, then=on_difference)
    if going_on is not None:
        check_same_campaign(going_on, configuration, opened=opened, then=on_difference)
    with ExitStack() as stack:
        stop = stack.enter_context(stop_on_signals())  # from here on something is begun, and ended in order
        if going_on is not None:
            directory = going_on
            stack.enter_context(directory.lock(job_id=job_number(os.environ)))
        else:
            directory = stack.enter_context(RunDirectory.begin(run_dir, job_id=job_number(os.environ)))
        if prepared.knowledge.candidates and not directory.warm_start_path.exists():
            directory.publish(directory.warm_start_path, prepared.knowledge.model_dump_json() + "\n")
        # With the lock held: a living campaign's groups read this file. What may differ on resume is written anew.
        # With it a new campaign has begun: whatever is made before it is begun anew after a kill.
        directory.publish(directory.configuration_path, configuration.model_dump_json(indent=2) + "\n")
        log_to(directory.campaign_log_path, console=console, stack=stack)
        for warning in prepared.warnings:
            logger.warning("%s", warning)
        run = _set_up(
            configuration, prepared=prepared, directory=directory, opened=opened, stop=stop, stack=stack
        )
        try:
            reason = run.conduct(console)
        except BaseException as error:
            # On the way out even a full disk must not hide the first error.
            with suppress(HpcNasError, OSError):
                run.close(f"{type(error).__name__}: {error}")
            if isinstance(error, OSError):
                raise RecordError(
                    f"{directory.path}: the campaign can't go on: {error}; what was flushed is kept. See to it, then "
                    f"resume with hpc-nas run --resume --run-dir {directory.path}"
                ) from error
            raise
        run.close(reason)
    state = run.recorder.state
    failure = nothing_trained(entry.outcome for entry in state.entries.values()) if state.complete else ""
    return CampaignResult(run_directory=directory, complete=state.complete, reason=reason, failure=failure)


@dataclass(frozen=True, kw_only=True)
class _Run:
    """One campaign process with all its parts, and the run directory locked."""

    configuration: Configuration
    prepared: Prepared
    directory: RunDirectory
    opened: CampaignOpened
    endpoint: Endpoint
    recorder: Recorder
    ledger: LedgerWriter
    history: HistoryRecorder
    losses: LossAssessor
    progress: Progress
    stop: StopRequest
    patience: Patience

    def conduct(self, console: Console) -> str:
        """Settle what an earlier process left, then serve to the end; returns why it ended."""
        section = self.configuration.group
        PreviousGroups(
            self.recorder,
            endpoint=self.endpoint,
            losses=self.losses,
            directory=self.directory,
            stop=self.stop,
        ).settle(section)
        if self.recorder.state.complete or self.stop.reason is not None:
            return "complete" if self.recorder.state.complete else self.stop.reason or "complete"
        with (
            parsl_directory(self.configuration, directory=self.directory) as parsl_dir,
            parsl_session(
                parsl_config(self.configuration, parsl_dir=parsl_dir), cleanup_s=section.orphan_grace_s / 2
            ),
            make_view(console, title=self.configuration.campaign.name) as view,
        ):
            return ControlLoop(
                self.configuration,
                recorder=self.recorder,
                endpoint=self.endpoint,
                pool=GroupPool(
                    self.directory,
                    configuration=self.configuration,
                    patience=self.patience,
                    on_excluded=self.recorder.record,
                ),
                losses=self.losses,
                dispatch=self._dispatch(),
                feed=HistoryFeed(self.history, send=self.endpoint.send),
                progress=self.progress,
                chance_accuracy=self.prepared.summary.chance_accuracy,
                view=view,
                stop=self.stop,
                patience=self.patience,
            ).run()

    def close(self, reason: str) -> None:
        """The last line of the ledger, and the archive of all that is recorded."""
        self.ledger.append(CampaignClosed(reason=reason, time_s=time.time()))
        write_archive(assemble(self.directory), self.directory.archive_path)

    def _dispatch(self) -> Dispatcher:
        promotion = self.prepared.preset.promotion
        return Dispatcher(
            self.configuration,
            recorder=self.recorder,
            promoter=Promoter(promotion, history=self.history, state=self.recorder.state),
            deadline_time=self.opened.deadline_time,
        )


def _set_up(
    configuration: Configuration,
    *,
    prepared: Prepared,
    directory: RunDirectory,
    opened: CampaignOpened,
    stop: StopRequest,
    stack: ExitStack,
) -> _Run:
    """The standing that ledger and journal tell, and everything that works on it."""
    state = restored_state(configuration, directory=directory, strategy=prepared.strategy)
    ledger = stack.enter_context(LedgerWriter(directory.ledger_path))
    ledger.append(opened)
    checkpoints = CheckpointStore(directory.checkpoints_dir, section=configuration.checkpoints)
    checkpoints.sweep(state)
    stack.callback(checkpoints.sweep, state)  # a trainer may have written one after its candidate's end
    history = restored_history(configuration, directory=directory, ledger=ledger)
    stack.callback(history.close)
    history.begin_with(earlier_events(prepared.knowledge))
    history.reconcile(state, can_go_on=lambda number: checkpoints.latest(number) is not None)
    progress = restored_progress(configuration, state=state)
    recorder = Recorder(
        state,
        ledger=ledger,
        history=history,
        checkpoints=checkpoints,
        strategy=prepared.strategy,
        on_outcome=progress.outcome,
    )
    return _Run(
        configuration=configuration,
        prepared=prepared,
        directory=directory,
        opened=opened,
        endpoint=_listen(directory, configuration=configuration, stack=stack),
        recorder=recorder,
        ledger=ledger,
        history=history,
        losses=LossAssessor(directory, configuration=configuration, preset=prepared.preset),
        progress=progress,
        stop=stop,
        patience=Patience(),
    )


def _opened(configuration: Configuration, *, summary: DataSummary, resumed: bool) -> CampaignOpened:
    return opened_here(
        data=summary.as_record(),
        resumed=resumed,
        job_id=job_number(os.environ),
        deadline_time=find_deadline(configuration, environment=os.environ, now=time.time()),
    )


def _listen(directory: RunDirectory, *, configuration: Configuration, stack: ExitStack) -> Endpoint:
    """Open the endpoint, with the keys and the port of the campaign before this one if there was one."""
    path = directory.server_keys_path
    keys = ServerKeys.model_validate_json(path.read_bytes()) if path.exists() else new_keys()
    endpoint = Endpoint(keys, addresses=listening_addresses(configuration))
    stack.callback(endpoint.close)
    directory.publish(path, endpoint.keys.model_dump_json(), mode=0o600)
    directory.publish(directory.connection_path, endpoint.connection.model_dump_json(), mode=0o600)
    return endpoint
