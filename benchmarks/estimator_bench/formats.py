"""Figures as this report's tables have them."""

from __future__ import annotations

import math
from collections.abc import Mapping

from hpc_nas.report.formatting import MISSING

__all__ = ["gaps", "overlaps", "short", "with_deviation"]


def short(value: float) -> str:
    """About three digits, without a zero before the point: .93, 1.25, 31.7, 146."""
    if not math.isfinite(value):
        return MISSING
    digits = 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0
    if 0 < abs(value) < 0.0995:
        digits = 3
    text = f"{value:.{digits}f}"
    if float(text) == 0.0:
        return "0"
    if text in ("1.00", "1.000"):
        return "1"
    return text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text


def overlaps(figures: Mapping[str, float]) -> str:
    """Of the best 10, 20 and 30 %."""
    return " / ".join(short(figures[f"overlap_{share}"]) for share in (10, 20, 30))


def gaps(figures: Mapping[str, float]) -> str:
    """Of the means of the best 10, 20 and 30 %."""
    return " / ".join(short(figures[f"gap_{share}"]) for share in (10, 20, 30))


def with_deviation(figures: Mapping[str, float], name: str) -> str:
    """The mean over the orders, and their deviation where there are several."""
    deviation = figures.get(f"{name}_std", math.nan)
    return short(figures[name]) + (f" ± {short(deviation)}" if math.isfinite(deviation) else "")
