"""The word that ends an attempt between two batches: how the trainer leaves its candidate, and why."""

from __future__ import annotations

from dataclasses import dataclass

from hpc_nas.values import REASONS, Reason, State

LEAVING = (State.STOPPED, State.PAUSED, State.CANCELLED)
"""What a signal can ask for. Paused and cancelled candidates go on later: their state is copied first."""

GOES_ON = frozenset({State.PAUSED, State.CANCELLED})


@dataclass(frozen=True, kw_only=True)
class Signal:
    """Stopped: a rule ends the candidate. Paused: a rule sets it aside. Cancelled: the trainer itself is to leave."""

    state: State
    reason: Reason

    def __post_init__(self) -> None:
        if self.state not in LEAVING:
            raise ValueError(f"a signal can't ask for {self.state}; use one of {', '.join(LEAVING)}")
        if self.reason not in REASONS[self.state]:
            allowed = ", ".join(sorted(REASONS[self.state]))
            raise ValueError(f"{self.state} can't have reason {self.reason}; use one of {allowed}")
