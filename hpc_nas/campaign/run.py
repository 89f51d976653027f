"""From a configuration to a finished archive: sets all parts up in order, runs the loop, closes in order.

Everything that can be found wrong is found before a worker group is started: the data, the space, the
strategy, the estimator's settings, the batch size, the launcher.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console

import estimator
import hpc_nas
from hpc_nas.campaign.books import Books
from hpc_nas.campaign.conductor import Conductor
from hpc_nas.campaign.endpoint import Endpoint, interface_addresses
from hpc_nas.campaign.groups import GroupPool
from hpc_nas.campaign.history_feed import HistoryFeed
from hpc_nas.campaign.history_keeper import HistoryKeeper
from hpc_nas.campaign.log import log_to
from hpc_nas.campaign.losses import LossAssessor
from hpc_nas.campaign.progress import Progress
from hpc_nas.campaign.provenance import source_commit, versions
from hpc_nas.campaign.resume import OldGroups, check_same_configuration
from hpc_nas.campaign.state import CampaignState
from hpc_nas.campaign.stop import StopRequest, stop_on_signals
from hpc_nas.campaign.view import make_view
from hpc_nas.configuration import Configuration, Mode
from hpc_nas.errors import HpcNasError
from hpc_nas.group.connection import ServerKeys, new_keys
from hpc_nas.group.judge import make_preset
from hpc_nas.platforms.parsl_config import parsl_config
from hpc_nas.platforms.parsl_session import parsl_session
from hpc_nas.platforms.preflight import check_launcher
from hpc_nas.records.archive import write_archive
from hpc_nas.records.assembly import assemble
from hpc_nas.records.ledger import CampaignClosed, CampaignOpened, LedgerWriter, read_ledger
from hpc_nas.records.run_directory import RunDirectory
from hpc_nas.search.registry import make_strategy
from hpc_nas.search.strategy import Strategy
from hpc_nas.spaces.registry import load_space
from hpc_nas.spaces.space import Space
from hpc_nas.training.cache import data_cache_dir
from hpc_nas.training.intervals import check_batches
from hpc_nas.training.preparation import DataSummary, prepare

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class CampaignResult:
    """How a campaign process ended. `complete` is False when it was stopped: it can be resumed."""

    run_directory: RunDirectory
    complete: bool
    reason: str


def run_campaign(
    configuration: Configuration, *, run_dir: Path, resume: bool = False, console: Console | None = None
) -> CampaignResult:
    """Run a campaign in `run_dir`, or take up the one that lies there; returns when it has ended.

    Raises ConfigurationError, DataError, SpaceError, LaunchError before anything is trained, RunDirectoryError
    for a directory that is occupied (without `resume`), empty (with it) or in use, RecordError when the disk
    fails while running. SIGINT and SIGTERM stop in order; what was flushed is kept.
    """
    console = console if console is not None else Console()
    check_launcher(configuration)
    prepared = _prepare(configuration)
    directory = RunDirectory.open(run_dir) if resume else RunDirectory.create(run_dir)
    if resume:
        check_same_configuration(directory, configuration)
    with ExitStack() as stack:
        stack.enter_context(directory.lock())
        stop = stack.enter_context(stop_on_signals())
        # With the lock held: a living campaign's groups read this file. What may differ on resume is written anew.
        directory.publish(directory.configuration_path, configuration.model_dump_json(indent=2) + "\n")
        log_to(directory.campaign_log_path, console=console, stack=stack)
        state = _restore(configuration, directory=directory, strategy=prepared.strategy)
        ledger = stack.enter_context(LedgerWriter(directory.ledger_path))
        ledger.append(_opened(summary=prepared.summary, resumed=resume))
        history = _history(configuration, directory=directory, state=state)
        stack.callback(history.close)
        progress = _progress(configuration, state=state)
        run = _Run(
            configuration=configuration,
            prepared=prepared,
            directory=directory,
            endpoint=_listen(directory, configuration=configuration, stack=stack),
            books=Books(
                state,
                ledger=ledger,
                history=history,
                strategy=prepared.strategy,
                on_outcome=progress.outcome,
            ),
            history=history,
            losses=LossAssessor(directory, configuration=configuration, preset=prepared.preset),
            progress=progress,
            stop=stop,
        )
        try:
            reason = run.conduct(console)
        except HpcNasError as error:
            with suppress(HpcNasError):  # the error itself says more than that its trace can't be kept
                _close_books(directory, ledger=ledger, reason=str(error))
            raise
        _close_books(directory, ledger=ledger, reason=reason)
    return CampaignResult(run_directory=directory, complete=state.complete, reason=reason)


@dataclass(frozen=True, kw_only=True)
class _Prepared:
    """What was checked before anything was written."""

    summary: DataSummary
    preset: estimator.Preset
    strategy: Strategy


@dataclass(frozen=True, kw_only=True)
class _Run:
    """One campaign process with all its parts, and the run directory locked."""

    configuration: Configuration
    prepared: _Prepared
    directory: RunDirectory
    endpoint: Endpoint
    books: Books
    history: HistoryKeeper
    losses: LossAssessor
    progress: Progress
    stop: StopRequest

    def conduct(self, console: Console) -> str:
        """Settle what an earlier process left, then serve to the end; returns why it ended."""
        grace_s = self.configuration.group.orphan_grace_s
        OldGroups(
            self.books, endpoint=self.endpoint, losses=self.losses, directory=self.directory, stop=self.stop
        ).settle(grace_s=grace_s)
        if self.books.state.complete or self.stop.reason is not None:
            return self.stop.reason or "complete"
        parsl_settings = parsl_config(self.configuration, parsl_dir=self.directory.parsl_dir)
        with (
            parsl_session(parsl_settings, cleanup_s=grace_s / 2),
            make_view(console, title=self.configuration.campaign.name) as view,
        ):
            return Conductor(
                self.configuration,
                books=self.books,
                endpoint=self.endpoint,
                pool=GroupPool(self.directory, configuration=self.configuration),
                losses=self.losses,
                feed=HistoryFeed(self.history, send=self.endpoint.send),
                progress=self.progress,
                chance_accuracy=self.prepared.summary.chance_accuracy,
                view=view,
                stop=self.stop,
            ).run()


def _prepare(configuration: Configuration) -> _Prepared:
    summary = prepare(configuration.data, cache_dir=data_cache_dir())
    preset = make_preset(configuration, chance_accuracy=summary.chance_accuracy)
    space = load_space(configuration.space)
    strategy = make_strategy(
        configuration.search, space=space, problem=summary.problem, seed=configuration.campaign.seed
    )
    _check_batch_size(configuration, num_train=summary.num_train, space=space)
    return _Prepared(summary=summary, preset=preset, strategy=strategy)


def _progress(configuration: Configuration, *, state: CampaignState) -> Progress:
    progress = Progress(max_epochs=configuration.max_epochs)
    for entry in state.entries.values():
        if entry.outcome is not None:
            progress.outcome(entry.outcome, restored=True)
    return progress


def _history(configuration: Configuration, *, directory: RunDirectory, state: CampaignState) -> HistoryKeeper:
    """The history that the journal tells, in step with the ledger."""
    history = HistoryKeeper(
        directory.history_path, is_audited=lambda number: configuration.mode_for(number) is Mode.OBSERVE
    )
    history.reconcile(state)
    return history


def _restore(configuration: Configuration, *, directory: RunDirectory, strategy: Strategy) -> CampaignState:
    """The standing that the ledger tells, in the strategy as well."""
    state = CampaignState(num_candidates=configuration.campaign.num_candidates)
    if directory.ledger_path.exists():
        ledger = read_ledger(directory.ledger_path)
        if ledger.damaged_tail is not None:
            logger.warning("%s: dropped a damaged last line", directory.ledger_path)
        for event in ledger.events:
            state.apply(event)
    for number in sorted(state.entries):
        strategy.restore(state.entries[number].candidate, state.entries[number].outcome)
    return state


def _close_books(directory: RunDirectory, *, ledger: LedgerWriter, reason: str) -> None:
    """The last line of the ledger, and the archive of all that is recorded."""
    ledger.append(CampaignClosed(reason=reason, time_s=time.time()))
    write_archive(assemble(directory), directory.archive_path)


def _check_batch_size(configuration: Configuration, *, num_train: int, space: Space) -> None:
    """A batch that does not fit the data would fail every candidate; one that a space draws is its own affair."""
    batch_size = configuration.training.batch_size or space.options.get("batch_size")
    if isinstance(batch_size, int):
        check_batches(num_train, batch_size, configuration.training)


def _opened(*, summary: DataSummary, resumed: bool) -> CampaignOpened:
    return CampaignOpened(
        host=socket.gethostname(),
        pid=os.getpid(),
        hpc_nas_version=hpc_nas.__version__,
        commit=source_commit(),
        versions=versions(),
        data=asdict(summary),
        resumed=resumed,
        time_s=time.time(),
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
