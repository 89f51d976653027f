"""Taking up a campaign: is it the same one? Its configuration, its data and the code that computed it so far."""

from __future__ import annotations

import logging
from enum import StrEnum

from hpc_nas.campaign.differences import data_differences, setting_differences
from hpc_nas.configuration import Configuration, SearchSection, read_configuration
from hpc_nas.errors import RunDirectoryError
from hpc_nas.records.ledger import CampaignOpened, read_ledger
from hpc_nas.records.run_directory import RunDirectory
from hpc_nas.search.given import networks_of

logger = logging.getLogger(__name__)


class OnDifference(StrEnum):
    """What is done when what lies there is another campaign than the one that is to go on."""

    REFUSE = "refuse"
    GO_ON = "go_on"  # with what is given now; the ledger shows it


# What may differ when a campaign goes on: where it runs, how many candidates it is to have in all, and what is done
# with the best of them. A list of networks may have become longer.
_FREE_TABLES = ("platform", "group", "checkpoints", "finalists")
_FREE_KEYS = (("campaign", "num_candidates"), ("search", "networks"))


def check_same_configuration(directory: RunDirectory, configuration: Configuration) -> None:
    """Raises RunDirectoryError naming every setting that differs from the campaign that lies there."""
    _refuse(directory, _configurations(directory, configuration))


def check_same_campaign(
    directory: RunDirectory, configuration: Configuration, *, opened: CampaignOpened, then: OnDifference
) -> None:
    """Compare with what lies there. `opened` is what this process is about to say of itself.

    Raises RunDirectoryError that shows every difference, unless `then` is to go on. Packages of other versions are
    only shown.
    """
    differences = _configurations(directory, configuration)
    before = _last_opened(directory)
    if before is not None:
        differences += [*_codes(before, opened), *data_differences(before.data, opened.data)]
        for line in _packages(before, opened):
            logger.warning("%s: %s", directory.path, line)
    if then is OnDifference.REFUSE:
        _refuse(directory, differences)
    elif differences:
        logger.warning("%s: goes on all the same:\n  %s", directory.path, "\n  ".join(differences))


def check_same_data(directory: RunDirectory, *, opened: CampaignOpened, then: OnDifference) -> None:
    """Does a campaign that rests on the one in `directory` have its data? Raises RunDirectoryError, or warns."""
    before = _last_opened(directory)
    differences = data_differences(before.data, opened.data) if before is not None else []
    if differences and then is OnDifference.REFUSE:
        raise RunDirectoryError(
            f"{directory.path}: its estimates are of other data than are there now: {'; '.join(differences)}; bring "
            "back the data, or go on all the same with --force"
        )
    for line in differences:
        logger.warning("%s: goes on all the same: %s", directory.path, line)


def _refuse(directory: RunDirectory, differences: list[str]) -> None:
    if differences:
        raise RunDirectoryError(
            f"{directory.path} holds another campaign than this one; go on with what it was made with "
            f"(hpc-nas run --resume --run-dir {directory.path} takes its configuration), start a new one elsewhere, or "
            "go on all the same with --force:\n  " + "\n  ".join(differences)
        )


def _last_opened(directory: RunDirectory) -> CampaignOpened | None:
    if not directory.ledger_path.exists():
        return None
    opened = [e for e in read_ledger(directory.ledger_path).events if isinstance(e, CampaignOpened)]
    return opened[-1] if opened else None


def _configurations(directory: RunDirectory, configuration: Configuration) -> list[str]:
    stored = read_configuration(directory.configuration_path)
    before, now = stored.model_dump(mode="json"), configuration.model_dump(mode="json")
    tables = [table for table in before if table not in _FREE_TABLES]
    differences = setting_differences(before, now, tables=tables, free_keys=_FREE_KEYS)
    return differences if differences else _networks(stored.search, configuration.search)


def _networks(before: SearchSection, now: SearchSection) -> list[str]:
    """Of two lists for the strategy `given`: the new one has to begin with the old one, seeds and all."""
    if before.name != "given":
        return []
    old, new = (networks_of(str(section.options["networks"])) for section in (before, now))
    if new[: len(old)] == old:
        return []
    first = next((place for place, each in enumerate(old) if new[place : place + 1] != (each,)), 0)
    return [f"[search] networks: another one at place {first} of {len(old)} there, {len(new)} now"]


def _codes(before: CampaignOpened, now: CampaignOpened) -> list[str]:
    return [
        f"{name} of hpc-nas: {old or 'unknown'} there, {new or 'unknown'} now"
        for name, old, new in (
            ("version", before.hpc_nas_version, now.hpc_nas_version),
            ("commit", before.commit, now.commit),
        )
        if old != new
    ]


def _packages(before: CampaignOpened, now: CampaignOpened) -> list[str]:
    return [
        f"{name} {before.versions.get(name, 'not installed')} there, {now.versions.get(name, 'not installed')} now"
        for name in sorted({*before.versions, *now.versions} - {"hpc-nas"})
        if before.versions.get(name) != now.versions.get(name)
    ]
