"""A group has ended: what is left of it, and who is charged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, replace

import estimator
from hpc_nas.campaign.postmortem import examine, how_it_ended
from hpc_nas.campaign.recover_outcomes import Ending, recover_outcomes
from hpc_nas.configuration import Configuration
from hpc_nas.platforms.processes.group_task import GroupExit
from hpc_nas.records.run_directory import RunDirectory


@dataclass(frozen=True, kw_only=True)
class Loss:
    """What the end of a group means.

    Only the candidate whose rank died is charged. Where it is not known whose it was, all that the group had in
    hand are quarantined and run again one at a time, so that the next such death has one attributed. A group that
    Parsl lost with its node or its pool, or that was killed by its agent or along with it, charges nobody.
    """

    message: str
    recovered: list[Ending]
    charged: frozenset[int]
    quarantined: frozenset[int]

    def forgiven(self) -> Loss:
        """The same, nobody charged: what dies while it is sent away."""
        return replace(self, charged=frozenset(), quarantined=frozenset())


class LossAssessor:
    """Remembers which trainer trains what, and draws the conclusions when a group has ended."""

    def __init__(
        self, run_directory: RunDirectory, *, configuration: Configuration, preset: estimator.Preset
    ):
        self._run_directory = run_directory
        self._configuration = configuration
        self._preset = preset
        self._training: dict[int, dict[int, int]] = defaultdict(dict)

    def started(self, group: int, trainer: int, *, candidate: int) -> None:
        """A trainer has taken up a candidate."""
        self._training[group][trainer] = candidate

    def ended(self, group: int, trainer: int, *, candidate: int) -> None:
        """A trainer has left a candidate; its next one may be known already."""
        if self._training[group].get(trainer) == candidate:
            del self._training[group][trainer]

    def examine(
        self,
        group: int,
        *,
        num_trainers: int | None,
        in_flight: Collection[tuple[int, int]],
        exit: GroupExit | None,
        error: str,
    ) -> Loss:
        """Read what the group left behind; `in_flight` are the attempts, (candidate, attempt), it had in hand.

        `num_trainers` is None where the group has never reported. Raises OSError or RecordError where what it left
        can't be read just now; it may be asked again.
        """
        recovered = recover_outcomes(
            self._run_directory.rank_file_paths(group),
            group=group,
            num_trainers=num_trainers,
            wanted=in_flight,
            preset=self._preset,
        )
        training = self._training.get(group, {})
        nobody: frozenset[int] = frozenset()
        if (message := _nobodys_fault(exit, error=error)) is not None:
            return Loss(
                message=f"group {group} {message}", recovered=recovered, charged=nobody, quarantined=nobody
            )
        found = examine(
            self._run_directory.group_dir(group),
            log=self._run_directory.launch_log_path(group),
            exit=exit,
            training=training,
        )
        ended = {outcome.candidate for outcome in recovered}
        lost = [candidate for candidate, _ in in_flight if candidate not in ended]
        charged, quarantined = _whose_fault(found.attributed, training=training, lost=lost)
        # The estimator rank trains nothing.
        if found.blameless or found.attributed == self._configuration.world_size - 1:
            charged = quarantined = nobody
        return Loss(
            message=f"group {group} {found.message}",
            recovered=recovered,
            charged=charged,
            quarantined=quarantined,
        )


def _nobodys_fault(exit: GroupExit | None, *, error: str) -> str | None:
    """How a group ended that no candidate can have ended; None for one that died by itself."""
    if exit is None:
        return f"is lost: {error}" if error else "left with the campaign before this one"
    where = f" on {exit.host}" if exit.host else ""
    if exit.killed:
        return f"was killed{where}: {exit.killed}"
    if exit.exit_code == 0:
        return f"left in order{where}" + (f": {exit.told}" if exit.told else "")
    if exit.told:  # whatever ended it had been sent to all that ran on its node
        return f"{how_it_ended(exit.exit_code)}{where} while it was leaving: {exit.told}"
    return None


def _whose_fault(
    attributed: int | None, *, training: dict[int, int], lost: list[int]
) -> tuple[frozenset[int], frozenset[int]]:
    """(charged, quarantined). A rank may die before word of what it took up has come: then all are quarantined."""
    if attributed is not None and training.get(attributed) in lost:
        return frozenset({training[attributed]}), frozenset()
    if len(lost) == 1:
        return frozenset(lost), frozenset()
    return frozenset(), frozenset(lost)
