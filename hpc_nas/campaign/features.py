"""What is known of a candidate before it is trained, in numbers: for forecasters that learn from other candidates."""

from __future__ import annotations

import json
import math

from estimator.values import Numbers
from hpc_nas.values import Candidate

MAX_FEATURES = 50
MAX_NAME_BYTES = 50  # with its quotes; a description of 50 such numbers has less than 4,000 bytes


def features_of(candidate: Candidate) -> Numbers:
    """Its weights, layers and multiply-adds, then the numbers among its hyperparameters (true is 1), by name.

    A name that is too long to be sent to worker groups is left out, and so is all beyond `MAX_FEATURES`.
    """
    found = {
        "num_parameters": float(candidate.num_parameters),
        "num_layers": float(candidate.num_layers),
        "macs": float(candidate.macs),
    }
    for name, value in sorted(candidate.parameters.items()):
        if not isinstance(value, str) and math.isfinite(value) and len(json.dumps(name)) <= MAX_NAME_BYTES:
            found.setdefault(name, float(value))
    return tuple(found.items())[:MAX_FEATURES]
