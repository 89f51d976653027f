"""Which kind of task data are, and what a campaign wants to know of them before anything is launched."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hpc_nas.configuration import DataSection
from hpc_nas.errors import DataError
from hpc_nas.spaces.objective import Objective
from hpc_nas.spaces.problem import AnyProblem
from hpc_nas.tasks import images, text
from hpc_nas.tasks.base import Task, TaskData, TaskKind
from hpc_nas.tasks.host_memory import GIB, available_bytes

KINDS: tuple[TaskKind, ...] = (text.KIND, images.KIND)
"""The first that claims the data has them; images claim the rest."""


def load_task(section: DataSection, *, cache_dir: Path) -> Task:
    """What candidates are trained and judged on; what must be unpacked or downloaded goes below `cache_dir`.

    Safe to call from several processes at once. Raises DataError where the data are unknown, missing or corrupt.
    """
    kind = next(kind for kind in KINDS if kind.claims(section))
    try:
        return kind.load(section, cache_dir=cache_dir)
    except MemoryError as error:
        raise DataError(
            f"{section.name}: does not fit into memory: {error or 'no more to be had'}; "
            f"{available_bytes() / GIB:.2f} GiB are available here; use fewer or smaller samples, or more memory"
        ) from error


def noise(problem: AnyProblem, *, num_samples: int, seed: int) -> TaskData:
    """Data of a problem's shape without any meaning, to try a network on."""
    kind = next(kind for kind in KINDS if isinstance(problem, kind.problem_type))
    return kind.noise(problem, num_samples=num_samples, seed=seed)


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
    warnings: tuple[str, ...] = ()

    def as_record(self) -> dict[str, Any]:
        """What the ledger keeps of it."""
        record = asdict(self)
        del record["warnings"]
        return record


def summarize(task: Task) -> DataSummary:
    """What a campaign knows of its data."""
    return DataSummary(
        problem=task.problem,
        objective=task.problem.objective,
        chance_accuracy=task.chance_accuracy,
        num_train=task.num_train,
        num_validation=task.num_validation,
        num_test=task.num_test,
        checksum=task.checksum,
        fingerprint=task.fingerprint,
        warnings=task.warnings,
    )
