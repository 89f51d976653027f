"""A running campaign's ledger, read as anyone would: JSON lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def events(run_dir: Path) -> list[dict[str, Any]]:
    """The ledger's events so far."""
    path = run_dir / "ledger.jsonl"
    if not path.exists():
        return []
    lines = path.read_text().splitlines()[1:]
    return [json.loads(line) for line in lines if line.endswith("}")]


def count(run_dir: Path, event: str) -> int:
    """How often an event stands in the ledger."""
    return sum(item["event"] == event for item in events(run_dir))
