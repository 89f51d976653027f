"""The released engines' own published results, reproduced."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from estimator import Decision, Engine, preset


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of PENGUIN's text format: a space-separated table, metadata on its first row only."""

    epoch: float
    train_loss: float
    val_loss: float
    val_accuracy: float


def read_penguin_text(path: Path) -> list[Row]:
    lines = path.read_text(encoding="utf-8").splitlines()
    columns = [lines[0].split(" ").index(name) for name in ("epochs", "trainLoss", "valLoss", "valAcc")]
    rows = []
    for line in lines[1:]:
        fields = line.split(" ")
        epoch, train_loss, val_loss, val_accuracy = (float(fields[column]) for column in columns)
        rows.append(Row(epoch=epoch, train_loss=train_loss, val_loss=val_loss, val_accuracy=val_accuracy))
    return rows


def first_stop(engine: Engine, rows: list[Row]) -> tuple[float, Decision]:
    for row in rows:
        decision = engine.observe(
            row.epoch, val_accuracy=row.val_accuracy, val_loss=row.val_loss, train_loss=row.train_loss
        )
        if decision.stop:
            return row.epoch, decision
    pytest.fail("never stopped")


def test_penguin_gives_the_published_stop_epochs_and_forecasts(test_data: Path) -> None:
    directory = test_data / "curves" / "penguin_cifar100"
    expected = list(csv.DictReader((directory / "expected.csv").read_text(encoding="utf-8").splitlines()))
    assert len(expected) == 3
    for network in expected:
        rows = read_penguin_text(directory / f"{network['net_id']}.txt")
        # its authors ran it with e_max = 20, though 40 epochs were trained
        epoch, decision = first_stop(Engine(preset("penguin", max_epochs=20)), rows)
        assert epoch == float(network["stop_epoch"])
        assert decision.estimate == pytest.approx(float(network["predicted_accuracy"]), rel=1e-4)
        assert decision.forecast is not None
        assert decision.forecast.a == pytest.approx(float(network["a"]), rel=1e-4)


def test_peng4nn_stops_the_published_networks_for_good_reasons(test_data: Path) -> None:
    directory = test_data / "curves" / "penguin_cifar100"
    stops = {}
    for path in sorted(directory.glob("*.txt")):
        engine = Engine(preset("peng4nn", max_epochs=20, chance_accuracy=1.0))
        epoch, decision = first_stop(engine, read_penguin_text(path))
        stops[path.stem[-6:]] = (epoch, str(decision.reason), round(decision.estimate, 1))
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
