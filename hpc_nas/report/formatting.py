"""Figures as people read them in a table: rounded, with a unit, and a dash where there is none."""

from __future__ import annotations

import math

MISSING = "-"
WHOLE_RANGE = 100.0
_PREFIXES = ("", "k", "M", "G", "T", "P")


def number(value: float, *, digits: int) -> str:
    """With so many decimal places."""
    return f"{value:.{digits}f}" if math.isfinite(value) else MISSING


def percent(value: float, *, digits: int = 1) -> str:
    """With a percent sign."""
    return f"{value:.{digits}f} %" if math.isfinite(value) else MISSING


def count(value: float) -> str:
    """Three digits and a prefix: 1.23 M."""
    if not math.isfinite(value):
        return MISSING
    power = 0
    while power < len(_PREFIXES) - 1 and abs(value) >= 999.5:
        value, power = value / 1000.0, power + 1
    digits = 0 if power == 0 or abs(value) >= 99.95 else 1 if abs(value) >= 9.995 else 2
    return f"{value:.{digits}f} {_PREFIXES[power]}".rstrip()


def duration(seconds: float) -> str:
    """h:mm:ss, as the live view shows it."""
    if not math.isfinite(seconds):
        return MISSING
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"


def latency(seconds: float) -> str:
    """Milliseconds with two figures or more; seconds from one second on."""
    if not math.isfinite(seconds):
        return MISSING
    if seconds >= 1.0:
        return f"{seconds:.1f} s"
    milliseconds = 1000.0 * seconds
    digits = 0 if milliseconds >= 99.5 else 1 if milliseconds >= 9.95 else 2
    return f"{milliseconds:.{digits}f} ms"


def accuracy(value: float, spread: float = math.nan) -> str:
    """Percent, with `+- spread` where there is one; a spread of 0 belongs to a measured value.

    A spread wider than the range of accuracies says no more than that.
    """
    if not math.isfinite(value):
        return MISSING
    if not (math.isfinite(spread) and spread > 0):
        return f"{value:.2f}"
    return f"{value:.2f} ± {spread:.2f}" if spread < WHOLE_RANGE else f"{value:.2f} ± >100"


def outcome(state: str, reason: str) -> str:
    """The outcome in words, as `Outcome.label` has it."""
    return f"{state}: {reason}" if state in ("stopped", "failed") and reason else state
