"""A campaign describes its candidates before anybody has trained them: no preset may stumble over that."""

from __future__ import annotations

import pytest

from estimator import Described, Engine, History, preset, presets

MAX_EPOCHS = 6.0


def watch(name: str, history: History, *, number: int) -> None:
    """Train a candidate to the end, or to the first stop or pause."""
    watched = Engine(preset(name, max_epochs=MAX_EPOCHS), history=history, candidate=number)
    for index in range(12):
        accuracy = 10.0 + number + 60.0 * index / (index + 3.0)
        decision = watched.observe((index + 1) * 0.5, val_accuracy=accuracy, train_loss=2.0 / (index + 1))
        if decision.stop or decision.pause:
            return


@pytest.mark.parametrize("name", sorted(presets()))
def test_candidates_that_are_only_described_disturb_nobody(name: str) -> None:
    history = History()
    for number in range(8):
        # Two are always described ahead of the one that trains.
        for ahead in (number + 1, number + 2):
            history.apply(Described(candidate=ahead, features=(("num_parameters", 1000.0 * ahead),)))
        watch(name, history, number=number)
    made = preset(name, max_epochs=MAX_EPOCHS)
    promoted = made.promotion.promote(history, num_new=0)
    assert promoted is None or promoted in history.members
    assert set(made.promotion.settle(history)) <= set(history.members)
