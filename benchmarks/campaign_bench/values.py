"""What is measured of campaigns, as frozen values that go into results.json and come back from it."""

from __future__ import annotations

from typing import TypeVar

from pydantic import Field

from benchmarks.bench.environment import Conditions
from benchmarks.bench.store import Results
from benchmarks.bench.values import Number, Spread, Value

_Result = TypeVar("_Result", bound=Value)


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


class Entry(Value):
    """One part: its conditions and what it gave."""

    conditions: Conditions
    result: Appends | Idle | Latencies | Throughput


class CampaignResults(Results):
    """The whole file. `skipped` gives the reason by part."""

    parts: dict[str, Entry] = Field(default_factory=dict)
    skipped: dict[str, str] = Field(default_factory=dict)

    def result(self, name: str, kind: type[_Result]) -> _Result | None:
        """A part's result, if it was measured."""
        entry = self.parts.get(name)
        return entry.result if entry is not None and isinstance(entry.result, kind) else None

    def with_part(self, name: str, entry: Entry) -> CampaignResults:
        """A copy with this part measured."""
        skipped = {other: reason for other, reason in self.skipped.items() if other != name}
        return self.changed(parts={**self.parts, name: entry}, skipped=skipped)

    def with_skipped(self, name: str, reason: str) -> CampaignResults:
        """A copy with this part skipped; an older result of it is kept."""
        return self.changed(skipped={**self.skipped, name: reason})
