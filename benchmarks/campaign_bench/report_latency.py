"""The report's sections on latencies, the file and the idle group."""

from __future__ import annotations

import numpy as np

from benchmarks.bench.report import several, spread, table, verdict
from benchmarks.bench.values import Spread
from benchmarks.campaign_bench.values import Appends, CampaignLatencies, Idle, Latencies, Shape
from hpc_nas.report.formatting import latency, percent

AIM_STOP_S, AIM_HANDOVER_S, AIM_APPEND_S, AIM_READ_S = 0.010, 0.050, 0.0003, 0.010
AIM_BUSY_PERCENT, AIM_IDLE_PERCENT = 95.0, 2.0

Row = list[str]

_AIMS = (
    ("stop decision -> trainer has left, beyond the batch", AIM_STOP_S, "beyond_batch_s"),
    ("candidate end -> next candidate's first batch", AIM_HANDOVER_S, "handover_s"),
    ("row written -> estimator has read it", AIM_READ_S, "read_lag_s"),
)

_DETAILS = (
    ("decision to stop -> trainer has left, in all", "decided_to_left_s"),
    ("... of it: decision -> signal sent", "decided_to_sent_s"),
    ("... signal sent -> seen by the trainer", "sent_to_seen_s"),
    ("... seen -> trainer has left", "seen_to_left_s"),
    ("... beyond the batch in progress", "beyond_batch_s"),
    ("one batch (the last of each attempt)", "batch_s"),
    ("candidate left -> next candidate's first batch", "handover_s"),
    ("... of it: left -> next one received", "left_to_received_s"),
    ("... received -> first batch (building the network)", "received_to_first_batch_s"),
    ("row written -> read by the estimator", "read_lag_s"),
    ("one forecast with its decision", "fit_s"),
)


def shape_title(shape: Shape, *, cores: int) -> str:
    """Who shares the cores."""
    trainers = shape.num_ranks - 1
    return f"{trainers} trainer{'s' * (trainers > 1)}, {shape.num_ranks} ranks on {cores} cores"


def aims_of_campaigns(latencies: Latencies, *, cores: int) -> list[Row]:
    """Rows for the table of aims: figure, aim, where, measured, verdict."""
    rows = []
    for figure, aim_s, name in _AIMS:
        for shape in latencies.shapes:
            value = _spread(shape.pooled, name)
            where = shape_title(shape, cores=cores)
            rows.append(
                [
                    figure,
                    f"median < {latency(aim_s)}",
                    where,
                    spread(value),
                    verdict(value.median, below=aim_s),
                ]
            )
    for shape in latencies.shapes:
        busy = [repeat.trainer_busy_percent for repeat in shape.repeats]
        median = float(np.median(busy))
        rows.append(
            [
                "trainers' share of time training and validating",
                f"> {AIM_BUSY_PERCENT:.0f} %",
                shape_title(shape, cores=cores),
                f"{percent(median)} (repeats: {several(busy, digits=1)})",
                verdict(median, above=AIM_BUSY_PERCENT),
            ]
        )
    return rows


def aims_of_appends(appends: Appends) -> list[Row]:
    """Rows for the table of aims; the repeats' median of medians decides."""
    return [
        _repeated_aim("append + flush of one row", "alone, back to back", appends.back_to_back),
        _repeated_aim("append + flush of one row", "alone, 10 ms of computing between", appends.spaced),
    ]


def aims_of_idle(idle: Idle) -> list[Row]:
    """The row for the table of aims."""
    shares = [window.estimator_percent for window in idle.windows]
    median = float(np.median(shares))
    return [
        [
            "CPU share of an idle estimator rank",
            f"< {AIM_IDLE_PERCENT:.0f} %",
            "of one core, group of 2 trainers",
            f"{median:.2f} % (repeats: {several(shares, digits=2)})",
            verdict(median, below=AIM_IDLE_PERCENT),
        ]
    ]


def latency_section(latencies: Latencies, *, cores: int) -> list[str]:
    """Every duration, for each shape pooled and repeat by repeat."""
    lines = ["## Latencies of real campaigns", ""]
    for shape in latencies.shapes:
        pooled = shape.pooled
        lines += [
            f"### {shape_title(shape, cores=cores)}",
            "",
            f"{len(shape.repeats)} campaigns on digits, {pooled.num_candidates} candidates and "
            f"{pooled.num_signals} stop signals in all. Median (p10 to p90; count), then each repeat's median.",
            "",
            *table(
                ["from -> to", "all repeats", "repeats"],
                [[title, spread(_spread(pooled, name)), _medians(shape, name)] for title, name in _DETAILS],
            ),
        ]
    return lines


def idle_section(idle: Idle) -> list[str]:
    """Each window of the idle group."""
    rows = [
        [
            f"{window.seconds:.1f} s",
            f"{window.estimator_percent:.2f} %",
            " / ".join(f"{share:.2f} %" for share in window.trainers_percent),
        ]
        for window in idle.windows
    ]
    header = ["window", "estimator rank", "trainer ranks"]
    return ["## An idle group", "", "CPU time of one core, user and system.", "", *table(header, rows)]


def append_section(appends: Appends) -> list[str]:
    """Each repeat of the appends."""
    rows = [
        [str(index), spread(fast), spread(spaced)]
        for index, (fast, spaced) in enumerate(
            zip(appends.back_to_back, appends.spaced, strict=True), start=1
        )
    ]
    return [
        "## Append and flush",
        "",
        f"`RowFileWriter.append` of one observation, on {appends.filesystem}. Median (p10 to p90; rows).",
        "",
        *table(["repeat", "back to back", "10 ms of computing between"], rows),
    ]


def _repeated_aim(figure: str, where: str, repeats: tuple[Spread, ...]) -> Row:
    medians = [repeat.median for repeat in repeats]
    median = float(np.median(medians))
    listed = " / ".join(latency(value) for value in medians)
    return [
        figure,
        f"< {latency(AIM_APPEND_S)}",
        where,
        f"{latency(median)} (medians of the repeats: {listed})",
        verdict(median, below=AIM_APPEND_S),
    ]


def _spread(value: CampaignLatencies, name: str) -> Spread:
    found = getattr(value, name)
    assert isinstance(found, Spread)
    return found


def _medians(shape: Shape, name: str) -> str:
    return " / ".join(latency(_spread(repeat, name).median) for repeat in shape.repeats)
