"""A campaign in figures: outcomes, epochs saved, the best candidate, throughput and latencies.

`Summary.to_json` is what `hpc-nas report --json` prints; its keys are the fields below, in that order.
A figure that does not exist (no candidate ended, no signal was sent) is NaN here and null there.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hpc_nas.report.audit import Audit, audit
from hpc_nas.report.measure import measure_of
from hpc_nas.report.pareto import FrontMember, pareto_front
from hpc_nas.report.rows import by_trainer, evaluated, ranking, states, texts
from hpc_nas.values import State

if TYPE_CHECKING:
    from hpc_nas.records.archive import CampaignRecord
    from hpc_nas.report.finalists import FinalistFigures

SECONDS_PER_HOUR = 3600.0
ALWAYS_COUNTED = (State.FINISHED, State.STOPPED, State.FAILED, State.CANCELLED)
ONLY_WHILE_RUNNING = (State.QUEUED, State.RUNNING, State.PAUSED)


@dataclass(frozen=True, kw_only=True)
class Best:
    """The candidate with the highest estimate: that estimate, and the best validation accuracy seen, percent.

    For text both are scores, and `perplexity` is that of the best one seen; else NaN.
    """

    candidate: int
    estimate: float
    accuracy: float
    perplexity: float = math.nan


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Median and 90th percentile of `count` durations, seconds."""

    median: float
    p90: float
    count: int


@dataclass(frozen=True, kw_only=True)
class Latencies:
    """How quickly the parts answer each other.

    - `stop_s`: stop signal sent -> the trainer has left the candidate, beyond the batch in progress: from seeing
      the signal to having left, and what the signal took longer to be seen than one batch lasts.
    - `handover_s`: the trainer has left a candidate -> first batch of its next one.
    - `read_lag_s`: observation written -> read by the estimator.
    - `fit_s`: the time that one forecast with its decision took.
    """

    stop_s: Latency
    handover_s: Latency
    read_lag_s: Latency
    fit_s: Latency


@dataclass(frozen=True, kw_only=True)
class Resumptions:
    """How candidates were set aside and went on.

    - `pauses`: how often a rule gave a candidate's trainer to another one.
    - `from_checkpoints`: attempts that went on from a checkpoint, after a pause, a planned end or a loss.
    - `epochs_trained_twice`: epochs of all attempts less what each candidate has reached: 0 after planned ends; what
      a killed trainer had trained since its last validation is not known and not counted.
    """

    pauses: int
    from_checkpoints: int
    epochs_trained_twice: float


