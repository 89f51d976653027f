"""What differs between two campaigns, one line each: settings, and the data."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

__all__ = ["data_differences", "setting_differences"]


def setting_differences(
    before: Mapping[str, Mapping[str, Any]],
    now: Mapping[str, Mapping[str, Any]],
    *,
    tables: Iterable[str],
    free_keys: Collection[tuple[str, str]] = (),
) -> list[str]:
    """Of two configurations as JSON has them, in these tables; `free_keys` (table, key) may differ."""
    return [
        f"[{table}] {key}: {before[table].get(key)!r} there, {now[table].get(key)!r} now"
        for table in tables
        for key in sorted({*before[table], *now[table]})
        if (table, key) not in free_keys and before[table].get(key) != now[table].get(key)
    ]


def data_differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Of two data sets in figures."""
    for key in ("fingerprint", "checksum"):
        if key in before and key in now:
            old, new = before[key], now[key]
            return [] if old == new else [f"{key} of the data set: {old} there, {new} now"]
    return []
