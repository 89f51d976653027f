"""What is measured, as frozen values that go into results.json and come back from it."""

from __future__ import annotations

from collections import Counter

from pydantic import Field

from benchmarks.bench.environment import Conditions
from benchmarks.bench.store import Results
from benchmarks.bench.values import Number, Value


class FrontPoint(Value):
    """i-Epoch at one share of the budget; names as in replay's figures."""

    epochs_used_percent: Number
    overlap_10: Number
    overlap_20: Number
    overlap_30: Number
    regret: Number


class SetInfo(Value):
    """A set of curves. `content` names what it holds in one word."""

    group: str
    content: str
    num_candidates: int
    num_left_out: int
    num_observations: int
    max_epochs: float
    knows_train_loss: bool
    front: tuple[FrontPoint, ...]


class Entry(Value):
    """One rule on one set: replay's figures, the mean over the orders, NAME_std their deviation.

    `key` names all that it depends on in one word, `source` the code. `num_covered` of the `num_intervals`
    90 % intervals of candidates that were stopped in the first order hold the truth. `stops` are the epochs
    that each candidate was trained in the first order, where they are compared between rules.
    """

    key: str
    source: str
    cpu_s: float
    num_candidates: int
    num_orders: int
    figures: dict[str, Number]
    num_intervals: int
    num_covered: int
    stops: tuple[float, ...] = ()


class ForecastQuality(Value):
    """One forecaster on one set, from a quarter of the curve: R^2 and error in points over `num_forecasts`."""

    key: str
    source: str
    cpu_s: float
    num_candidates: int
    num_forecasts: int
    r_squared: Number
    mae: Number
    num_intervals: int
    num_covered: int


class Timing(Value):
    """Durations of one forecast, milliseconds: by the clock, and CPU time; `ratio` is curve_fit's median CPU
    time over this one's.
    """

    name: str
    count: int
    median_ms: Number
    p99_ms: Number
    cpu_median_ms: Number
    cpu_p99_ms: Number
    num_without_forecast: int
    ratio: Number


class BatchSpeed(Value):
    """Every prefix of many curves at once: the fastest of the repeats."""

    num_curves: int
    num_points: int
    num_fits: int
    num_failures: int
    fits_per_s: Number
    fits_per_cpu_s: Number
    ratio: Number  # of the CPU time per fit to curve_fit's median


class ForecastSpeed(Value):
    """All of one run: single forecasts, curve_fit first, and the batch."""

    forecasts: tuple[Timing, ...]
    batch: BatchSpeed


class RefitSpeed(Value):
    """Seconds of one refit of Baker's regression, median and largest of the repeats."""

    regression: str
    num_curves: int
    length: int
    repeats: int
    median_s: float
    largest_s: float


class Speed(Value):
    """All times of one run, so that their ratios mean something."""

    conditions: Conditions
    forecasts: ForecastSpeed
    refits: tuple[RefitSpeed, ...]


class RunInfo(Conditions):
    """One call of the benchmark that measured something; `source` names the code that it was measured with."""

    source: str
    arguments: str
    num_measured: int


class EstimatorResults(Results):
    """The whole file: `entries[set][rule]`, `forecasts[set][forecaster]`, and the reason of what is skipped."""

    runs: tuple[RunInfo, ...] = ()
    sets: dict[str, SetInfo] = Field(default_factory=dict)
    entries: dict[str, dict[str, Entry]] = Field(default_factory=dict)
    forecasts: dict[str, dict[str, ForecastQuality]] = Field(default_factory=dict)
    speed: Speed | None = None
    skipped: dict[str, str] = Field(default_factory=dict)

    @property
    def sources(self) -> dict[str, int]:
        """The code that was measured with: how many results of each."""
        found = [entry.source for entries in self.entries.values() for entry in entries.values()]
        found += [entry.source for entries in self.forecasts.values() for entry in entries.values()]
        return dict(Counter(found))

    def with_entry(self, where: str, name: str, entry: Entry) -> EstimatorResults:
        """A copy with this rule measured on this set."""
        return self.changed(entries={**self.entries, where: {**self.entries.get(where, {}), name: entry}})

    def with_forecast(self, where: str, name: str, quality: ForecastQuality) -> EstimatorResults:
        """A copy with this forecaster measured on this set."""
        known = {**self.forecasts.get(where, {}), name: quality}
        return self.changed(forecasts={**self.forecasts, where: known})
