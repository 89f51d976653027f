"""What the campaign does with the data before anything is launched: fetch, check, and say what it found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hpc_nas.configuration import DataSection
from hpc_nas.spaces.objective import Objective
from hpc_nas.spaces.problem import AnyProblem
from hpc_nas.training.datasets import load_splits


@dataclass(frozen=True, kw_only=True)
class DataSummary:
    """A checked data set, without its content. `chance_accuracy` is in percent: what knowing nothing but the shares
    of the classes (of the words) gives. `num_train`, `num_validation` and `num_test` count samples.

    `checksum` is the whole data set's, `fingerprint` that of what candidates are trained and validated on. `warnings`
    say, each in a line, what lets no campaign fail and is no good sign.
    """

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


def prepare(section: DataSection, *, cache_dir: Path) -> DataSummary:
    """Bring the data set into the cache, where it needs one, and check all of it. Raises DataError.

    Trainers load it again later, from the same cache, without any download.
    """
    splits = load_splits(section, cache_dir=cache_dir)
    return DataSummary(
        problem=splits.problem,
        objective=splits.problem.objective,
        chance_accuracy=splits.chance_accuracy,
        num_train=splits.num_train,
        num_validation=splits.num_validation,
        num_test=splits.num_test,
        checksum=splits.checksum,
        fingerprint=splits.fingerprint,
        warnings=splits.warnings,
    )
