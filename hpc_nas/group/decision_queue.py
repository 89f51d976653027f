"""Observations waiting to be judged, and what came of them: forecasts run in a thread, the rank's loop does not.

A fit takes milliseconds, now and then a tenth of a second. In a thread of its own it keeps nobody waiting: the
estimator rank goes on handing out candidates and reading rows. Only the judge's arithmetic runs there, and what
becomes known of other candidates is taken in there, between two decisions; MPI, ZeroMQ and HDF5 stay with the
rank's main thread.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import estimator
from hpc_nas.configuration import Mode
from hpc_nas.group.attempt_monitor import AttemptMonitor, Verdict
from hpc_nas.group.protocol import Interrupted
from hpc_nas.records.history_journal import Line, from_line
from hpc_nas.values import Observation, Outcome, Reason, State

SWITCH_INTERVAL_S = 0.0005
_Key = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One observation and what was decided on it; `error` says why a row that can't be was passed over."""

    observation: Observation
    read_lag_s: float
    verdict: Verdict | None
    error: str
    fit_s: float
    decided_time: float


@dataclass(frozen=True, kw_only=True)
class Concluded:
    """An attempt that its trainer has left; all its observations were judged before."""

    trainer: int
    outcome: Outcome
    ended_time: float


@dataclass(frozen=True, kw_only=True)
class SetAside:
    """An attempt that its trainer has left to go on later; all its observations were judged before."""

    interrupted: Interrupted


Result = Judged | Concluded | SetAside
_Queued = Future[Judged] | Future[Concluded] | Future[SetAside | Concluded] | Future[None]


class DecisionQueue:
    """First in, first out: results come in the order in which the work went in.

    `mode_for` says what is done with a decision to stop a candidate, by number. `history_version` is the version
    of the history once all that was queued has been taken in.
    """

    def __init__(self, preset: estimator.Preset, *, mode_for: Callable[[int], Mode]):
        self._preset = preset
        self._mode_for = mode_for
        self._history = estimator.MirroredHistory()  # the thread's
        self._judges: dict[_Key, AttemptMonitor] = {}  # the thread's
        self._pending: deque[_Queued] = deque()
        self.history_version = 0
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="judge")
        # So that the rank's loop gets its turn while a fit computes.
        sys.setswitchinterval(SWITCH_INTERVAL_S)

    def __len__(self) -> int:
        return len(self._pending)

    def learn(self, events: Sequence[Line], *, first_version: int) -> None:
        """Queue what became known after `first_version`; what is known here, and all beyond a gap, is left out."""
        if first_version > self.history_version:
            return
        new = events[self.history_version - first_version :]
        if new:
            self.history_version += len(new)
            self._pending.append(self._thread.submit(self._take_in, new))

    def observe(self, observation: Observation, *, read_lag_s: float) -> None:
        """Queue one row for judging."""
        self._pending.append(self._thread.submit(self._judge, observation, read_lag_s))

    def conclude(
        self, key: _Key, *, trainer: int, state: State, reason: Reason, message: str, ended_time: float
    ) -> None:
        """Queue the end of an attempt: `state` and `reason` are its trainer's word."""

        def conclude() -> Concluded:
            outcome = self._judge_of(key).conclude(state, reason=reason, message=message)
            del self._judges[key]
            return Concluded(trainer=trainer, outcome=outcome, ended_time=ended_time)

        self._pending.append(self._thread.submit(conclude))

    def set_aside(self, interrupted: Interrupted) -> None:
        """Queue the interruption of an attempt; it has been validated at least as far as its rows say.

        A decision that came too late for a trainer that was leaving stands: the rows are not decided on again.
        """
        key = interrupted.candidate, interrupted.attempt

        def set_aside() -> SetAside | Concluded:
            judge = self._judge_of(key)
            del self._judges[key]
            decided = judge.signal
            if decided is not None and decided.action is estimator.Action.STOP:
                outcome = judge.conclude(State.STOPPED, reason=decided.reason)
                return Concluded(trainer=interrupted.trainer, outcome=outcome, ended_time=time.time())
            # A pause can be kept only with something to go on from.
            paused = decided is not None and interrupted.checkpoint is not None
            how = "paused" if paused else interrupted.how
            epochs = max(interrupted.epochs, judge.epochs)
            return SetAside(interrupted=interrupted.model_copy(update={"how": how, "epochs": epochs}))

        self._pending.append(self._thread.submit(set_aside))

    def take(self) -> Result | None:
        """The next result if it is there; never waits."""
        while self._pending and self._pending[0].done():
            result = self._pending.popleft().result()
            if result is not None:
                return result
        return None

    def close(self) -> None:
        """End the thread; what is not judged yet stays unjudged (its rows are in the files)."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _take_in(self, lines: Sequence[Line]) -> None:
        for line in lines:
            self._history.apply(from_line(line))

    def _judge(self, observation: Observation, read_lag_s: float) -> Judged:
        started = time.perf_counter()
        verdict, error = None, ""
        try:
            verdict = self._judge_of((observation.candidate, observation.attempt)).observe(observation)
        except estimator.InvalidObservation as problem:
            error = str(problem)
        return Judged(
            observation=observation,
            read_lag_s=read_lag_s,
            verdict=verdict,
            error=error,
            fit_s=time.perf_counter() - started,
            decided_time=time.time(),
        )

    def _judge_of(self, key: _Key) -> AttemptMonitor:
        """Used by the thread alone."""
        judge = self._judges.get(key)
        if judge is None:
            judge = AttemptMonitor(
                self._preset,
                history=self._history,
                mode=self._mode_for(key[0]),
                candidate=key[0],
                attempt=key[1],
            )
            self._judges[key] = judge
        return judge
