"""The audit's figures for people."""

from __future__ import annotations

import math

from hpc_nas.report.audit import Audit
from hpc_nas.report.formatting import number


def audit_rows(audit: Audit) -> list[tuple[str, str]]:
    """(what, figures), one row each; none while no audited candidate has finished."""
    if not audit.audited:
        return []
    rows = [("audit", f"{audit.audited} trained to the end; {_stopped(audit)}")]
    if audit.would_have_stopped:
        rows.append(("false stops", _false_stops(audit)))
        rows.append(("estimates", _estimates(audit)))
    return rows


def _stopped(audit: Audit) -> str:
    count = audit.would_have_stopped
    return (
        f"{count} would have been stopped, {audit.epochs_cost:g} epochs earlier in all"
        if count
        else "no decision to stop"
    )


def _false_stops(audit: Audit) -> str:
    return ", ".join(
        f"{found.stopped} of {found.in_top} among the best {share} %"
        for share, found in ((10, audit.false_stops_10), (20, audit.false_stops_20))
    )


def _estimates(audit: Audit) -> str:
    parts = [f"off by {number(audit.mean_absolute_error, digits=2)} points"]
    if math.isfinite(audit.kendall_tau):
        parts.append(f"tau {number(audit.kendall_tau, digits=2)}")
    if audit.intervals:
        held = round(audit.coverage_90 * audit.intervals)
        parts.append(f"90 % intervals hold {held} of {audit.intervals}")
    return ", ".join(parts)
