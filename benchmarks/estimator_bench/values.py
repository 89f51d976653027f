"""What is measured, as frozen values that go into results.json and come back from it."""

from __future__ import annotations

from bench.forecast_speed import ForecastSpeed
from bench.values import Conditions, Number, Value

__all__ = ["Entry", "ForecastQuality", "FrontPoint", "RefitSpeed", "SetInfo", "Speed"]


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
