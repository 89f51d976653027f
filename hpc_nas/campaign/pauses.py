"""What a strategy is told of a pause: when it happens, and again on resume from the ledger."""

from __future__ import annotations

from hpc_nas.campaign.state import CampaignState
from hpc_nas.records.ledger import AttemptInterrupted
from hpc_nas.search.strategy import Strategy
from hpc_nas.values import State


def tell_pause(event: AttemptInterrupted, state: CampaignState, strategy: Strategy) -> None:
    """Tell the strategy if the candidate is paused now that the state has heard of it; else it runs on or again."""
    entry = state.entries[event.candidate]
    if entry.state is State.PAUSED and event.best_accuracy is not None:
        strategy.pause(entry.candidate, epochs=event.epochs, accuracy=event.best_accuracy)
