"""What a learning curve takes, and what it refuses."""

from __future__ import annotations

import math
import pickle

import pytest

from estimator import Curve, InvalidObservation


def test_a_curve_keeps_what_it_was_given() -> None:
    curve = Curve()
    curve.append(0.5, val_accuracy=10.0, val_loss=2.3, train_loss=2.4, train_accuracy=11.0)
    curve.append(1.5, val_accuracy=8.0)

    assert len(curve) == 2
    assert curve.epochs.tolist() == [0.5, 1.5]
    assert curve.val_accuracy.tolist() == [10.0, 8.0]
    assert curve.best_so_far.tolist() == [10.0, 10.0]
    assert repr(curve.val_loss.tolist()) == "[2.3, nan]"
    assert repr(curve.train_loss.tolist()) == "[2.4, nan]"
    assert repr(curve.train_accuracy.tolist()) == "[11.0, nan]"
    assert (curve.last_epoch, curve.last_accuracy, curve.best_accuracy) == (1.5, 8.0, 10.0)


def test_an_empty_curve_has_no_accuracy() -> None:
    curve = Curve()
    assert curve.last_epoch == 0.0
    assert math.isnan(curve.last_accuracy)
    assert math.isnan(curve.best_accuracy)


@pytest.mark.parametrize(
    ("epoch", "accuracies", "message"),
    [
        (1.0, {"val_accuracy": math.nan}, "epoch 1: val_accuracy = nan is not finite"),
        (1.0, {"val_accuracy": math.inf}, "epoch 1: val_accuracy = inf is not finite"),
        (1.0, {"val_accuracy": 100.5}, r"epoch 1: val_accuracy = 100.5 is outside 0..100 percent"),
        (1.0, {"val_accuracy": -0.1}, r"val_accuracy = -0.1 is outside 0..100 percent"),
        (1.0, {"val_accuracy": 50.0, "train_accuracy": 101.0}, "train_accuracy = 101.0 is outside"),
        (1.0, {"val_accuracy": 50.0, "train_accuracy": -math.inf}, "train_accuracy = -inf is not finite"),
        (0.5, {"val_accuracy": 50.0}, "epoch = 0.5 does not come after the last observation, at 0.5"),
        (0.25, {"val_accuracy": 50.0}, "epoch = 0.25 does not come after"),
        (0.0, {"val_accuracy": 50.0}, "epoch = 0.0 must be finite and above 0"),
        (math.nan, {"val_accuracy": 50.0}, "epoch = nan must be finite and above 0"),
        (math.inf, {"val_accuracy": 50.0}, "epoch = inf must be finite and above 0"),
    ],
)
def test_an_invalid_observation_is_refused_whole(
    epoch: float, accuracies: dict[str, float], message: str
) -> None:
    curve = Curve()
    curve.append(0.5, val_accuracy=40.0)
    with pytest.raises(InvalidObservation, match=message):
        curve.append(epoch, val_loss=1.0, **accuracies)
    assert [len(column) for column in (curve.epochs, curve.val_accuracy, curve.val_loss)] == [1, 1, 1]


def test_losses_may_be_unknown_or_infinite() -> None:
    curve = Curve()
    curve.append(1, val_accuracy=0, val_loss=math.inf, train_loss=math.nan)
    assert curve.val_loss.tolist() == [math.inf]


def test_the_error_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(InvalidObservation("epoch 1: no")))
    assert isinstance(error, ValueError)
    assert str(error) == "epoch 1: no"