@dataclass(frozen=True, kw_only=True)
class Redraws:
    """Draws that were rejected before a candidate was found, and how many of them were beyond the constraints."""

    draws: int
    beyond_limits: int


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The figures of one campaign.

    - `candidates`: how many there are; `outcomes`: how many in each state, by name (finished, stopped, failed and
      cancelled always, queued, running and paused where there are any); they add up to `candidates`.
    - `reasons`: how many ended for each reason, by name.
    - `redraws`: draws that became no candidate.
    - `epochs_trained`: by all attempts of all candidates.
    - `epochs_full`: what the finished and stopped candidates would have cost at `max_epochs` each.
    - `epochs_saved_percent`: 100 (1 - epochs of the finished and stopped candidates / `epochs_full`); a failed or
      cancelled candidate counts neither as cost nor as saving.
    - `objective`: what percentages are: `accuracy`, or scores that stand for `perplexity`.
    - `best`: None while no candidate has an estimate.
    - `pareto`: the candidates that no other one beats in estimate and cost, for MACs and for weights.
    - `elapsed_s`: wall-clock time of the campaign; `candidates_per_hour`: finished and stopped ones over it.
    - `trainer_busy_percent`: time spent training and validating over the steady span, which is, for each trainer
      (group, rank), from the first batch of its first candidate to its leaving of the last one. Start-up and
      the wait for the slowest trainer at the end lie outside.
    - `excluded_nodes`: hosts on which groups died again and again, so that none is started there any more.
    - `audit`: how right the rule in use is, from the candidates that were trained to the end all the same.
    - `finalists`: the best candidates, trained to their full budget after the search; empty where there are none.
    - `problems`: what of the records can't be read and is counted nowhere, in words; empty where all is sound.
    """

    candidates: int
    outcomes: dict[str, int]
    reasons: dict[str, int]
    redraws: Redraws
    epochs_trained: float
    epochs_full: float
    epochs_saved_percent: float
    objective: str
    best: Best | None
    pareto: tuple[FrontMember, ...]
    elapsed_s: float
    candidates_per_hour: float
    trainer_busy_percent: float
    resumptions: Resumptions
    excluded_nodes: tuple[str, ...]
    latencies: Latencies
    audit: Audit
    finalists: tuple[FinalistFigures, ...]
    problems: tuple[str, ...]

    def to_json(self) -> str:
        """The fields as indented JSON text, NaN as null."""
        return json.dumps(_without_nan(asdict(self)), indent=2, allow_nan=False)


def summarize(record: CampaignRecord, *, finalists: tuple[FinalistFigures, ...] = ()) -> Summary:
    """Count and measure; works on a running campaign's record and on an empty one."""
    done = record.candidates[evaluated(record)]
    max_epochs = float(record.configuration["training"]["max_epochs"])
    epochs_full = max_epochs * len(done)
    best = ranking(record)[:1]
    measure = measure_of(record)
    return Summary(
        candidates=len(record.candidates),
        outcomes=_outcomes(record),
        reasons=_reasons(record),
        redraws=Redraws(
            draws=int(record.candidates["redraws"].sum()),
            beyond_limits=int(record.candidates["beyond_limits"].sum()),
        ),
        epochs_trained=float(np.nansum(record.candidates["epochs_all_attempts"])),
        epochs_full=epochs_full,
        epochs_saved_percent=100.0 * (1.0 - _ratio(float(np.nansum(done["epochs"])), epochs_full)),
        objective=str(measure.objective),
        best=Best(
            candidate=int(best["number"][0]),
            estimate=float(best["estimate"][0]),
            accuracy=float(best["best_accuracy"][0]),
            perplexity=measure.perplexity(float(best["best_accuracy"][0])),
        )
        if len(best)
        else None,
        pareto=pareto_front(record),
        elapsed_s=float(record.elapsed_s),
        candidates_per_hour=SECONDS_PER_HOUR * _ratio(len(done), float(record.elapsed_s)),
        trainer_busy_percent=_busy_percent(record),
        resumptions=Resumptions(
            pauses=int(record.candidates["pauses"].sum()),
            from_checkpoints=int(record.candidates["resumptions"].sum()),
            epochs_trained_twice=float(np.nansum(record.candidates["epochs_twice"])),
        ),
        excluded_nodes=record.excluded_nodes,
        latencies=Latencies(
            stop_s=_latency(_stop_durations(record)),
            handover_s=_latency(_handover_durations(record)),
            read_lag_s=_latency(record.forecasts["read_lag_s"]),
            fit_s=_latency(record.forecasts["fit_s"]),
        ),
        audit=audit(record),
        finalists=finalists,
        problems=record.problems,
    )


def _outcomes(record: CampaignRecord) -> dict[str, int]:
    counts = Counter(states(record))
    always = {str(state): counts[state] for state in ALWAYS_COUNTED}
    return always | {str(state): counts[state] for state in ONLY_WHILE_RUNNING if counts[state]}


def _reasons(record: CampaignRecord) -> dict[str, int]:
    counts = Counter(reason for reason in texts(record.candidates["reason"]) if reason)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _busy_percent(record: CampaignRecord) -> float:
    busy_s = span_s = 0.0
    for rows in by_trainer(record.attempts).values():
        if np.isnan(rows["first_batch_time"]).all():
            continue  # this trainer never got to a first batch
        busy_s += float(np.nansum(rows["train_s"]) + np.nansum(rows["validate_s"]))
        span_s += float(np.nanmax(rows["left_time"]) - np.nanmin(rows["first_batch_time"]))
    return 100.0 * _ratio(busy_s, span_s)


def _stop_durations(record: CampaignRecord) -> NDArray[np.float64]:
    attempts = {
        (int(row["group"]), int(row["candidate"]), int(row["attempt"])): row for row in record.attempts
    }
    durations = []
    for outcome in record.outcomes[record.outcomes["state"] == State.STOPPED.encode()]:
        row = attempts.get((int(outcome["group"]), int(outcome["candidate"]), int(outcome["attempt"])))
        if row is not None:
            unseen_s = row["signal_time"] - outcome["signal_time"] - np.nan_to_num(row["last_batch_s"])
            durations.append(row["left_time"] - row["signal_time"] + max(unseen_s, 0.0))
    return np.array(durations, dtype=np.float64)


def _handover_durations(record: CampaignRecord) -> NDArray[np.float64]:
    parts = [
        rows["first_batch_time"][1:] - rows["left_time"][:-1] for rows in by_trainer(record.attempts).values()
    ]
    return np.concatenate(parts, dtype=np.float64) if parts else np.empty(0)


def _latency(durations: NDArray[np.float64]) -> Latency:
    known = durations[np.isfinite(durations)]
    if not len(known):
        return Latency(median=math.nan, p90=math.nan, count=0)
    median, p90 = np.percentile(known, (50, 90))
    return Latency(median=float(median), p90=float(p90), count=len(known))


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0 else math.nan


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
