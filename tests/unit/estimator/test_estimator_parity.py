"""The released engines' own published results, reproduced."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np
import pytest

from estimator import Decision, Engine, preset
from hpc_nas.records.curve_set import CurveSet
from hpc_nas.records.importers import import_penguin


@pytest.fixture(scope="module")
def published(test_data: Path) -> CurveSet:
    """The three networks that PENGUIN's authors publish results for."""
    (curves,) = import_penguin(test_data / "curves" / "penguin_cifar100")
    return curves


def first_stop(engine: Engine, curves: CurveSet, network: str) -> tuple[float, Decision]:
    row = curves.ids.index(network)
    assert curves.val_loss is not None
    assert curves.train_loss is not None
    for column, epoch in enumerate(curves.epochs.tolist()):
        decision = engine.observe(
            epoch,
            val_accuracy=curves.val_accuracy[row, column],
            val_loss=curves.val_loss[row, column],
            train_loss=curves.train_loss[row, column],
        )
        if decision.stop:
            return epoch, decision
    pytest.fail("never stopped")


def test_penguin_gives_the_published_stop_epochs_and_forecasts(test_data: Path, published: CurveSet) -> None:
    path = test_data / "curves" / "penguin_cifar100" / "expected.csv"
    expected = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
    assert len(expected) == 3
    for network in expected:
        # its authors ran it with e_max = 20, though 40 epochs were trained
        epoch, decision = first_stop(Engine(preset("penguin", max_epochs=20)), published, network["net_id"])
        assert epoch == float(network["stop_epoch"])
        assert decision.estimate == pytest.approx(float(network["predicted_accuracy"]), rel=1e-4)
        assert decision.forecast is not None
        assert decision.forecast.a == pytest.approx(float(network["a"]), rel=1e-4)


def test_peng4nn_stops_the_published_networks_for_good_reasons(published: CurveSet) -> None:
    stops = {}
    for network in published.ids:
        engine = Engine(preset("peng4nn", max_epochs=20, chance_accuracy=1.0))
        epoch, decision = first_stop(engine, published, network)
        stops[network[-6:]] = (epoch, str(decision.reason), round(decision.estimate, 1))
    assert stops == {
        "539263": (4.0, "converged", 25.7),
        "917381": (5.5, "never_learn", 2.0),
        "105932": (8.5, "converged", 24.3),
    }


def test_a4nn_gives_the_recorded_forecasts_and_flags(test_data: Path) -> None:
    recorded = np.load(test_data / "curves" / "a4nn_1e14.npz")
    chosen = slice(0, 300, 20)  # all 300 take minutes: 5,865 of 5,868 forecasts, every flag
    close = flags = total = 0
    for accuracies, forecasts, converged in zip(
        recorded["val_acc"][chosen],
        recorded["prediction"][chosen],
        recorded["converged"][chosen],
        strict=True,
    ):
        engine = Engine(preset("a4nn", max_epochs=25, epochs_per_interval=1))
        for index in range(int(np.isfinite(accuracies).sum())):
            engine.observe(index + 1, val_accuracy=float(accuracies[index]))
            forecast, expected = engine.forecasts[-1], float(forecasts[index])
            total += 1
            value = math.inf if forecast is None else forecast.value
            close += value == expected or abs(value - expected) <= 1e-3 * abs(expected)
            decision = engine.preset.rule.decide(engine.curve, engine.forecasts)
            flags += decision.stop == bool(converged[index])
    assert total > 250
    assert close >= 0.995 * total
    assert flags == total
