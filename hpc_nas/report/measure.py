"""What a campaign's figures in percent mean: accuracy, or a score that stands for a perplexity."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hpc_nas.spaces.objective import Objective, perplexity_of_score

if TYPE_CHECKING:
    from hpc_nas.records.archive import CampaignRecord


@dataclass(frozen=True, kw_only=True)
class Measure:
    """`vocabulary_size` is 0 where the objective is accuracy."""

    objective: Objective
    vocabulary_size: int = 0

    @property
    def name(self) -> str:
        """Of the figure in percent."""
        return self.objective.score_name

    def perplexity(self, score: float) -> float:
        """That of a score in percent; NaN where the objective is accuracy."""
        if self.objective is Objective.ACCURACY:
            return math.nan
        return perplexity_of_score(score, vocabulary_size=self.vocabulary_size)


def measure_of(record: CampaignRecord) -> Measure:
    """As the campaign's record of its data says; accuracy where it says nothing."""
    objective = Objective(record.data.get("objective", Objective.ACCURACY))
    if objective is Objective.ACCURACY:
        return Measure(objective=objective)
    return Measure(objective=objective, vocabulary_size=int(record.data["problem"]["vocabulary_size"]))
