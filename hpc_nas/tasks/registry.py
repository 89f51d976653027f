"""Which kind of task data are, and what a campaign wants to know of them before anything is launched."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hpc_nas.configuration import DataSection
from hpc_nas.spaces.objective import Objective
from hpc_nas.spaces.problem import AnyProblem
from hpc_nas.tasks import images, text
from hpc_nas.tasks.base import Task, TaskKind

KINDS: tuple[TaskKind, ...] = (text.KIND, images.KIND)
"""The first that claims the data has them; images claim the rest."""


def load_task(section: DataSection, *, cache_dir: Path) -> Task:
    """What candidates are trained and judged on; what must be unpacked or downloaded goes below `cache_dir`.

    Safe to call from several processes at once. Raises DataError where the data are unknown, missing or corrupt.
    """
    kind = next(kind for kind in KINDS if kind.claims(section))
    return kind.load(section, cache_dir=cache_dir)


@dataclass(frozen=True, kw_only=True)
class DataSummary:
    """A checked data set, without its content; see `Task` for each."""

    problem: AnyProblem
    objective: Objective
    chance_accuracy: float
    num_train: int
    num_validation: int
    num_test: int
    checksum: str
    fingerprint: str


def summarize(task: Task) -> DataSummary:
    """What the ledger and the archive keep of the data."""
    return DataSummary(
        problem=task.problem,
        objective=task.problem.objective,
        chance_accuracy=task.chance_accuracy,
        num_train=task.num_train,
        num_validation=task.num_validation,
        num_test=task.num_test,
        checksum=task.checksum,
        fingerprint=task.fingerprint,
    )
