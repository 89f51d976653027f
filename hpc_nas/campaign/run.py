"""From a configuration to a finished archive: sets all parts up in order, runs the loop, closes in order.

Everything that can be found wrong is found before a worker group is started: the data, the space, the
strategy, the estimator's settings, the batch size, the launcher, and that a campaign that goes on is the same one.
"""

from __future__ import annotations

import logging
import os
import time
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console

from hpc_nas.campaign.books import Books
from hpc_nas.campaign.checkpoint_store import CheckpointStore
from hpc_nas.campaign.conductor import Conductor
from hpc_nas.campaign.endpoint import Endpoint
from hpc_nas.campaign.groups import GroupPool
from hpc_nas.campaign.handout import HandOut
from hpc_nas.campaign.history_feed import HistoryFeed
from hpc_nas.campaign.history_keeper import HistoryKeeper
from hpc_nas.campaign.log import log_to
from hpc_nas.campaign.losses import LossAssessor
from hpc_nas.campaign.old_groups import OldGroups
from hpc_nas.campaign.opening import Opening, expects_campaign, is_complete
from hpc_nas.campaign.preparation import Prepared, prepare_campaign
from hpc_nas.campaign.progress import Progress
from hpc_nas.campaign.promoter import Promoter
from hpc_nas.campaign.provenance import opened_here
from hpc_nas.campaign.restoring import restored_history, restored_progress, restored_state
from hpc_nas.campaign.resume import OnDifference, check_same_campaign, check_same_data
from hpc_nas.campaign.stop import StopRequest, stop_on_signals
from hpc_nas.campaign.view import make_view
from hpc_nas.campaign.warm_start import earlier_events
from hpc_nas.configuration import Configuration
from hpc_nas.console import plain_console
from hpc_nas.errors import HpcNasError
from hpc_nas.group.connection import ServerKeys, new_keys
from hpc_nas.platforms.addresses import interface_addresses
from hpc_nas.platforms.cluster_checks import check_inside
from hpc_nas.platforms.gpu_check import check_gpus
from hpc_nas.platforms.parsl_config import parsl_config
from hpc_nas.platforms.parsl_session import parsl_session
from hpc_nas.platforms.preflight import check_launcher
from hpc_nas.platforms.walltime import find_deadline
from hpc_nas.records.archive import write_archive
from hpc_nas.records.assembly import assemble
from hpc_nas.records.campaign_lock import batch_job_id
from hpc_nas.records.ledger import CampaignClosed, CampaignOpened, LedgerWriter
from hpc_nas.records.run_directory import RunDirectory
from hpc_nas.training.preparation import DataSummary

logger = logging.getLogger(__name__)

ALREADY_COMPLETE = "complete already"
"""The reason of a process that had nothing to do."""


