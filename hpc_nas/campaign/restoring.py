"""What ledger and journal of an earlier campaign process tell: standing, history, strategy and counts as they were."""

from __future__ import annotations

import logging

from hpc_nas.campaign.history_recorder import HistoryRecorder
from hpc_nas.campaign.pauses import tell_pause
from hpc_nas.campaign.progress import Progress
from hpc_nas.campaign.state import CampaignState
from hpc_nas.configuration import Configuration, Mode
from hpc_nas.records.ledger import (
    AttemptInterrupted,
    CandidateDrawn,
    CandidateEnded,
    Event,
    LedgerWriter,
    read_ledger,
)
from hpc_nas.records.run_directory import RunDirectory
from hpc_nas.search.strategy import Strategy

logger = logging.getLogger(__name__)


def restored_state(
    configuration: Configuration, *, directory: RunDirectory, strategy: Strategy
) -> CampaignState:
    """The standing that the ledger tells, in the strategy as well."""
    state = CampaignState(num_candidates=configuration.campaign.num_candidates)
    if directory.ledger_path.exists():
        ledger = read_ledger(directory.ledger_path)
        if ledger.damaged_tail is not None:
            logger.warning("%s: dropped a damaged last line", directory.ledger_path)
        for event in ledger.events:
            _replay(event, state, strategy)
    return state


def _replay(event: Event, state: CampaignState, strategy: Strategy) -> None:
    """The strategy hears of draws, pauses and outcomes in the order in which it heard of them."""
    state.apply(event)
    if isinstance(event, CandidateDrawn):
        strategy.restore(event.candidate)
    elif isinstance(event, AttemptInterrupted):
        tell_pause(event, state, strategy)
    elif isinstance(event, CandidateEnded):
        strategy.tell(state.entries[event.outcome.candidate].candidate, event.outcome)


def restored_history(
    configuration: Configuration, *, directory: RunDirectory, ledger: LedgerWriter
) -> HistoryRecorder:
    """The history that the journal tells, and that goes on behind the ledger."""
    return HistoryRecorder(
        directory.history_path,
        is_audited=lambda number: configuration.mode_for(number) is Mode.OBSERVE,
        before_write=ledger.sync,
    )


def restored_progress(configuration: Configuration, *, state: CampaignState) -> Progress:
    progress = Progress(max_epochs=configuration.max_epochs)
    for entry in state.entries.values():
        if entry.outcome is not None:
            progress.outcome(entry.outcome, restored=True)
    return progress
