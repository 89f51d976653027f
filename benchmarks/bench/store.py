"""results.json: every measured part with the conditions it was measured under, published whole after each part."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field

from bench.campaigns import ROOT
from bench.results_file import load_results_file, publish_results_file
from bench.values import Appends, Conditions, Idle, Latencies, Throughput, Value

SCHEMA_VERSION = 1
MEASURED = ("hpc_nas/**/*.py", "estimator/**/*.py", "configs/campaigns/*.toml", "constraints.txt")
_LIST_OF_SCALARS = re.compile(r"\[\n[^\[\]{}\"]*\]")
_Result = TypeVar("_Result", bound=Value)


class Entry(Value):
    """One part: its conditions and what it gave."""

    conditions: Conditions
    result: Appends | Idle | Latencies | Throughput


class Results(Value):
    """The whole file. `skipped` gives the reason by part."""

    schema_version: int = Field(default=SCHEMA_VERSION, ge=SCHEMA_VERSION, le=SCHEMA_VERSION)
    parts: dict[str, Entry] = Field(default_factory=dict)
    skipped: dict[str, str] = Field(default_factory=dict)

    def result(self, name: str, kind: type[_Result]) -> _Result | None:
        """A part's result, if it was measured."""
        entry = self.parts.get(name)
        return entry.result if entry is not None and isinstance(entry.result, kind) else None

    def with_part(self, name: str, entry: Entry) -> Results:
        """A copy with this part measured."""
        skipped = {other: reason for other, reason in self.skipped.items() if other != name}
        return Results(parts={**self.parts, name: entry}, skipped=skipped)

    def with_skipped(self, name: str, reason: str) -> Results:
        """A copy with this part skipped; an older result of it is kept."""
        return Results(parts=self.parts, skipped={**self.skipped, name: reason})


def load_results(directory: Path) -> Results:
    """The results so far; empty without a file. Raises ValueError for a file that is none of ours."""
    return load_results_file(directory, Results)


def save_results(results: Results, directory: Path) -> None:
    """Publish at once or not at all."""
    publish_results_file(_LIST_OF_SCALARS.sub(_on_one_line, results.model_dump_json(indent=1)), directory)


def part_key(configuration: Mapping[str, Any], environment: Mapping[str, Any]) -> str:
    """One word for source, configuration and machine: a part is not measured again while it stays the same.

    The source counts by content, so that a commit of the results themselves changes nothing.
    """
    digest = hashlib.sha256(json.dumps([configuration, environment], sort_keys=True).encode())
    for pattern in MEASURED:
        for path in sorted(ROOT.glob(pattern)):
            digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _on_one_line(found: re.Match[str]) -> str:
    return " ".join(found.group().split())
