"""The report's sections on throughput: what stopping early gains, and what it costs in quality."""

from __future__ import annotations

import numpy as np

from benchmarks.bench.report import several, table
from benchmarks.bench.values import SHARES
from benchmarks.campaign_bench.values import Contender, Run, Throughput
from hpc_nas.report.formatting import duration, latency, number, percent

SECONDS_PER_HOUR = 3600.0


def hourly_ratios(fast: Contender, slow: Contender) -> list[float]:
    """Candidates per hour over the steady span, `fast` over `slow`, repeat by repeat (same candidates)."""
    return [other.steady_s / mine.steady_s for mine, other in zip(fast.runs, slow.runs, strict=True)]


def aims_of_throughput(result: Throughput) -> list[list[str]]:
    """The row for the table of aims: a figure to report, without a limit."""
    fast, slow = result.contenders
    ratios = hourly_ratios(fast, slow)
    quality = fast.quality
    shares = ", ".join(f"{100 * share:.0f} %" for share in quality.overlap)
    measured = (
        f"{np.median(ratios):.2f} times the candidates per hour; {quality.epochs_saved_percent:.1f} % of the "
        f"full epochs saved; overlap of the best 10/20/30 %: {shares}"
    )
    return [[f"{fast.preset} against {slow.preset}", "reported", _title(result), measured, ""]]


def throughput_section(result: Throughput) -> list[str]:
    """Wall clock, epochs, quality and the checks that the runs are comparable."""
    fast, slow = result.contenders
    return [
        f"## Throughput: {_title(result)}",
        "",
        f"The same {result.num_candidates} candidates, same seeds, at most {result.max_epochs:g} epochs. The truth "
        "is the best accuracy of the observing run (`peng4nn`, mode `observe`), which trains everything to the end.",
        "",
        *_wall_clock(result),
        *_ratios(result, fast, slow),
        *_quality(result),
        *_checks(result),
    ]


def _title(result: Throughput) -> str:
    return f"{result.data}, {result.num_candidates} candidates"


def _wall_clock(result: Throughput) -> list[str]:
    rows = [_run_row(result.truth, "observe", result=result)]
    for contender in result.contenders:
        for index, run in enumerate(contender.runs, start=1):
            name = f"{contender.preset}, run {index}" if len(contender.runs) > 1 else contender.preset
            rows.append(_run_row(run, name, result=result))
    header = [
        "run", "elapsed", "steady span", "candidates/h", "epochs", "trainers at work", "busy", "one forecast",
        "outcomes",
    ]  # fmt: skip
    return table(header, rows)


def _run_row(run: Run, name: str, *, result: Throughput) -> list[str]:
    return [
        name,
        duration(run.elapsed_s),
        duration(run.steady_s),
        number(SECONDS_PER_HOUR * result.num_candidates / run.steady_s, digits=0),
        f"{run.epochs_trained:g}",
        f"{run.trainer_s:.0f} s",
        percent(run.trainer_busy_percent),
        latency(run.fit_s.median),
        ", ".join(f"{count} {name}" for name, count in run.outcomes.items()),
    ]


def _ratios(result: Throughput, fast: Contender, slow: Contender) -> list[str]:
    elapsed = [other.elapsed_s / mine.elapsed_s for mine, other in zip(fast.runs, slow.runs, strict=True)]
    work = [other.trainer_s / mine.trainer_s for mine, other in zip(fast.runs, slow.runs, strict=True)]
    full = [result.truth.steady_s / run.steady_s for run in fast.runs]
    mine, other = fast.runs[0].epochs_trained, slow.runs[0].epochs_trained
    rows = [
        ["candidates per hour, steady span", several(hourly_ratios(fast, slow), digits=2)],
        ["candidates per hour, start-up included", several(elapsed, digits=2)],
        ["trainers' time at work", several(work, digits=2)],
        ["epochs", number(other / mine, digits=2)],
        ["candidates per hour, steady span, against the full training", several(full, digits=2)],
    ]
    return [
        *table([f"{fast.preset} against {slow.preset}: how many times better", "value"], rows),
        f"Epochs saved against {slow.preset}: {percent(100 * (1 - mine / other))}, all candidates counted.",
        "",
    ]


def _quality(result: Throughput) -> list[str]:
    header = ["estimates against the truth", *(contender.preset for contender in result.contenders)]
    qualities = [contender.quality for contender in result.contenders]
    rows = [
        ["candidates compared", *(f"{q.num_candidates} ({len(q.excluded)} left out)" for q in qualities)],
        ["epochs saved against the full budget", *(percent(q.epochs_saved_percent) for q in qualities)],
    ]
    for index, share in enumerate(SHARES):
        rows.append(
            [
                f"overlap of the best {share} %",
                *(percent(100 * q.overlap[index], digits=0) for q in qualities),
            ]
        )
    for index, share in enumerate(SHARES):
        rows.append([f"gap of means, best {share} %", *(f"{q.gap[index]:.2f} points" for q in qualities)])
    rows += [
        ["Kendall's tau", *(number(q.kendall_tau, digits=3) for q in qualities)],
        ["regret", *(f"{q.regret:.2f} points" for q in qualities)],
    ]
    return table(header, rows)


def _checks(result: Throughput) -> list[str]:
    lines = []
    for contender in result.contenders:
        for check in contender.curves:
            found = f"all {check.num_candidates} curves ({check.num_observations} observations) are"
            if check.differing:
                found = f"**{len(check.differing)} of {check.num_candidates} curves are not** "
                found += f"({_list(check.differing)})"
            lines.append(
                f"- {contender.preset}: {found} bitwise the beginnings of the observing run's curves."
            )
    for stop in result.stops:
        found = "all at the epochs" if not stop.differing else f"**{len(stop.differing)} not** at the epochs"
        lines.append(
            f"- peng4nn decided to stop {stop.num_decided} candidates, {found} at which the observing run did; "
            f"trainers recorded {number(stop.mean_overshoot_epochs, digits=2)} epochs more, on average."
        )
    return [*lines, ""]


def _list(numbers: tuple[int, ...]) -> str:
    listed = ", ".join(str(value) for value in numbers[:10])
    return f"candidates {listed}{', ...' if len(numbers) > 10 else ''}"
