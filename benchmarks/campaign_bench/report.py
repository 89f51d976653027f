"""report.md: the machine, the aims and what was measured, from results.json alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.bench.report import figures as figure_lines
from benchmarks.bench.report import machine, publish_report, short_commit, table
from benchmarks.campaign_bench.parts import APPENDS, DIGITS, FASHION, IDLE, LATENCIES
from benchmarks.campaign_bench.report_latency import (
    aims_of_appends,
    aims_of_campaigns,
    aims_of_idle,
    append_section,
    idle_section,
    latency_section,
)
from benchmarks.campaign_bench.report_throughput import aims_of_throughput, throughput_section
from benchmarks.campaign_bench.values import Appends, CampaignResults, Idle, Latencies, Throughput
from hpc_nas.report.formatting import duration

_READING = """## How to read this

- Durations are wall-clock times between two clock readings on the same machine; the spread is p10 to p90.
- A trainer always ends the batch that it is in. When within it the signal came is not recorded, so "beyond the
  batch in progress" takes one whole batch off the time until the signal was seen: it is the smallest value that fits
  the record. The line "in all" takes nothing off.
- A row counts as written when its validation ended, so the append itself is part of "row written -> read".
- A group has one estimator rank beside its trainers. Where that makes more ranks than there are cores, trainers
  and estimator wait for each other's time slices; the campaign's own process and Parsl's share the cores as well.
- The steady span of a campaign goes from the first batch of its first candidate to the moment when its last trainer
  is free: Parsl's and MPI's start lie outside, and the wait for the last candidate inside.
- Trainers' share is over each trainer's own span, from its first batch to its leaving of its last candidate; a
  trainer that waits for a core counts as training.
- Overlap: share of the truly best candidates among the best by estimate; a random order gives 10, 20 and 30 %. Equal
  accuracies, which are common on a small validation set, rank by their number. Gap and regret are in points of
  true accuracy. Candidates that failed in either run are left out.
- A single comparison of campaigns has no spread of its own; the ratio of epochs does not depend on the machine.
"""


def write_report(results: CampaignResults, directory: Path, *, figures: Sequence[Path], notice: str) -> Path:
    """Publish report.md in `directory`; `figures` lie beside it, a notice comes first."""
    text = "Written by `make bench` from `results.json`; not edited by hand."
    body = _body(results, figures)
    return publish_report(directory, "Benchmark report", text, notice=notice, body=body)


def _body(results: CampaignResults, figures: Sequence[Path]) -> list[str]:
    lines = _machines(results)
    lines += ["## Aims", "", *table(["figure", "aim", "where", "measured", "aim is"], _aims(results))]
    for name, reason in results.skipped.items():
        lines += [f"Skipped: {name}: {reason}.", ""]
    lines += figure_lines(figures)
    if latencies := results.result(LATENCIES, Latencies):
        lines += latency_section(latencies, cores=_cores(results))
    if appends := results.result(APPENDS, Appends):
        lines += append_section(appends)
    if idle := results.result(IDLE, Idle):
        lines += idle_section(idle)
    for name in (DIGITS, FASHION):
        if throughput := results.result(name, Throughput):
            lines += throughput_section(throughput)
    return [*lines, *_conditions(results), _READING]


def _aims(results: CampaignResults) -> list[list[str]]:
    rows: list[list[str]] = []
    if latencies := results.result(LATENCIES, Latencies):
        rows += aims_of_campaigns(latencies, cores=_cores(results))
    if appends := results.result(APPENDS, Appends):
        rows += aims_of_appends(appends)
    if idle := results.result(IDLE, Idle):
        rows += aims_of_idle(idle)
    for name in (DIGITS, FASHION):
        if throughput := results.result(name, Throughput):
            rows += aims_of_throughput(throughput)
    return rows


def _cores(results: CampaignResults) -> int:
    """Of the machine that the campaigns' latencies were measured on."""
    return int(results.parts[LATENCIES].conditions.environment["cores"])


def _machines(results: CampaignResults) -> list[str]:
    """Usually one; each with the parts that were measured on it."""
    found: dict[str, tuple[dict[str, Any], list[str]]] = {}
    for name, entry in results.parts.items():
        environment = entry.conditions.environment
        found.setdefault(repr(environment), (environment, []))[1].append(name)
    lines = []
    for environment, names in found.values():
        lines += [f"## Machine{'' if len(found) == 1 else ' of ' + ', '.join(names)}", ""]
        lines += machine(environment, remark="; trained on the CPU")
    return lines


def _conditions(results: CampaignResults) -> list[str]:
    rows = []
    for name, entry in results.parts.items():
        conditions = entry.conditions
        rows.append(
            [
                name,
                conditions.started,
                duration(conditions.duration_s),
                short_commit(conditions.commit),
                f"{conditions.background_cpu_percent:.0f} %",
                f"`{_settings(conditions.configuration)}`",
            ]
        )
    header = ["part", "started", "took", "commit", "others' CPU share before", "configuration"]
    return [
        "## Conditions",
        "",
        "Beyond what is listed, campaigns run as `configs/campaigns/*.toml` say, on the default platform "
        "(CPU, one thread per rank). `+` marks a commit with changes on top.",
        "",
        *table(header, rows),
    ]


def _settings(configuration: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in configuration.items() if value != {})
