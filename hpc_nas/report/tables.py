"""Tables for people: a summary, how a campaign stands, its best and its failed candidates, doctor's findings.

All are rich renderables that read well in 80 columns and without a terminal. Text from records is never read
as markup.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from hpc_nas.report.audit_rows import audit_rows
from hpc_nas.report.finalists import finalists_table
from hpc_nas.report.formatting import MISSING, accuracy, count, duration, latency, number, outcome, percent
from hpc_nas.report.front_table import front_table
from hpc_nas.report.measure import measure_of
from hpc_nas.report.pareto import searches_for_front
from hpc_nas.report.rows import by_candidate, counted, curves, ranking, texts
from hpc_nas.report.ruled_table import ruled_table
from hpc_nas.report.summary import Latencies, Resumptions, Summary
from hpc_nas.spaces.objective import Objective
from hpc_nas.values import State

if TYPE_CHECKING:
    from hpc_nas.records.archive import CampaignRecord

NUM_BEST = 10
MAX_FAILED = 20
STATUS_STYLES = {"OK": "green", "WARN": "yellow", "FAIL": "bold red"}
STATE_STYLES = {"finished": "green", "stopped": "cyan", "failed": "red", "running": "bold"}


class Finding(Protocol):
    """What doctor found about one thing: status is OK, WARN or FAIL; advice may be empty."""

    @property
    def name(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def detail(self) -> str: ...
    @property
    def advice(self) -> str: ...


def summary_table(summary: Summary) -> RenderableType:
    """The figures of a campaign, one line each, and its finalists."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    table.add_row("candidates", _counts(summary.candidates, summary.outcomes))
    if summary.reasons:
        table.add_row("reasons", _listed(summary.reasons))
    if beyond := summary.redraws.beyond_limits:
        rejected = f"{summary.redraws.draws} draws rejected, {beyond} of them beyond the constraints"
        table.add_row("drawn again", rejected)
    table.add_row("best", _best(summary))
    table.add_row("epochs", _epochs(summary))
    if summary.resumptions.pauses or summary.resumptions.from_checkpoints:
        table.add_row("resumed", _resumed(summary.resumptions))
    if summary.excluded_nodes:
        table.add_row("excluded", ", ".join(summary.excluded_nodes))
    rate = number(summary.candidates_per_hour, digits=0)
    busy = percent(summary.trainer_busy_percent)
    table.add_row("time", f"{duration(summary.elapsed_s)}, {rate} candidates per hour, trainers {busy} busy")
    for row in audit_rows(summary.audit):
        table.add_row(*row)
    parts: list[RenderableType] = [table]
    if (latencies := _latency_table(summary.latencies)).row_count:
        parts += ["", latencies]
    if summary.finalists:
        parts += ["", finalists_table(summary.finalists)]
    return Group(*parts)


def status_table(record: CampaignRecord, summary: Summary) -> RenderableType:
    """How a campaign stands: its figures, and what is being trained while it runs."""
    parts: list[RenderableType] = [_heading(record), summary_table(summary)]
    if State.RUNNING in summary.outcomes:
        parts += ["", _running_table(record)]
    if len(record.observations):
        parts.append(Text(f"last observation {_clock(record.observations['time_s'].max())}", style="dim"))
    return Group(*parts, *_problems(record))


def report_tables(record: CampaignRecord, summary: Summary) -> RenderableType:
    """The figures, the best candidates by estimate, and the failed ones with what they said."""
    parts: list[RenderableType] = [_heading(record), summary_table(summary)]
    best = ranking(record)[:NUM_BEST]
    if len(best):
        note = Text("estimate without a spread: measured, the candidate was trained to the end", style="dim")
        parts += ["", _best_table(record, title=f"best {len(best)} by estimate"), note]
        if searches_for_front(record):
            parts += ["", front_table(summary.pareto)]
    if summary.outcomes[State.FAILED]:
        parts += ["", _failed_table(record)]
    return Group(*parts, *_problems(record))


def doctor_table(findings: Iterable[Finding]) -> RenderableType:
    """One line per finding, and below it what to do where there is something to do."""
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column()
    for finding in findings:
        status = str(finding.status)
        table.add_row(
            Text(status, style=STATUS_STYLES.get(status, "")), Text(finding.name), Text(finding.detail)
        )
        if finding.advice:
            table.add_row("", "", Text(f"-> {finding.advice}", style="bold"))
    return table


def _heading(record: CampaignRecord) -> Text:
    where = f"on {record.host}" if record.host else ""
    commit = f"commit {record.commit[:12]}" if record.commit else ""
    started = f"started {_clock(record.created_time)}" if math.isfinite(record.created_time) else ""
    rest = ", ".join(part for part in (where, commit, started) if part)
    asked = record.configuration["campaign"]["num_candidates"]
    stands = f"ended: {record.close_reason}" if record.close_reason else "running, or was killed"
    return Text.assemble(
        (f"campaign {record.name}", "bold"), f" {rest}\n{asked} candidates asked for; {stands}\n"
    )


