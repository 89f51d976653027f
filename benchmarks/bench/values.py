"""What is measured, as frozen values that go into results.json and come back from it."""

from __future__ import annotations

import math
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import ArrayLike
from pydantic import BaseModel, BeforeValidator, ConfigDict

Number = Annotated[float, BeforeValidator(lambda value: math.nan if value is None else value)]
"""A float; NaN stands as null in JSON."""

LEVELS = (0, 1, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 99, 100)
"""The percentiles that are kept of a distribution."""

SHARES = (10, 20, 30)
"""Percent of the best candidates that overlap and gap are taken of."""


class Value(BaseModel):
    """Base of all results."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="null")


class Spread(Value):
    """A distribution of durations in seconds: its count, the percentiles LEVELS, and the usual three."""

    count: int
    median: Number
    p10: Number
    p90: Number
    percentiles: tuple[Number, ...]

    @classmethod
    def of(cls, values: ArrayLike) -> Self:
        """Of all finite values; NaN throughout where there are none."""
        array = np.asarray(values, dtype=np.float64)
        known = array[np.isfinite(array)]
        found = np.percentile(known, LEVELS) if len(known) else np.full(len(LEVELS), np.nan)
        percentiles = tuple(float(f"{value:.6g}") for value in found)
        at = dict(zip(LEVELS, percentiles, strict=True))
        return cls(count=len(known), median=at[50], p10=at[10], p90=at[90], percentiles=percentiles)


class Conditions(Value):
    """Under what a part was measured; `key` names source, configuration and machine in one word."""

    key: str
    commit: str
    environment: dict[str, Any]
    configuration: dict[str, Any]
    started: str
    duration_s: float
    background_cpu_percent: float  # of all cores, in the seconds before the part began


class Appends(Value):
    """Append and flush of one observation: back to back, and with 10 ms of work between; one per repeat."""

    filesystem: str
    back_to_back: tuple[Spread, ...]
    spaced: tuple[Spread, ...]


class IdleWindow(Value):
    """CPU time of an idle group over one window, percent of one core; trainers by rank."""

    seconds: float
    estimator_percent: float
    trainers_percent: tuple[float, ...]


class Idle(Value):
    """One real group with nothing to do."""

    windows: tuple[IdleWindow, ...]


class CampaignLatencies(Value):
    """How quickly the parts of one campaign answered each other."""

    num_candidates: int
    num_signals: int
    trainer_busy_percent: Number
    batch_s: Spread  # the last batch of each attempt
    decided_to_left_s: Spread
    beyond_batch_s: Spread
    decided_to_sent_s: Spread
    sent_to_seen_s: Spread
    seen_to_left_s: Spread
    handover_s: Spread
    left_to_received_s: Spread
    received_to_first_batch_s: Spread
    read_lag_s: Spread
    fit_s: Spread


class Shape(Value):
    """Campaigns with the same number of ranks in their group: each repeat, and all of them pooled."""

    num_ranks: int
    repeats: tuple[CampaignLatencies, ...]
    pooled: CampaignLatencies


class Latencies(Value):
    """Campaigns of several shapes, the usual one first."""

    shapes: tuple[Shape, ...]


class Run(Value):
    """One campaign of the comparison. `steady_s`: first batch of the first candidate to the last trainer's leaving.

    `left_s[i]` is when the i-th candidate was left, in seconds after that first batch.
    """

    label: str
    elapsed_s: float
    steady_s: float
    epochs_trained: float
    trainer_s: float  # spent training and validating, all trainers together
    trainer_busy_percent: Number
    outcomes: dict[str, int]
    fit_s: Spread
    left_s: tuple[float, ...]


class Quality(Value):
    """A run's estimates against the truth, over the candidates that have both; tuples follow SHARES."""

    num_candidates: int
    excluded: tuple[int, ...]
    overlap: tuple[float, ...]
    gap: tuple[float, ...]
    kendall_tau: Number
    regret: float
    epochs: float
    epochs_saved_percent: float  # against the full budget, over the same candidates
    numbers: tuple[int, ...]
    estimates: tuple[float, ...]
    accuracies: tuple[float, ...]


class CurveCheck(Value):
    """Are a run's curves bitwise the beginnings of the observed ones?"""

    num_candidates: int
    num_observations: int
    differing: tuple[int, ...]


class StopCheck(Value):
    """Did the run decide to stop at the epochs at which the observing one did, and how far did trainers go on?"""

    num_decided: int
    differing: tuple[int, ...]
    mean_overshoot_epochs: Number


class Contender(Value):
    """A stopping preset: its campaigns, and how good the first one's estimates are."""

    preset: str
    runs: tuple[Run, ...]
    quality: Quality
    curves: tuple[CurveCheck, ...]


class Throughput(Value):
    """Two stopping presets and the truth on the same stream of candidates."""

    data: str
    num_candidates: int
    max_epochs: float
    truth: Run
    contenders: tuple[Contender, ...]
    stops: tuple[StopCheck, ...]  # of peng4nn's runs
    curve_file: str
