"""After the search: its best candidates, trained to a full budget of their own by a campaign in `RUN_DIR/finalists`.

That campaign has a run directory, a ledger and an archive of its own, so it is stopped, resumed and reported as any
other, and the search's stay as they are. No rule stops it. Each finalist is trained with its candidate's seed: it is
the very training that the estimate was made of, where the budgets are the same.
"""

from __future__ import annotations

import logging
import math
from pathlib import Path

from rich.console import Console

from hpc_nas.campaign.opening import Opening, expects_campaign, is_complete
from hpc_nas.campaign.resume import OnDifference, check_same_configuration
from hpc_nas.campaign.run import CampaignResult, run_campaign
from hpc_nas.campaign.state import CampaignState, Entry
from hpc_nas.configuration import (
    Configuration,
    ConstraintsSection,
    EstimatorSection,
    FinalistsSection,
    SearchSection,
    read_configuration,
)
from hpc_nas.console import plain_console
from hpc_nas.errors import RunDirectoryError
from hpc_nas.records.ledger import read_ledger
from hpc_nas.records.run_directory import RunDirectory
from hpc_nas.search.given import GivenNetwork, as_option
from hpc_nas.values import State

logger = logging.getLogger(__name__)

EXPORT_S = 600.0
"""What a trainer may take after its last validation to save a network: longer than a hang of a quick one."""


def run_with_finalists(
    configuration: Configuration,
    *,
    run_dir: Path,
    opening: Opening,
    on_difference: OnDifference = OnDifference.REFUSE,
    console: Console | None = None,
) -> CampaignResult:
    """Run a campaign or take it up, and, once its search is complete, its `[finalists]`; raises as both do."""
    console = console if console is not None else plain_console()
    wanted = configuration.finalists.count > 0
    goes_on = expects_campaign(run_dir, opening)
    if wanted and goes_on and is_complete(directory := RunDirectory.open(run_dir), configuration):
        # Left as it is: not even its ledger is opened. With other settings an estimate would be of another training.
        if on_difference is OnDifference.REFUSE:
            check_same_configuration(directory, configuration)
        return run_finalists(configuration, run_dir=run_dir, on_difference=on_difference, console=console)
    result = run_campaign(
        configuration, run_dir=run_dir, opening=opening, on_difference=on_difference, console=console
    )
    if not result.complete or not wanted:
        return result
    return run_finalists(configuration, run_dir=run_dir, on_difference=on_difference, console=console)


def run_finalists(
    configuration: Configuration,
    *,
    run_dir: Path,
    on_difference: OnDifference = OnDifference.REFUSE,
    console: Console | None = None,
) -> CampaignResult:
    """Train the `[finalists]` of the search in `run_dir`, or go on with them; `configuration` is the search's.

    Where fewer candidates were measured than are asked for, there are fewer finalists. Raises RunDirectoryError where
    the search still runs or measured nothing, where other finalists lie there, and where the data are no longer those
    of the search; and whatever `run_campaign` raises.
    """
    console = console if console is not None else plain_console()
    directory = RunDirectory.open(run_dir)
    with directory.lock():  # no search goes on meanwhile
        chosen = choose(directory, configuration)
        finals = finalists_configuration(configuration, chosen)
        there = RunDirectory(directory.finalists_dir)
        _check_same(there, finals)
        numbers = ", ".join(str(entry.candidate.number) for entry in chosen)
        console.print(
            f"finalists: candidates {numbers}; {finals.max_epochs:g} epochs each, in {there.path}",
            highlight=False,
            soft_wrap=True,
        )
        return run_campaign(
            finals,
            run_dir=there.path,
            opening=Opening.AUTO,
            on_difference=on_difference,
            same_data_as=directory,
            console=console,
        )


def choose(directory: RunDirectory, configuration: Configuration) -> list[Entry]:
    """The candidates of a search with the highest estimates, equals by number; at most `[finalists] count`.

    Raises RunDirectoryError where none was measured.
    """
    state = CampaignState(num_candidates=configuration.campaign.num_candidates)
    for event in read_ledger(directory.ledger_path).events:
        state.apply(event)
    measured = [entry for entry in state.entries.values() if _estimate(entry) is not None]
    if not measured:
        raise RunDirectoryError(
            f"{directory.path}: none of its {state.num_ended} ended candidates has an estimate, so there are no "
            "finalists; look at hpc-nas report"
        )
    if not state.complete:
        logger.warning(
            "%s: the search is not complete: %d of %d candidates have ended; the finalists are the best of these",
            directory.path,
            state.num_ended,
            state.num_candidates,
        )
    if len(measured) < configuration.finalists.count:
        logger.warning(
            "%d finalists are asked for, but only %d candidates were measured: these are the finalists",
            configuration.finalists.count,
            len(measured),
        )
    measured.sort(key=lambda entry: (-(_estimate(entry) or 0.0), entry.candidate.number))
    return measured[: configuration.finalists.count]


def finalists_configuration(configuration: Configuration, chosen: list[Entry]) -> Configuration:
    """The campaign that trains these candidates of the search that `configuration` is of."""
    section, group = configuration.finalists, configuration.group
    networks = [GivenNetwork(parameters=e.candidate.parameters, seed=e.candidate.seed) for e in chosen]
    training = configuration.training.model_copy(
        update={"max_epochs": section.max_epochs or configuration.max_epochs}
    )
    return configuration.model_copy(
        update={
            "campaign": configuration.campaign.model_copy(
                update={
                    "name": f"{configuration.campaign.name}-finalists",
                    "num_candidates": len(chosen),
                }
            ),
            "search": SearchSection.model_validate({"name": "given", "networks": as_option(networks)}),
            "constraints": ConstraintsSection(),
            "training": training,
            "estimator": EstimatorSection(preset="none", audit_share=0.0),
            "finalists": FinalistsSection(origins=tuple(entry.candidate.number for entry in chosen)),
            # They are few and take long: none is held ready by a group while another group has nothing to do.
            "group": group.model_copy(
                update={"prefetch": 0, "hang_floor_s": max(group.hang_floor_s, EXPORT_S)}
            ),
        }
    )


def stored_section(run_dir: Path) -> FinalistsSection | None:
    """What the finalists that lie there were asked for; None where there are none yet."""
    there = RunDirectory(RunDirectory(run_dir).finalists_dir)
    if not there.holds_campaign():
        return None
    stored = read_configuration(there.configuration_path)
    return FinalistsSection(count=len(stored.finalists.origins), max_epochs=stored.max_epochs)


def _estimate(entry: Entry) -> float | None:
    outcome = entry.outcome
    if outcome is None or outcome.state not in (State.FINISHED, State.STOPPED):
        return None
    return outcome.estimate if outcome.estimate is not None and math.isfinite(outcome.estimate) else None


def _check_same(there: RunDirectory, finals: Configuration) -> None:
    """Networks of another list, or of another budget, would lie under the same names; more of the same may follow."""
    if not there.holds_campaign():
        return
    stored = read_configuration(there.configuration_path)
    known = stored.finalists.origins
    if finals.finalists.origins[: len(known)] == known and finals.max_epochs == stored.max_epochs:
        return
    before, now = (
        f"candidates {', '.join(map(str, each.finalists.origins))} for {each.max_epochs:g} epochs"
        for each in (stored, finals)
    )
    raise RunDirectoryError(
        f"{there.path} holds the finalists {before}; asked for are {now}: ask for the same or for more of them, or "
        "move that directory away"
    )
