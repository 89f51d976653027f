"""Who trains next: quarantined alone, then what waits for another attempt, then promoted ones, then new ones.

A candidate is handed out when a group asks, and a group asks for a few more than it trains (`[group] prefetch`). So a
promotion is weighed against all new candidates that no group holds yet; those that one holds ready are trained first.
One new candidate is drawn while nothing else is to be done, before a group asks: a draw may take a second.
Nothing is handed out that could not end, or be saved, before the group or the campaign must leave.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from hpc_nas.campaign.promoter import Promoter
from hpc_nas.campaign.recorder import Recorder
from hpc_nas.campaign.state import Entry
from hpc_nas.campaign.time_budget import Durations, fits, leaves_at
from hpc_nas.configuration import Configuration
from hpc_nas.group import protocol
from hpc_nas.search.strategy import Supply


class Dispatcher:
    """Chooses the next candidate of a group, and settles the paused ones once the search is over."""

    def __init__(
        self,
        configuration: Configuration,
        *,
        recorder: Recorder,
        promoter: Promoter,
        deadline_time: float | None,
        clock: Callable[[], float] = time.time,
    ):
        self._recorder = recorder
        self._state = recorder.state
        self._promoter = promoter
        self._drain_s = configuration.group.drain_s
        self._can_save = configuration.checkpoints.enabled
        self._draws_ahead = configuration.search.draw_ahead > 0
        self._num_trainers = configuration.group.trainers_per_node
        self._campaign_ends = self._leaves_at(deadline_time)
        self._group_ends: dict[int, float] = {}
        self._clock = clock
        self._durations = Durations()
        self._began: dict[tuple[int, int], float] = {}

    def group_reported(self, group: int, *, deadline_time: float | None) -> None:
        """A group has told when its allocation ends."""
        self._group_ends[group] = self._leaves_at(deadline_time)

    def started(self, message: protocol.Started) -> None:
        """A trainer has taken up a candidate."""
        self._began[message.candidate, message.attempt] = self._clock()

    def left(self, candidate: int, attempt: int) -> None:
        """A trainer has left a candidate with an outcome, or has set it aside."""
        began = self._began.pop((candidate, attempt), None)
        if began is not None:
            self._durations.add(self._clock() - began)

    def next_for(self, group: int) -> Entry | None:
        """The candidate that this group gets now; None: nothing for it at present."""
        in_flight = self._state.in_flight(group)
        if any(entry.quarantined for entry in in_flight):
            return None
        if not self._fits(group, num_ahead=len(in_flight)):
            return None
        if (quarantined := self._state.next_queued(quarantined=True)) is not None and not in_flight:
            return quarantined
        waiting = self._state.next_queued(
            quarantined=False
        )  # those that were drawn ahead have the highest numbers
        if waiting is not None and waiting.attempt >= 0:
            return waiting
        if (promoted := self._promoter.next()) is not None:
            return self._state.entries[promoted]
        return waiting or self._draw()

    @property
    def is_empty(self) -> bool:
        """Is there nothing at present that any group could get?"""
        state = self._state
        if any(state.next_queued(quarantined=quarantined) is not None for quarantined in (False, True)):
            return False
        if state.num_new and self._recorder.supply is not Supply.WAITING:
            return False
        return self._promoter.next() is None

    def draw_ahead(self) -> None:
        """Draw the candidate that is handed out next, if none is there that waits."""
        if self._draws_ahead and self._state.next_queued(quarantined=False) is None:
            self._draw()

    def _draw(self) -> Entry | None:
        supply = self._recorder.supply
        if self._state.num_new and supply is Supply.EXHAUSTED:
            self._recorder.exhaust()
        return self._recorder.draw() if supply is Supply.READY else None

    def settle(self) -> None:
        """If nothing runs, waits, can be drawn or is promoted: what is paused has its outcome."""
        state = self._state
        if not state.paused or state.num_new or state.num_in_flight:
            return
        if any(state.next_queued(quarantined=quarantined) is not None for quarantined in (False, True)):
            return
        if self._promoter.next() is None:
            self._recorder.settle(self._promoter.settle())

    @property
    def is_out_of_time(self) -> bool:
        """Must the campaign leave now, or does nothing run, and nothing fit any more before it must?"""
        if self._clock() >= self._campaign_ends:
            return True
        return not self._state.num_in_flight and not self._fits_before(self._campaign_ends, num_ahead=0)

    def _fits(self, group: int, *, num_ahead: int) -> bool:
        end_time = min(self._campaign_ends, self._group_ends.get(group, math.inf))
        return self._fits_before(end_time, num_ahead=num_ahead)

    def _fits_before(self, end_time: float, *, num_ahead: int) -> bool:
        return fits(
            now=self._clock(),
            end_time=end_time,
            # What can be saved need not end in time.
            forecast_s=None if self._can_save else self._durations.forecast_s,
            num_ahead=num_ahead,
            num_trainers=self._num_trainers,
        )

    def _leaves_at(self, deadline_time: float | None) -> float:
        return math.inf if deadline_time is None else leaves_at(deadline_time, drain_s=self._drain_s)
