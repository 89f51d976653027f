"""A group has ended: what is left of it, and who is charged."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import estimator
from hpc_nas.campaign.postmortem import examine
from hpc_nas.campaign.salvage import salvage
from hpc_nas.configuration import Configuration
from hpc_nas.platforms.supervisor import GroupExit
from hpc_nas.records.run_directory import RunDirectory
from hpc_nas.values import Outcome


@dataclass(frozen=True, kw_only=True)
class Loss:
    """What the end of a group means.

    Only the candidate whose rank died is charged. Where the culprit is not known, all that the group had in
    hand are suspects and run again one at a time, so that the next such death has one culprit. A group that
    Parsl lost with its node or its pool charges nobody.
    """

    message: str
    salvaged: list[Outcome]
    charged: frozenset[int]
    suspects: frozenset[int]


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

    def examine(self, group: int, *, in_flight: list[int], exit: GroupExit | None, error: str) -> Loss:
        """Read what the group left behind; `in_flight` are the candidates it had in hand."""
        directory = self._run_directory.group_dir(group)
        salvaged = salvage(
            self._run_directory.rank_file_paths(group),
            preset=self._preset,
            mode=self._configuration.estimator.mode,
        )
        training = self._training.pop(group, {})
        if exit is None:
            return Loss(
                message=error or "left with the campaign before this one",
                salvaged=salvaged,
                charged=frozenset(),
                suspects=frozenset(),
            )
        if exit.exit_code == 0:
            return Loss(message="left in order", salvaged=salvaged, charged=frozenset(), suspects=frozenset())
        found = examine(directory, log=self._run_directory.launch_log_path(group), exit=exit)
        charged, suspects = _whose_fault(found.culprit, training=training, in_flight=in_flight)
        if found.culprit == self._configuration.world_size - 1:
            charged = suspects = frozenset()  # the estimator rank trains nothing
        return Loss(message=found.message, salvaged=salvaged, charged=charged, suspects=suspects)


def _whose_fault(
    culprit: int | None, *, training: dict[int, int], in_flight: list[int]
) -> tuple[frozenset[int], frozenset[int]]:
    if culprit in training:
        return frozenset({training[culprit]}), frozenset()
    if len(in_flight) == 1:
        return frozenset(in_flight), frozenset()
    return frozenset(), frozenset(in_flight)
