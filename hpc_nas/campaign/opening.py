"""Opening a run directory: a new campaign, one that goes on, or whichever of the two is the case."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from hpc_nas.campaign.state import CampaignState
from hpc_nas.configuration import Configuration
from hpc_nas.records.ledger import CampaignClosed, read_ledger
from hpc_nas.records.run_directory import RunDirectory


class Opening(StrEnum):
    """What is expected to lie there."""

    NEW = "new"  # nothing
    RESUME = "resume"  # a campaign
    AUTO = "auto-resume"  # a campaign or nothing: the same line starts the first job of a chain and all that follow


def expects_campaign(run_dir: Path, opening: Opening) -> bool:
    """Is the campaign in this directory to go on, rather than a new one to begin?"""
    if opening is Opening.AUTO:
        return RunDirectory(run_dir).holds_campaign()
    return opening is Opening.RESUME


def is_complete(directory: RunDirectory, configuration: Configuration) -> bool:
    """Has the campaign that lies there all the outcomes that this configuration asks for, and was it closed?"""
    if not directory.ledger_path.exists() or not directory.archive_path.exists():
        return False
    events = read_ledger(directory.ledger_path).events
    state = CampaignState(num_candidates=configuration.campaign.num_candidates)
    for event in events:
        state.apply(event)
    return state.complete and isinstance(events[-1], CampaignClosed)