def _running_table(record: CampaignRecord) -> Table:
    max_epochs = float(record.configuration["training"]["max_epochs"])
    table = ruled_table(
        "running", "candidate", "trainer", "epoch", f"{measure_of(record).name} %", "best %", "forecast %"
    )
    observed = curves(record)
    forecasts = by_candidate(counted(record, record.forecasts))
    for row in record.candidates[record.candidates["state"] == State.RUNNING.encode()]:
        candidate = int(row["number"])
        if candidate not in observed:
            table.add_row(str(candidate), *[MISSING] * 5)
            continue
        curve = observed[candidate]
        known = forecasts.get(candidate)
        forecast = math.nan if known is None else float(known["forecast"][-1])
        table.add_row(
            str(candidate),
            f"{curve['group'][-1]}.{curve['rank'][-1]}",
            f"{curve['epoch'][-1]:g} of {max_epochs:g}",
            accuracy(curve["val_accuracy"][-1]),
            accuracy(np.fmax.reduce(curve["val_accuracy"])),
            accuracy(forecast),
        )
    return table


def _best_table(record: CampaignRecord, *, title: str) -> Table:
    measure = measure_of(record)
    extra = [] if measure.objective is Objective.ACCURACY else ["perplexity"]
    table = ruled_table(
        title, "candidate", "estimate %", "seen %", *extra, "epochs", "weights", "MACs", "layers"
    )
    table.add_column("outcome", justify="left")
    for row in ranking(record)[:NUM_BEST]:
        state, reason = texts((row["state"], row["reason"]))
        table.add_row(
            str(row["number"]),
            accuracy(row["estimate"], row["spread"]),
            accuracy(row["best_accuracy"]),
            *(number(measure.perplexity(row["best_accuracy"]), digits=1) for _ in extra),
            f"{row['epochs']:g}",
            count(row["num_parameters"]),
            count(row["macs"]),
            str(row["num_layers"]),
            Text(outcome(state, reason), style=STATE_STYLES.get(state, "")),
        )
    return table


def _failed_table(record: CampaignRecord) -> Table:
    rows = record.candidates[record.candidates["state"] == State.FAILED.encode()]
    table = ruled_table(f"failed {len(rows)}", "candidate", "epochs", "attempts")
    table.add_column("reason", justify="left", no_wrap=True)
    table.add_column("message", justify="left", overflow="fold")
    shown = rows[:MAX_FAILED]
    for row, reason, message in zip(shown, texts(shown["reason"]), texts(shown["message"]), strict=True):
        table.add_row(
            str(row["number"]), f"{row['epochs']:g}", str(row["attempts"]), reason, Text(message or MISSING)
        )
    if len(rows) > MAX_FAILED:
        table.caption = f"and {len(rows) - MAX_FAILED} more"
    return table


def _problems(record: CampaignRecord) -> list[RenderableType]:
    return [Text(f"not readable, left out: {what}", style="yellow") for what in record.problems]


def _counts(total: int, outcomes: Mapping[str, int]) -> str:
    return (
        f"{total}: {_listed({name: value for name, value in outcomes.items() if value})}" if total else "none"
    )


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{value} {name}" for name, value in counts.items())


def _best(summary: Summary) -> str:
    if summary.best is None:
        return "none yet"
    best = summary.best
    seen = f"best accuracy seen {percent(best.accuracy, digits=2)}"
    if math.isfinite(best.perplexity):
        seen = f"best seen {percent(best.accuracy, digits=2)}, perplexity {best.perplexity:.4g}"
    return f"candidate {best.candidate}: estimate {percent(best.estimate, digits=2)}, {seen}"


def _epochs(summary: Summary) -> str:
    trained = f"{summary.epochs_trained:g} trained"
    if not math.isfinite(summary.epochs_saved_percent):
        return trained
    return f"{trained}; {percent(summary.epochs_saved_percent)} of {summary.epochs_full:g} saved"


def _resumed(resumptions: Resumptions) -> str:
    return (
        f"{resumptions.pauses} pauses, {resumptions.from_checkpoints} attempts from checkpoints, "
        f"{resumptions.epochs_trained_twice:g} epochs trained twice"
    )


def _latency_table(latencies: Latencies) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("latency", style="dim", no_wrap=True)
    for column in ("median", "90 %", "number"):
        table.add_column(column, justify="right", no_wrap=True)
    for name, value in (
        ("stop signal -> trainer has left, beyond the batch", latencies.stop_s),
        ("trainer has left -> next candidate's first batch", latencies.handover_s),
        ("row written -> read by the estimator", latencies.read_lag_s),
        ("one forecast", latencies.fit_s),
    ):
        if value.count:
            table.add_row(name, latency(value.median), latency(value.p90), str(value.count))
    return table


def _clock(time_s: float) -> str:
    return datetime.fromtimestamp(float(time_s)).astimezone().strftime("%Y-%m-%d %H:%M:%S")
