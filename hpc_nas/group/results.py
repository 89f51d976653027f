"""What came of judging: into the estimator rank's file, then to the campaign."""

from __future__ import annotations

import math
import time

from hpc_nas.group import protocol
from hpc_nas.group.campaign_session import CampaignSession
from hpc_nas.group.decision_queue import Concluded, Judged, SetAside
from hpc_nas.records.ownership import is_foreign
from hpc_nas.records.rank_file import EstimatorFile
from hpc_nas.values import Observation

_Key = tuple[int, int]


class Results:
    """Records and tells each result of the decisions, and remembers when an attempt was signalled."""

    def __init__(self, file: EstimatorFile, *, session: CampaignSession):
        self._file = file
        self._session = session
        self._times: dict[_Key, tuple[float, float]] = {}  # decided, signal sent

    def signalled(self, key: _Key, *, decided_time: float) -> None:
        """The trainer of this attempt, (candidate, attempt), was just signalled to stop or to pause."""
        self._times[key] = (decided_time, time.time())

    def judged(self, judged: Judged, *, trainer: int | None) -> None:
        """An observation and what was decided on it; `trainer` is None where the attempt is over by now."""
        observation, verdict = judged.observation, judged.verdict
        assert verdict is not None
        self._file.append_forecast(
            candidate=observation.candidate,
            attempt=observation.attempt,
            epoch=observation.epoch,
            decision=verdict.decision,
            history_version=verdict.history_version,
            fit_s=judged.fit_s,
            read_lag_s=judged.read_lag_s,
            time_s=judged.decided_time,
            carried=observation.carried,
        )
        if is_foreign(observation.candidate):
            return  # recorded; it is none of the campaign's
        forecast = verdict.decision.forecast
        value = forecast.value if forecast is not None else None
        self._session.send(_progress(observation, trainer=trainer, forecast=value))

    def concluded(self, concluded: Concluded) -> None:
        """An attempt that is over."""
        outcome = concluded.outcome
        key = (outcome.candidate, outcome.attempt)
        decided_time, signal_time = self._times.pop(key, (math.nan, math.nan))
        self._file.append_outcome(
            outcome,
            trainer=concluded.trainer,
            decided_time=decided_time,
            signal_time=signal_time,
            ended_time=concluded.ended_time,
        )
        self._session.report(protocol.Ended(trainer=concluded.trainer, outcome=outcome))

    def set_aside(self, result: SetAside) -> None:
        """An attempt that is to go on later: it has no outcome, the trainer's own record says how far it came."""
        interrupted = result.interrupted
        self._times.pop((interrupted.candidate, interrupted.attempt), None)
        self._session.report(interrupted)


def _progress(observation: Observation, *, trainer: int | None, forecast: float | None) -> protocol.Progress:
    return protocol.Progress(
        candidate=observation.candidate,
        attempt=observation.attempt,
        trainer=trainer,
        epoch=observation.epoch,
        val_accuracy=observation.val_accuracy,
        val_loss=observation.val_loss,
        train_loss=observation.train_loss,
        train_accuracy=observation.train_accuracy,
        forecast=forecast,
        carried=observation.carried,
    )
