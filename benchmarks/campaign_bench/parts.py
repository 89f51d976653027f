"""The parts of the benchmark: what each measures with, in full and in the quick variant that only tries it out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from benchmarks.bench.campaigns import Setting
from benchmarks.bench.command import Workspace
from benchmarks.bench.environment import DATA_VARIABLE, data_dir
from benchmarks.campaign_bench.appends import measure_appends
from benchmarks.campaign_bench.idle import measure_idle
from benchmarks.campaign_bench.latencies import measure_latencies
from benchmarks.campaign_bench.throughput import measure_throughput
from benchmarks.campaign_bench.values import Appends, Idle, Latencies, Throughput

APPENDS, IDLE, LATENCIES = "appends", "idle", "latencies"
DIGITS, FASHION = "throughput_digits", "throughput_fashion_mnist"
NAMES = (APPENDS, IDLE, LATENCIES, DIGITS, FASHION)
Measured = Appends | Idle | Latencies | Throughput


@dataclass(frozen=True, kw_only=True)
class Part:
    """One measurement; `configuration` is all that its result depends on beside source and machine.

    `skip_reason` is empty for a part that can be measured here.
    """

    configuration: Mapping[str, Any]
    measure: Callable[[Workspace], Measured]
    skip_reason: str = ""


def full_parts(*, repeats: int) -> dict[str, Part]:
    """What the committed report is made from; `repeats` counts the stopping campaigns of the comparisons."""
    return {
        APPENDS: _part(measure_appends, rows=2000, spaced_rows=300, repeats=5),
        IDLE: _part(measure_idle, seconds=10.0, repeats=3),
        LATENCIES: _part(measure_latencies, settings={}, num_candidates={2: 40, 1: 20}, repeats=3),
        DIGITS: _digits({"campaign.num_candidates": 100}, repeats=repeats),
        FASHION: _fashion({"campaign.num_candidates": 40, "data.max_train_samples": 2000}, repeats=repeats),
    }


def quick_parts() -> dict[str, Part]:
    """The same parts with tiny numbers: does everything work? The figures mean nothing."""
    short: dict[str, Setting] = {"training.max_epochs": 8.0}
    few: dict[str, Setting] = {"campaign.num_candidates": 4, "training.max_epochs": 2.0}
    return {
        APPENDS: _part(measure_appends, rows=200, spaced_rows=50, repeats=2),
        IDLE: _part(measure_idle, seconds=2.0, repeats=2),
        LATENCIES: _part(measure_latencies, settings=short, num_candidates={2: 8, 1: 5}, repeats=2),
        DIGITS: _digits({**short, "campaign.num_candidates": 8}, repeats=1),
        FASHION: _fashion({**few, "data.max_train_samples": 500}, repeats=1),
    }


def _part(measure: Callable[..., Measured], **arguments: Any) -> Part:
    return Part(configuration=arguments, measure=partial(measure, **arguments))


def _digits(settings: dict[str, Setting], *, repeats: int) -> Part:
    return _part(
        measure_throughput,
        data="digits",
        file="digits.toml",
        settings=settings,
        repeats=repeats,
    )


def _fashion(settings: dict[str, Setting], *, repeats: int) -> Part:
    """Where the data lie is no part of the configuration: the files are checked by their checksums."""
    arguments: dict[str, Any] = {
        "data": "fashion_mnist",
        "file": "fashion_mnist.toml",
        "repeats": repeats,
    }
    directory = data_dir() / "fashion_mnist"
    reason = f"no Fashion-MNIST files; set {DATA_VARIABLE} to a directory that holds fashion_mnist/"
    placed = {**settings, "data.data_dir": str(directory)}
    return Part(
        configuration={**arguments, "settings": settings},
        measure=partial(measure_throughput, settings=placed, **arguments),
        skip_reason="" if directory.is_dir() else reason,
    )
