"""Times of forecasts and of refits, all in one run, as ratios to SciPy's curve_fit."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from bench.environment import background_cpu_percent, describe_environment
from bench.forecast_speed import measure_forecast_speed
from bench.srm_speed import measure_srm_speed
from bench.values import Conditions
from threadpoolctl import threadpool_limits

from estimator_bench.values import RefitSpeed, Speed
from hpc_nas.campaign.provenance import source_commit

__all__ = ["FULL", "QUICK", "measure_speed"]

FULL: Mapping[str, int] = {"num_curves": 8, "repeats": 5, "num_refit_curves": 1000, "length": 25}
QUICK: Mapping[str, int] = {"num_curves": 1, "repeats": 1, "num_refit_curves": 60, "length": 10}


def measure_speed(path: Path, configuration: Mapping[str, int], *, key: str) -> Speed:
    """On the recorded curves of `path`; with one thread, and nothing of ours beside it."""
    background = background_cpu_percent()
    print(f"speed: measuring; others use {background:.0f} % of the machine's cores", flush=True)
    started, clock = datetime.now(UTC), time.monotonic()
    with threadpool_limits(limits=1):
        forecasts = measure_forecast_speed(
            path, num_curves=configuration["num_curves"], repeats=configuration["repeats"]
        )
        refits = measure_srm_speed(
            num_curves=configuration["num_refit_curves"],
            length=configuration["length"],
            repeats=configuration["repeats"],
        )
    largest = dict(refits.largest_s)
    conditions = Conditions(
        key=key,
        commit=source_commit(),
        environment=describe_environment(),
        configuration=dict(configuration),
        started=started.isoformat(timespec="seconds"),
        duration_s=round(time.monotonic() - clock, 1),
        background_cpu_percent=background,
    )
    return Speed(
        conditions=conditions,
        forecasts=forecasts,
        refits=tuple(
            RefitSpeed(
                regression=name,
                num_curves=refits.num_curves,
                length=refits.length,
                repeats=refits.repeats,
                median_s=median_s,
                largest_s=largest[name],
            )
            for name, median_s in refits.median_s
        ),
    )
