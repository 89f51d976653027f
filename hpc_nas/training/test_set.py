"""The last look at a finished network: its loss and score on the test set, which nothing else ever sees."""

from __future__ import annotations

import torch

from hpc_nas.configuration import TrainingSection
from hpc_nas.spaces.space import Space
from hpc_nas.tasks.base import HeldOut
from hpc_nas.tasks.sums import Means
from hpc_nas.training.checkpoint import Plain
from hpc_nas.training.session import Session
from hpc_nas.values import Candidate


def evaluate(
    candidate: Candidate,
    weights: Plain,
    *,
    space: Space,
    held_out: HeldOut,
    section: TrainingSection,
    device: torch.device,
) -> Means:
    """Loss and accuracy on the test set of the candidate's network with this state dict, as a validation has them.

    Raises whatever the network's own code raises, NonFiniteLoss besides.
    """
    session = Session(candidate, space=space, data=held_out.data, section=section, device=device)
    try:
        session.module.load_state_dict(weights, strict=True)
        for _ in range(session.validation_batches_left):
            session.validate_batch()
        return session.validation_means()
    finally:
        session.close()
