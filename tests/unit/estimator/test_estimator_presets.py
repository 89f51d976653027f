"""Presets by name: settings, defaults, and messages for what can't be."""

from __future__ import annotations

import math
import pickle

import pytest

import estimator
from estimator import Engine, Source, preset, presets
from estimator.forecasters import BestSoFar, Exponential
from estimator.rules import Convergence, NeverLearn


def test_every_preset_says_in_one_line_what_it_is() -> None:
    listed = presets()
    first = ["peng4nn", "peng4nn-listing", "penguin", "a4nn", "menndl", "i-epoch", "none"]
    assert list(listed)[: len(first)] == first
    assert all(line and "\n" not in line for line in listed.values())


@pytest.mark.parametrize("name", presets())
def test_presets_survive_pickling_and_compare_by_value(name: str) -> None:
    value = preset(name, max_epochs=20, chance_accuracy=10.0)
    assert value.name == name
    assert pickle.loads(pickle.dumps(value)) == value
    assert value != preset(name, max_epochs=21, chance_accuracy=10.0)


def test_peng4nn_has_the_defaults_of_table_ii() -> None:
    value = preset("peng4nn", max_epochs=20)
    assert repr(value.rule) == repr(
        Convergence(
            window=3,
            tolerance=0.5,
            loss_check=False,
            loss_patience_epochs=5.0,
            never_learn=NeverLearn(chance_accuracy=math.nan, margin=1.0),
        )
    )
    assert isinstance(value.forecaster, Exponential)
    assert (value.forecaster.epochs_per_interval, value.forecaster.min_points) == (0.5, 3)
    assert value.conclusion is Source.BEST_OBSERVED


def test_settings_reach_the_rule() -> None:
    value = preset(
        "peng4nn",
        max_epochs=20,
        chance_accuracy=19.6,
        window=4,
        tolerance=1.0,
        loss_check=True,
        loss_patience_epochs=3,
        never_learn_margin=0.5,
    )
    assert value.rule == Convergence(
        window=4,
        tolerance=1.0,
        loss_check=True,
        loss_patience_epochs=3,
        never_learn=NeverLearn(chance_accuracy=19.6, margin=0.5),
    )


def test_menndl_forecasts_the_best_so_far() -> None:
    assert preset("menndl", max_epochs=20).forecaster == BestSoFar()


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("peng5nn", {}, r"unknown preset 'peng5nn'; did you mean 'peng4nn'\? known: peng4nn, "),
        ("xyz", {}, r"unknown preset 'xyz'; known: peng4nn, "),
        (
            "peng4nn",
            {"windw": 3},
            r"preset peng4nn: unknown setting 'windw'; did you mean 'window'\? known: win",
        ),
        ("none", {"window": 3}, r"preset none: unknown setting 'window'; known: none"),
        ("penguin", {"loss_check": True}, r"preset penguin: unknown setting 'loss_check'; known: window, "),
        ("peng4nn", {"window": 1}, r"preset peng4nn: window = 1 must be a whole number, 2 or more"),
        ("peng4nn", {"window": 3.0}, r"window = 3.0 must be a whole number"),
        ("peng4nn", {"window": True}, r"window = True must be a whole number"),
        ("peng4nn", {"tolerance": "0.5"}, r"tolerance = '0.5' must be a finite number above 0"),
        ("peng4nn", {"tolerance": math.nan}, r"tolerance = nan must be a finite number above 0"),
        ("peng4nn", {"min_points": 1}, r"min_points = 1 must be a whole number, 2 or more"),
        ("peng4nn", {"loss_check": 1}, r"loss_check = 1 must be true or false"),
        ("peng4nn", {"loss_check": True}, r"loss_check = True needs chance_accuracy"),
        ("peng4nn", {"loss_patience_epochs": 0}, r"loss_patience_epochs = 0 must be a finite number above 0"),
        (
            "peng4nn",
            {"never_learn_margin": -1.0},
            r"never_learn_margin = -1.0 must be a finite number, 0 or more",
        ),
        (
            "peng4nn",
            {"chance_accuracy": 101.0},
            r"chance_accuracy = 101.0 must be in percent, 0..100, or NaN",
        ),
        ("peng4nn", {"max_epochs": 0}, r"preset peng4nn: max_epochs = 0 must be a finite number above 0"),
        (
            "peng4nn",
            {"epochs_per_interval": -0.5},
            r"epochs_per_interval = -0.5 must be a finite number above 0",
        ),
        ("none", {"epochs_per_interval": 21.0}, r"epochs_per_interval = 21.0 is more than max_epochs = 20"),
        ("i-epoch", {"epochs": 21.0}, r"preset i-epoch: epochs = 21.0 is more than max_epochs = 20"),
        ("i-epoch", {"epochs": "1"}, r"epochs = '1' must be a finite number above 0"),
        ("menndl", {"patience_epochs": math.inf}, r"patience_epochs = inf must be a finite number above 0"),
    ],
)
def test_what_can_not_be_is_refused(name: str, arguments: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        preset(name, **{"max_epochs": 20, **arguments})


def test_own_parts_combine() -> None:
    own = estimator.Preset(
        name="own",
        max_epochs=10,
        forecaster=BestSoFar(),
        rule=Convergence(window=2, tolerance=0.1),
        conclusion=Source.LAST_OBSERVED,
    )
    engine = Engine(own)
    assert not engine.observe(1, val_accuracy=50.0).stop
    assert engine.observe(2, val_accuracy=49.0).stop
