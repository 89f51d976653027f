"""Strategies that bring an estimator preset along, and what a campaign file may say beside them."""

from __future__ import annotations

from pathlib import Path

import pytest

import estimator
from hpc_nas.configuration import Configuration, SearchSection, load_configuration, read_configuration
from hpc_nas.configuration.pairs import PAIRS
from hpc_nas.errors import ConfigurationError
from hpc_nas.search.registry import STRATEGIES


def load(*settings: str) -> Configuration:
    return load_configuration(None, settings=settings)


@pytest.mark.parametrize(
    ("name", "preset"),
    [("asha", "asha"), ("hyperband", "hyperband"), ("bohb", "hyperband"), ("tpe", "peng4nn")],
)
def test_the_strategy_chooses_its_preset_and_the_stored_configuration_names_it(
    tmp_path: Path, name: str, preset: str
) -> None:
    configuration = load(f"search.name={name}", "estimator.settings.eta=2")
    assert (configuration.estimator.preset, configuration.estimator.settings) == (preset, {"eta": 2})
    path = tmp_path / "configuration.json"
    path.write_text(configuration.model_dump_json())
    assert f'"preset":"{preset}"' in path.read_text()
    assert read_configuration(path) == configuration


@pytest.mark.parametrize("preset", ["hyperband", "hyperband:eta=2"])
def test_its_own_preset_may_be_named_with_settings(preset: str) -> None:
    assert load("search.name=bohb", f"estimator.preset={preset}").estimator.preset == preset


@pytest.mark.parametrize("preset", ["peng4nn", "asha", "any(hyperband, patience)"])
def test_another_preset_is_refused_with_what_to_write_instead(tmp_path: Path, preset: str) -> None:
    path = tmp_path / "c.toml"
    path.write_text(f'[search]\nname = "bohb"\n[estimator]\npreset = "{preset}"\n')
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(path)
    assert str(caught.value) == (
        f"c.toml [estimator]: preset = {preset!r}, but [search] name = 'bohb' stands for the draws of 'tpe' with the "
        "preset 'hyperband'; leave preset out, or keep it and use [search] name = 'tpe'"
    )


def test_a_configuration_made_in_code_must_name_the_preset() -> None:
    with pytest.raises(ValueError, match="preset = 'peng4nn', but"):
        Configuration(search=SearchSection(name="asha"))


def test_every_pair_is_made_of_what_there_is() -> None:
    for name, pair in PAIRS.items():
        assert {name, pair.sampler} <= set(STRATEGIES)
        assert pair.preset in estimator.presets()
