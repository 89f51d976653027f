"""What a strategy maximizes or minimizes, as it stands in an outcome or in the candidate itself."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from hpc_nas.values import Candidate, Outcome, State

__all__ = ["ACCURACIES", "ESTIMATE", "MACS", "PARAMETERS", "PESSIMISTIC", "AccuracyName", "Objective"]

AccuracyName = Literal["estimate", "pessimistic"]

_MEASURED = (State.FINISHED, State.STOPPED)


@dataclass(frozen=True, kw_only=True)
class Objective:
    """`value` gives the figure; None where there is none to be told."""

    name: str
    direction: Literal["maximize", "minimize"]
    value: Callable[[Candidate, Outcome], float | None]


def _estimate(candidate: Candidate, outcome: Outcome) -> float | None:
    if outcome.state not in _MEASURED or outcome.estimate is None or not math.isfinite(outcome.estimate):
        return None
    return outcome.estimate


ESTIMATE = Objective(name="estimate", direction="maximize", value=_estimate)
"""The outcome's estimate in percent; None for a failed or cancelled candidate, or one without an estimate."""


def _pessimistic(candidate: Candidate, outcome: Outcome) -> float | None:
    estimate, spread = _estimate(candidate, outcome), outcome.spread
    if estimate is None or spread is None or not math.isfinite(spread):
        return estimate
    return estimate - spread


PESSIMISTIC = Objective(name="pessimistic", direction="maximize", value=_pessimistic)
"""The estimate less one spread, so that an unsure estimate does not count like a measured accuracy.

Where the spread is unknown it is the estimate.
"""

ACCURACIES: dict[AccuracyName, Objective] = {"estimate": ESTIMATE, "pessimistic": PESSIMISTIC}
"""What a strategy may rank candidates by, under the names that its option `ranking` takes."""

MACS = Objective(name="macs", direction="minimize", value=lambda candidate, outcome: float(candidate.macs))

PARAMETERS = Objective(
    name="num_parameters",
    direction="minimize",
    value=lambda candidate, outcome: float(candidate.num_parameters),
)
