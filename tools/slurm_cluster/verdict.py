"""What a campaign's records say of its losses: the four zeros, and what was trained more than once."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import estimator
from hpc_nas.errors import HpcNasError
from hpc_nas.records.archive import assemble
from hpc_nas.records.campaign_record import CampaignRecord
from hpc_nas.records.history_journal import read_history
from hpc_nas.records.layout import Rows
from hpc_nas.records.ledger import (
    AttemptInterrupted,
    AttemptStarted,
    CandidateDrawn,
    CandidateEnded,
    Event,
    read_ledger,
)
from hpc_nas.records.rank_file import read_rank_file
from hpc_nas.records.run_directory import RunDirectory

_Source = tuple[int, int]  # group, rank


class Witness:
    """Remembers the rows that anyone could read while the campaign ran: they are flushed, so none may be missing."""

    def __init__(self, run_dir: Path):
        self._directory = RunDirectory(run_dir)
        self._stamps: dict[Path, tuple[int, int]] = {}
        self.seen: dict[_Source, bytes] = {}

    def look(self) -> None:
        """Take in what has changed; a file that is not there yet, or whose writer just begins, is passed over."""
        for group in self._directory.groups():
            for path in self._directory.rank_file_paths(group):
                self._look_at(path, group=group)

    def save(self, path: Path) -> None:
        """Keep what was seen, for one who goes on later."""
        arrays = {f"{g}-{r}": np.frombuffer(rows, dtype=np.uint8) for (g, r), rows in self.seen.items()}
        np.savez_compressed(path, **arrays)  # type: ignore[arg-type]  # its names are none of its options

    def restore(self, path: Path) -> None:
        """Go on with what was kept there; nothing is no error."""
        if not path.exists():
            return
        with np.load(path) as arrays:
            for name in arrays.files:
                group, _, rank = name.partition("-")
                self.seen[int(group), int(rank)] = arrays[name].tobytes()

    def _look_at(self, path: Path, *, group: int) -> None:
        try:
            stamp = (path.stat().st_mtime_ns, path.stat().st_size)
            if self._stamps.get(path) == stamp:
                return
            content = read_rank_file(path)
        except (OSError, HpcNasError):
            return
        self._stamps[path] = stamp
        rank = content.attributes.get("rank", -1)
        if "observations" in content.tables and isinstance(rank, int):
            rows = content.tables["observations"].tobytes()
            self.seen[group, rank] = max(rows, self.seen.get((group, rank), b""), key=len)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The zeros, as lists of what is wrong; `epochs_repeated` says what crashes and planned ends cost."""

    observations_lost: tuple[str, ...]
    candidates_lost: tuple[int, ...]
    counted_twice: tuple[int, ...]
    left_over: tuple[str, ...]
    batches_repeated_after_planned_ends: int
    epochs_repeated: float
    epochs_trained: float
    num_candidates: int
    num_observations: int
    attempts_lost: int
    outcomes: dict[str, int] = field(default_factory=dict)
    observed_attempts: frozenset[tuple[int, int]] = frozenset()

    @property
    def clean(self) -> bool:
        """Are all zeros zero?"""
        return not (
            self.observations_lost
            or self.candidates_lost
            or self.counted_twice
            or self.left_over
            or self.batches_repeated_after_planned_ends
        )


def judge(run_dir: Path, *, witness: Witness | None = None, left_over: list[str] | None = None) -> Verdict:
    """Judge a campaign that has ended. `left_over`: what still runs after the time of grace, found by the caller."""
    directory = RunDirectory.open(run_dir)
    record, events = assemble(directory), read_ledger(directory.ledger_path).events
    ended = Counter(event.outcome.candidate for event in events if isinstance(event, CandidateEnded))
    drawn = [event.candidate.number for event in events if isinstance(event, CandidateDrawn)]
    wanted = {*range(int(record.configuration["campaign"]["num_candidates"])), *drawn}
    own = record.observations[record.observations["carried"] == 0]
    interval = float(record.configuration["training"]["epochs_per_interval"])
    trained = Counter(zip(own["candidate"].tolist(), own["epoch"].tolist(), strict=True))
    outcomes = Counter(
        f"{event.outcome.state}: {event.outcome.reason}"
        for event in events
        if isinstance(event, CandidateEnded)
    )
    return Verdict(
        observations_lost=(*_unheard(directory, record), *_missing(record, witness), *record.problems),
        candidates_lost=tuple(sorted(wanted - ended.keys())),
        counted_twice=tuple(sorted(_repeated(ended) | _repeated(Counter(drawn)))),
        left_over=tuple(left_over or ()),
        batches_repeated_after_planned_ends=_batches_repeated(events, record.attempts),
        epochs_repeated=interval * sum(count - 1 for count in trained.values()),
        epochs_trained=interval * len(own),
        num_candidates=len(ended),
        num_observations=len(own),
        attempts_lost=sum(event.event == "attempt_lost" for event in events),
        outcomes=dict(outcomes),
        observed_attempts=frozenset(zip(own["candidate"].tolist(), own["attempt"].tolist(), strict=True)),
    )


def _repeated(counts: Counter[int]) -> set[int]:
    return {number for number, count in counts.items() if count > 1}


def _unheard(directory: RunDirectory, record: CampaignRecord) -> list[str]:
    """What the campaign was told of and no rank file holds."""
    rows = record.observations
    kept = set(
        zip(rows["candidate"].tolist(), rows["epoch"].tolist(), rows["val_accuracy"].tolist(), strict=True)
    )
    events = read_history(directory.history_path).events
    heard = [(e.candidate, e.epoch, e.val_accuracy) for e in events if isinstance(e, estimator.Observed)]
    return [
        f"candidate {one[0]} epoch {one[1]:g}: heard, not in a rank file" for one in heard if one not in kept
    ]


def _missing(record: CampaignRecord, witness: Witness | None) -> list[str]:
    """What could be read once and can't any more."""
    if witness is None:
        return []
    names = [name for name in record.observations.dtype.names or () if name not in ("group", "rank")]
    missing = []
    for (group, rank), seen in witness.seen.items():
        mine = (record.observations["group"] == group) & (record.observations["rank"] == rank)
        rows: Rows = record.observations[mine][names]
        if not _packed(rows).startswith(seen):
            missing.append(f"group {group} rank {rank}: rows that were there are missing or others")
    return missing


def _packed(rows: Rows) -> bytes:
    """The bytes of rows of which some fields were picked, as a rank file has them."""
    packed = np.empty(len(rows), dtype=[(name, rows.dtype[name]) for name in rows.dtype.names or ()])
    for name in rows.dtype.names or ():
        packed[name] = rows[name]
    return packed.tobytes()


def _batches_repeated(events: tuple[Event, ...], attempts: Rows) -> int:
    """Batches between where an attempt was set aside in order and where the next one began, if that was earlier."""
    rows = {(int(row["candidate"]), int(row["attempt"])): row for row in attempts}
    started: dict[int, list[int]] = defaultdict(list)
    for event in events:
        if isinstance(event, AttemptStarted):
            started[event.candidate].append(event.attempt)
    repeated = 0
    for event in events:
        if not isinstance(event, AttemptInterrupted):
            continue
        later = [number for number in started[event.candidate] if number > event.attempt]
        before = rows.get((event.candidate, event.attempt))
        after = rows.get((event.candidate, min(later))) if later else None
        if before is not None and after is not None:
            stood = int(before["start_batch"]) + int(before["batches"])
            repeated += max(0, stood - int(after["start_batch"]))
    return repeated