@dataclass(frozen=True, kw_only=True)
class CampaignResult:
    """How a campaign process ended. `complete` is False when it was stopped: it can be resumed."""

    run_directory: RunDirectory
    complete: bool
    reason: str


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
    RecordError when the disk fails while running. A signal (`stop.SIGNALS`) or the end of the allocation stops it in
    order; what was flushed is kept.
    """
    console = console if console is not None else plain_console()
    resumed = expects_campaign(run_dir, opening)
    if opening is Opening.AUTO and resumed and is_complete(RunDirectory.open(run_dir), configuration):
        return CampaignResult(
            run_directory=RunDirectory.open(run_dir), complete=True, reason=ALREADY_COMPLETE
        )
    going_on = RunDirectory.open(run_dir) if resumed else None
    if going_on is not None:
        going_on.check_not_in_use()
    else:
        RunDirectory(run_dir).check_new()
    check_inside(configuration, environment=os.environ)
    check_gpus(configuration, environment=os.environ)
    check_launcher(configuration)
    prepared = prepare_campaign(configuration, going_on=going_on)
    opened = _opened(configuration, summary=prepared.summary, resumed=resumed)
    if same_data_as is not None:
        check_same_data(same_data_as, opened=opened, then=on_difference)
    if going_on is not None:
        check_same_campaign(going_on, configuration, opened=opened, then=on_difference)
    with ExitStack() as stack:
        if going_on is not None:
            directory = going_on
            stack.enter_context(directory.lock())
        else:
            directory = stack.enter_context(RunDirectory.begin(run_dir))
        stop = stack.enter_context(stop_on_signals())
        if prepared.knowledge.candidates and not directory.warm_start_path.exists():
            directory.publish(directory.warm_start_path, prepared.knowledge.model_dump_json() + "\n")
        # With the lock held: a living campaign's groups read this file. What may differ on resume is written anew.
        # With it a new campaign has begun: whatever is made before it is begun anew after a kill.
        directory.publish(directory.configuration_path, configuration.model_dump_json(indent=2) + "\n")
        log_to(directory.campaign_log_path, console=console, stack=stack)
        run = _set_up(
            configuration, prepared=prepared, directory=directory, opened=opened, stop=stop, stack=stack
        )
        try:
            reason = run.conduct(console)
        except BaseException as error:
            # On the way out even a full disk must not hide the first error.
            with suppress(HpcNasError):
                run.close_books(f"{type(error).__name__}: {error}")
            raise
        run.close_books(reason)
    return CampaignResult(run_directory=directory, complete=run.books.state.complete, reason=reason)


@dataclass(frozen=True, kw_only=True)
class _Run:
    """One campaign process with all its parts, and the run directory locked."""

    configuration: Configuration
    prepared: Prepared
    directory: RunDirectory
    opened: CampaignOpened
    endpoint: Endpoint
    books: Books
    ledger: LedgerWriter
    history: HistoryKeeper
    losses: LossAssessor
    progress: Progress
    stop: StopRequest

    def conduct(self, console: Console) -> str:
        """Settle what an earlier process left, then serve to the end; returns why it ended."""
        section = self.configuration.group
        OldGroups(
            self.books, endpoint=self.endpoint, losses=self.losses, directory=self.directory, stop=self.stop
        ).settle(section)
        if self.books.state.complete or self.stop.reason is not None:
            return "complete" if self.books.state.complete else self.stop.reason or "complete"
        parsl_settings = parsl_config(self.configuration, parsl_dir=self.directory.parsl_dir)
        with (
            parsl_session(parsl_settings, cleanup_s=section.orphan_grace_s / 2),
            make_view(console, title=self.configuration.campaign.name) as view,
        ):
            return Conductor(
                self.configuration,
                books=self.books,
                endpoint=self.endpoint,
                pool=GroupPool(
                    self.directory, configuration=self.configuration, on_excluded=self.books.record
                ),
                losses=self.losses,
                handout=self._handout(),
                feed=HistoryFeed(self.history, send=self.endpoint.send),
                progress=self.progress,
                chance_accuracy=self.prepared.summary.chance_accuracy,
                view=view,
                stop=self.stop,
            ).run()

    def close_books(self, reason: str) -> None:
        """The last line of the ledger, and the archive of all that is recorded."""
        self.ledger.append(CampaignClosed(reason=reason, time_s=time.time()))
        write_archive(assemble(self.directory), self.directory.archive_path)

    def _handout(self) -> HandOut:
        promotion = self.prepared.preset.promotion
        return HandOut(
            self.configuration,
            books=self.books,
            promoter=Promoter(promotion, history=self.history, state=self.books.state),
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
    history = restored_history(configuration, directory=directory)
    stack.callback(history.close)
    history.begin_with(earlier_events(prepared.knowledge))
    history.reconcile(state, can_go_on=lambda number: checkpoints.latest(number) is not None)
    progress = restored_progress(configuration, state=state)
    books = Books(
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
        books=books,
        ledger=ledger,
        history=history,
        losses=LossAssessor(directory, configuration=configuration, preset=prepared.preset),
        progress=progress,
        stop=stop,
    )


def _opened(configuration: Configuration, *, summary: DataSummary, resumed: bool) -> CampaignOpened:
    return opened_here(
        data=asdict(summary),
        resumed=resumed,
        job_id=batch_job_id(os.environ),
        deadline_time=find_deadline(configuration, environment=os.environ, now=time.time()),
    )


def _listen(directory: RunDirectory, *, configuration: Configuration, stack: ExitStack) -> Endpoint:
    """Open the endpoint, with the keys and the port of the campaign before this one if there was one."""
    path = directory.server_keys_path
    keys = ServerKeys.model_validate_json(path.read_bytes()) if path.exists() else new_keys()
    endpoint = Endpoint(keys, addresses=configuration.platform.addresses or interface_addresses())
    stack.callback(endpoint.close)
    directory.publish(path, endpoint.keys.model_dump_json(), mode=0o600)
    directory.publish(directory.connection_path, endpoint.connection.model_dump_json(), mode=0o600)
    return endpoint
