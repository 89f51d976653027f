"""Do the first candidates of a campaign all fail alike? Then the next ones do, too, and it is no use to go on."""

from __future__ import annotations

import re
from collections.abc import Iterable

from hpc_nas.campaign.state import CampaignState
from hpc_nas.errors import TrainingError
from hpc_nas.values import Outcome, State

__all__ = ["FailingAlike", "nothing_trained"]

MIN_FAILURES = 5
"""Fewer may be chance, where half the space does not train."""

_PARTICULAR = re.compile(r"0x[0-9a-fA-F]+|[-+]?\d[\d.,]*(?:[eE][-+]?\d+)?")


class FailingAlike:
    """Looks at the candidates that this process begins with, in the order of their numbers.

    Not in the order of their ends: those that fail end first, whatever becomes of the others. What an earlier process
    saw fail is left out, so that a campaign can be resumed once its fault is mended.
    """

    def __init__(self, state: CampaignState, *, num_trainers: int) -> None:
        self._state = state
        self._count = max(MIN_FAILURES, num_trainers)
        self._first = next(
            (number for number, entry in sorted(state.entries.items()) if entry.outcome is None),
            state.num_drawn,
        )
        self._is_over = any(_is_measured(entry.outcome) for entry in state.entries.values())

    def observed(self) -> None:
        """An attempt was measured: this campaign's networks can be trained."""
        self._is_over = True

    def check(self) -> None:
        """Raises TrainingError, with the first candidate's message, once there are enough of them."""
        if self._is_over:
            return
        outcomes = []
        for number in range(self._first, self._first + self._count):
            entry = self._state.entries.get(number)
            if entry is None or entry.outcome is None:
                return
            outcomes.append(entry.outcome)
            if entry.outcome.state is not State.FAILED or _likeness(entry.outcome) != _likeness(outcomes[0]):
                self._is_over = True
                return
        first = outcomes[0]
        raise TrainingError(
            f"the first {len(outcomes)} candidates all failed alike ({first.reason}), so the campaign ends; "
            f"candidate {first.candidate}: {first.message or 'no message'}. Mend [space], [data] or [training], and "
            "begin anew, or go on with hpc-nas run --resume"
        )


def nothing_trained(outcomes: Iterable[Outcome | None]) -> str:
    """What is to be said of a campaign none of whose candidates was measured; else nothing."""
    ended = [outcome for outcome in outcomes if outcome is not None]
    if not ended or any(_is_measured(outcome) for outcome in ended):
        return ""
    first = ended[0]
    return (
        f"none of the {len(ended)} candidates was trained to a result; candidate {first.candidate} {first.label}: "
        f"{first.message or 'no message'}"
    )


def _is_measured(outcome: Outcome | None) -> bool:
    return outcome is not None and outcome.state in (State.FINISHED, State.STOPPED)


def _likeness(outcome: Outcome) -> tuple[str, str]:
    """Messages differ in sizes, addresses and numbers of candidates."""
    return outcome.label, _PARTICULAR.sub("#", outcome.message)
