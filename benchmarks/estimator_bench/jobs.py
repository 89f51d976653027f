"""What has to be measured: rules and forecasters on sets, less what the results already hold."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any, Protocol

from benchmarks.bench.environment import digest_of
from benchmarks.estimator_bench.contenders import AGREEING, REFERENCE, Contender
from benchmarks.estimator_bench.measure import entry_of
from benchmarks.estimator_bench.quality import FORECASTERS, ForecastTask, quality_of
from benchmarks.estimator_bench.sets import BenchSet, content_of, sampled
from benchmarks.estimator_bench.values import EstimatorResults
from hpc_nas.records.curve_set import CurveSet
from hpc_nas.replay.comparison import orders_of
from hpc_nas.replay.score import menndl_epochs
from hpc_nas.replay.work import Plan, gathered, pieces

__all__ = ["Job", "Settings", "Task", "forecast_jobs", "key_of", "replay_jobs", "source_of"]

SEED = 0
FORECAST_COST_MS = 25.0
SOURCES = (
    "estimator/**/*.py",
    "hpc_nas/replay/*.py",
    "hpc_nas/report/metrics.py",
    "benchmarks/estimator_bench/measure.py",
    "benchmarks/estimator_bench/quality.py",
)
PACKAGES = ("numpy", "scipy", "scikit-learn")


def source_of() -> str:
    """One word for the code that replays and forecasts, and for the packages that compute for it."""
    return digest_of([(name, metadata.version(name)) for name in PACKAGES], SOURCES)[:12]


def key_of(source: str, parts: object) -> str:
    """One word for the code and for what it is applied to: while it stays the same nothing is measured again."""
    return digest_of([source, parts], ())[:12]


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """How much is measured. `num_orders` 0: what each contender says; `sample` 0: all candidates."""

    num_orders: int = 0
    sample: int = 120
    forecast_sample: int = 60
    force: bool = False


class Task(Protocol):
    """Some work that can be pickled."""

    @property
    def size(self) -> int: ...

    def work(self) -> Any: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """What is done and saved together. `cost_s` is a rough guess of its CPU time.

    `finish` takes what the tasks gave, in their order, and the CPU time, and adds it to the results.
    """

    label: str
    tasks: Sequence[Task]
    cost_s: float
    finish: Callable[[EstimatorResults, Sequence[Any], float], EstimatorResults]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Wanted:
    contender: Contender
    plan: Plan
    key: str


def replay_jobs(
    part: BenchSet, chosen: Sequence[Contender], *, results: EstimatorResults, settings: Settings, source: str
) -> Iterator[Job]:
    """The replays of one set that are missing; those that share their forecasts are one job."""
    known = results.entries.get(part.curves.name, {})
    sample = sampled(part.curves, num_candidates=settings.sample) if settings.sample else part.curves
    contents = {id(curves): content_of(curves) for curves in (part.curves, sample)}
    menndl = {
        id(curves): functools.cache(functools.partial(menndl_epochs, curves))
        for curves in (part.curves, sample)
    }
    groups: list[list[_Wanted]] = []
    for contender in chosen:
        if contender.needs_train_loss and not part.curves.knows_train_loss:
            continue
        curves = sample if contender.sampled else part.curves
        plan = _plan(contender, curves, settings)
        key = key_of(source, [contents[id(curves)], contender.text, contender.share, plan.orders, SEED])
        if not settings.force and contender.name in known and known[contender.name].key == key:
            continue
        wanted = _Wanted(contender=contender, plan=plan, key=key)
        for group in groups:
            if _share_forecasts(group[0].plan, plan):
                group.append(wanted)
                break
        else:
            groups.append([wanted])
    for group in groups:
        yield _replay_job(group, menndl[id(group[0].plan.curves)], source=source)


def forecast_jobs(
    part: BenchSet, *, results: EstimatorResults, settings: Settings, source: str
) -> Iterator[Job]:
    """The forecasts from a quarter of the curve that are missing, one job for each forecaster."""
    curves = sampled(part.curves, num_candidates=settings.forecast_sample)
    known = results.forecasts.get(curves.name, {})
    content = content_of(curves)
    for name in FORECASTERS:
        key = key_of(source, [content, name])
        if settings.force or name not in known or known[name].key != key:
            yield _forecast_job(curves, name, key=key, source=source)


def _plan(contender: Contender, curves: CurveSet, settings: Settings) -> Plan:
    preset = contender.preset(curves)
    num_orders = 1 if preset.alone else settings.num_orders or contender.num_orders
    orders = orders_of(len(curves), num_orders=num_orders, seed=SEED)
    return Plan(curves=curves, preset=preset, orders=orders)


def _share_forecasts(one: Plan, other: Plan) -> bool:
    return (
        one.curves is other.curves
        and one.preset.alone
        and other.preset.alone
        and one.preset.forecaster == other.preset.forecaster
    )


def _replay_job(group: Sequence[_Wanted], menndl: Callable[[], float], *, source: str) -> Job:
    plans = [wanted.plan for wanted in group]
    curves = plans[0].curves

    def finish(results: EstimatorResults, done: Sequence[Any], cpu_s: float) -> EstimatorResults:
        for wanted, replays in zip(group, gathered(plans, done), strict=True):
            entry = entry_of(
                replays,
                curves,
                menndl_epochs=menndl(),
                key=wanted.key,
                source=source,
                cpu_s=cpu_s / len(group),
                keep_stops=wanted.contender.name in (REFERENCE, AGREEING),
            )
            results = results.with_entry(curves.name, wanted.contender.name, entry)
        return results

    costs = [wanted.contender.cost_ms * wanted.plan.num_curves for wanted in group]
    return Job(
        label=f"{curves.name}: {', '.join(wanted.contender.name for wanted in group)}",
        tasks=pieces(plans),
        cost_s=1e-3 * max(costs),
        finish=finish,
    )


def _forecast_job(curves: CurveSet, name: str, *, key: str, source: str) -> Job:
    def finish(results: EstimatorResults, done: Sequence[Any], cpu_s: float) -> EstimatorResults:
        quality = quality_of(done[0], curves, key=key, source=source, cpu_s=cpu_s)
        return results.with_forecast(curves.name, name, quality)

    return Job(
        label=f"{curves.name}: forecasts by {name}",
        tasks=[ForecastTask(curves=curves, forecaster=name)],
        cost_s=1e-3 * FORECAST_COST_MS * len(curves),
        finish=finish,
    )
