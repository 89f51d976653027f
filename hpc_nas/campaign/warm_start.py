"""A warm start: what earlier campaigns found out about the same question goes to the strategy and into the history.

From a warm start on, the search is one with those before it. The strategy counts an earlier candidate as one that it
drew, and the history holds its curve: who learns from curves has them from the first candidate on, and rules that
compare (with the best, a median, those at a rung) compare with earlier candidates, too. Only what belongs to this
campaign's own numbers has no part in them: cohorts of synchronous halving, promotions, the report.

In the history an earlier candidate has a number below 0, which no candidate of this campaign can have.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from estimator import Described, Ended, Event, History, InvalidObservation, Observed, Standing
from estimator.curve import SLACK
from hpc_nas.campaign.differences import data_differences, setting_differences
from hpc_nas.campaign.features import features_of
from hpc_nas.configuration import Configuration
from hpc_nas.errors import ConfigurationError, HpcNasError, RecordError, RunDirectoryError, SpaceError
from hpc_nas.records.archive import CampaignRecord, load_record
from hpc_nas.records.earlier import Earlier, EarlierCurve, Knowledge, earlier_candidates, read_knowledge
from hpc_nas.records.ledger import CandidateDrawn, read_ledger
from hpc_nas.records.run_directory import RunDirectory
from hpc_nas.search.strategy import Strategy
from hpc_nas.spaces.registry import load_space
from hpc_nas.tasks.registry import DataSummary
from hpc_nas.values import State

__all__ = ["earlier_events", "knowledge_for", "teach"]

logger = logging.getLogger(__name__)

_TABLES = ("space", "training")
_FREE_KEYS = (
    ("training", "epochs_per_interval"),  # a curve may be seen more or less often
    ("training", "deterministic"),
)


def knowledge_for(
    configuration: Configuration, *, summary: DataSummary, directory: RunDirectory | None
) -> Knowledge:
    """What this campaign begins, or has begun, with; `directory` is that of one that goes on, else None.

    Raises ConfigurationError for a record that can't be read, is named twice, or is of another search;
    RecordError or RunDirectoryError where what the campaign has begun with is lost.
    """
    if directory is not None:
        if directory.warm_start_path.exists():
            return read_knowledge(directory.warm_start_path)
        if _has_drawn(directory):
            if configuration.search.warm_start:
                raise RunDirectoryError(
                    f"{directory.warm_start_path} is missing, and the campaign has drawn candidates by it; restore it "
                    "from a copy (a campaign that began without [search] warm_start can't get one later)"
                )
            return Knowledge()
    paths: dict[Path, str] = {}
    for name in configuration.search.warm_start:
        record_path = _record_path(name)
        if record_path in paths:
            raise ConfigurationError(
                f"[search] warm_start names one campaign twice: {paths[record_path]}, {name}"
            )
        paths[record_path] = name
    return Knowledge(
        candidates=tuple(
            earlier
            for name in paths.values()
            for earlier in _learnt_from(name, configuration=configuration, summary=summary)
        )
    )


def teach(strategy: Strategy, knowledge: Knowledge) -> None:
    """Give the strategy all that is known. Raises ConfigurationError for a candidate that its space can't hold."""
    for earlier in knowledge.candidates:
        try:
            strategy.learn(earlier.candidate, earlier.outcome)
        except SpaceError as error:
            raise ConfigurationError(
                f"[search] warm_start: candidate {earlier.candidate.number} of {earlier.campaign} is none of this "
                f"space as it is configured now: {error}"
            ) from error


def earlier_events(knowledge: Knowledge) -> list[Event]:
    """The history's first events: each candidate described, observed and ended, under -1, -2, ..."""
    events: list[Event] = []
    for place, earlier in enumerate(knowledge.candidates, start=1):
        events += _events(earlier, number=-place)
    return events


def _has_drawn(directory: RunDirectory) -> bool:
    if not directory.ledger_path.exists():
        return False
    return any(isinstance(event, CandidateDrawn) for event in read_ledger(directory.ledger_path).events)


def _record_path(name: str) -> Path:
    path = Path(name).resolve()
    return RunDirectory(path).archive_path if path.is_dir() else path


def _learnt_from(name: str, *, configuration: Configuration, summary: DataSummary) -> list[Earlier]:
    try:
        record = load_record(name)
    except (RecordError, RunDirectoryError) as error:
        raise ConfigurationError(f"[search] warm_start: {error}") from error
    if differences := _differences(record, configuration, summary=summary):
        raise ConfigurationError(
            f"[search] warm_start: {name} is of another search than this one, so its estimates say nothing here; leave "
            "it out, or search as it did:\n  " + "\n  ".join(differences)
        )
    found = earlier_candidates(record, campaign=name)
    if found:
        logger.info("%s: begins with %d finished and stopped candidates", name, len(found))
    else:
        logger.warning(
            "%s: none of its candidates is finished or stopped; there is nothing to begin with", name
        )
    return found


def _differences(record: CampaignRecord, configuration: Configuration, *, summary: DataSummary) -> list[str]:
    before, now = record.configuration, configuration.model_dump(mode="json")
    found = setting_differences(_searched(before), _searched(now), tables=_TABLES, free_keys=_FREE_KEYS)
    if data := data_differences(record.data, asdict(summary)):
        found += [*setting_differences(before, now, tables=["data"]), *data]
    return found


def _searched(tables: Mapping[str, Any]) -> dict[str, Any]:
    """The tables that an estimate depends on, all defaults filled in; as they stand where they can't be read."""
    given = {table: tables.get(table, {}) for table in _TABLES}
    try:
        configuration = Configuration.model_validate_json(json.dumps(given))
        options = load_space(configuration.space).options
    except (HpcNasError, ValueError):
        return given
    filled = configuration.model_dump(mode="json")
    return {
        **{table: filled[table] for table in _TABLES},
        "space": {"name": configuration.space.name, **options},
    }


def _events(earlier: Earlier, *, number: int) -> Iterator[Event]:
    """What was wrong with a curve there is not taken here either: of it, what a history takes."""
    yield Described(candidate=number, features=features_of(earlier.candidate))
    history = History()
    for observed in _observations(earlier.curve, number=number):
        try:
            history.apply(observed)
        except InvalidObservation as error:
            logger.warning("%s, candidate %d: %s", earlier.campaign, earlier.candidate.number, error)
        else:
            yield observed
    seen = history.members[number].curve.last_epoch if history.members else 0.0
    whole = earlier.outcome.state is State.FINISHED and seen >= earlier.outcome.epochs - SLACK
    yield Ended(
        candidate=number,
        standing=Standing.FINISHED if whole else Standing.STOPPED,
        audited=earlier.audited,
    )


def _observations(curve: EarlierCurve, *, number: int) -> Iterator[Observed]:
    names = EarlierCurve.model_fields
    for row in zip(*(getattr(curve, name) for name in names), strict=True):
        yield Observed(candidate=number, **dict(zip(names, row, strict=True)))
