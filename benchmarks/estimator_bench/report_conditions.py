"""The report's end: machine, sets that are missing, and what took how long."""

from __future__ import annotations

from collections.abc import Iterator

from bench.markdown import table

from estimator_bench.groups import entries_of, shown
from estimator_bench.store import Results
from hpc_nas.report.formatting import duration

__all__ = ["conditions"]


def conditions(results: Results) -> Iterator[str]:
    """Machine, commit, settings, skipped sets, and CPU time by rule."""
    yield from ["## Conditions", ""]
    if results.runs:
        environment = results.runs[-1].environment
        packages = ", ".join(f"{name} {version}" for name, version in environment["versions"].items())
        yield from [
            f"- {environment['cpu']}, {environment['cores']} cores, {environment['memory_gib']} GiB memory",
            f"- {environment['os']}, {environment['kernel']}",
            f"- {packages}",
            "",
        ]
    yield from _runs(results)
    for name, reason in results.skipped.items():
        yield from [f"Skipped: {name}: {reason}.", ""]
    yield from _times(results)


def _runs(results: Results) -> Iterator[str]:
    rows = [
        [
            run.started,
            duration(run.duration_s),
            str(run.num_measured),
            run.commit[:12] + ("+" if run.commit.endswith("+") else ""),
            run.source,
            f"{run.background_cpu_percent:.0f} %",
            f"`{run.arguments}`" if run.arguments else "",
        ]
        for run in results.runs
    ]
    yield from [
        "What is here was measured by these calls; a result stays until its curves, its rule, its orders or the code "
        "change. `+` marks a commit with changes on top. Only the section on speed depends on the machine's load.",
        "",
    ]
    yield from table(
        ["started", "took", "jobs", "commit", "code", "others' CPU share before", "arguments"], rows
    )


def _times(results: Results) -> Iterator[str]:
    """CPU time of each rule over all sets; rules that share forecasts share it."""
    rows = []
    for rule in shown(results):
        entries = entries_of(results, "all", rule.name).values()
        replays = sum(entry.num_candidates * entry.num_orders for entry in entries)
        seconds = sum(entry.cpu_s for entry in entries)
        rows.append([f"`{rule.name}`", f"{seconds:.0f} s", str(replays), f"{1e3 * seconds / replays:.1f} ms"])
    names = dict.fromkeys(name for found in results.forecasts.values() for name in found)
    for name in names:
        items = [found[name] for found in results.forecasts.values() if name in found]
        seconds, count = sum(item.cpu_s for item in items), sum(item.num_candidates for item in items)
        rows.append(
            [f"forecasts by {name}", f"{seconds:.0f} s", str(count), f"{1e3 * seconds / count:.1f} ms"]
        )
    if results.speed is not None:
        rows.append(["speed", f"{results.speed.conditions.duration_s:.0f} s", "", ""])
    yield from [
        "CPU time over all sets; rules that share their forecasts share it evenly. A replayed curve is one candidate "
        "in one order.",
        "",
    ]
    yield from table(["part", "CPU time", "replayed curves", "each"], rows)
