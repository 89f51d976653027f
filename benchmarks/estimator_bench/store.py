"""results.json: every rule on every set with the key of what it depends on, published whole after each one."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from bench.results_file import load_results_file, publish_results_file
from bench.values import Value
from pydantic import Field

from estimator_bench.sets import ROOT
from estimator_bench.values import Entry, ForecastQuality, SetInfo, Speed

__all__ = ["Results", "RunInfo", "key_of", "load_results", "save_results", "source_of"]

SCHEMA_VERSION = 1
SOURCES = (
    "estimator/**/*.py",
    "hpc_nas/replay/*.py",
    "hpc_nas/report/metrics.py",
    "benchmarks/estimator_bench/measure.py",
    "benchmarks/estimator_bench/quality.py",
)
PACKAGES = ("numpy", "scipy", "scikit-learn")
_INNERMOST = re.compile(r"[\[{]\n[^\[\]{}]*[\]}]")


class RunInfo(Value):
    """One call of the benchmark that measured something, and what it was measured with."""

    source: str
    commit: str
    environment: dict[str, Any]
    arguments: str
    started: str
    duration_s: float
    background_cpu_percent: float
    num_measured: int


class Results(Value):
    """The whole file: `entries[set][rule]`, `forecasts[set][forecaster]`, and the reason of what is skipped."""

    schema_version: int = Field(default=SCHEMA_VERSION, ge=SCHEMA_VERSION, le=SCHEMA_VERSION)
    runs: tuple[RunInfo, ...] = ()
    sets: dict[str, SetInfo] = Field(default_factory=dict)
    entries: dict[str, dict[str, Entry]] = Field(default_factory=dict)
    forecasts: dict[str, dict[str, ForecastQuality]] = Field(default_factory=dict)
    speed: Speed | None = None
    skipped: dict[str, str] = Field(default_factory=dict)

    @property
    def sources(self) -> dict[str, int]:
        """The code that was measured with: how many results of each."""
        found = [entry.source for entries in self.entries.values() for entry in entries.values()]
        found += [entry.source for entries in self.forecasts.values() for entry in entries.values()]
        return dict(Counter(found))

    def changed(self, **update: Any) -> Results:
        """A copy with these fields replaced."""
        return self.model_copy(update=update)

    def with_entry(self, where: str, name: str, entry: Entry) -> Results:
        """A copy with this rule measured on this set."""
        return self.changed(entries={**self.entries, where: {**self.entries.get(where, {}), name: entry}})

    def with_forecast(self, where: str, name: str, quality: ForecastQuality) -> Results:
        """A copy with this forecaster measured on this set."""
        known = {**self.forecasts.get(where, {}), name: quality}
        return self.changed(forecasts={**self.forecasts, where: known})


def load_results(directory: Path) -> Results:
    """The results so far; empty without a file. Raises ValueError for a file that is none of ours."""
    return load_results_file(directory, Results)


def save_results(results: Results, directory: Path) -> None:
    """Publish at once or not at all."""
    publish_results_file(_INNERMOST.sub(_on_one_line, results.model_dump_json(indent=1)), directory)


def source_of() -> str:
    """One word for the code that replays and forecasts, and for the packages that compute for it."""
    digest = hashlib.sha256(repr([(name, metadata.version(name)) for name in PACKAGES]).encode())
    for pattern in SOURCES:
        for path in sorted(ROOT.glob(pattern)):
            digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def key_of(source: str, parts: Sequence[Any] | Mapping[str, Any]) -> str:
    """One word for the code and for what it is applied to: while it stays the same nothing is measured again."""
    return hashlib.sha256(json.dumps([source, parts], sort_keys=True).encode()).hexdigest()[:12]


def _on_one_line(found: re.Match[str]) -> str:
    return " ".join(found.group().split())
