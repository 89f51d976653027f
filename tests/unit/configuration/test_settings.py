"""`--set table.key=value`: every form of it, and what a configuration is after a trip through JSON."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpc_nas.configuration import (
    CampaignSection,
    Configuration,
    DataSection,
    DeviceVariable,
    EstimatorSection,
    GroupSection,
    Mode,
    NodeLauncher,
    Placement,
    PlatformSection,
    Scheduler,
    SearchSection,
    SpaceSection,
    TrainingSection,
    load_configuration,
    parse_setting,
)
from hpc_nas.configuration.section import MAX_COUNT, MAX_SEED
from hpc_nas.errors import ConfigurationError


@pytest.mark.parametrize(
    ("text", "keys", "value"),
    [
        ("campaign.seed=3", ["campaign", "seed"], 3),
        ("campaign.seed = 3", ["campaign", "seed"], 3),
        ("training.learning_rate=1e-3", ["training", "learning_rate"], 1e-3),
        ("data.download=false", ["data", "download"], False),
        ("data.name=digits", ["data", "name"], "digits"),
        ('data.name="digits"', ["data", "name"], "digits"),
        ("data.name='digits'", ["data", "name"], "digits"),
        ("data.name=/path/of images.npz", ["data", "name"], "/path/of images.npz"),
        ("space.name=file.py:function", ["space", "name"], "file.py:function"),
        ("estimator.settings.tolerance=0.5", ["estimator", "settings", "tolerance"], 0.5),
        ("platform.environment.FLAGS=-x a=b", ["platform", "environment", "FLAGS"], "-x a=b"),
        (
            'platform.addresses=["10.0.0.1", "10.0.0.2"]',
            ["platform", "addresses"],
            ["10.0.0.1", "10.0.0.2"],
        ),
        ("campaign.name=", ["campaign", "name"], ""),
    ],
)
def test_value_is_toml_and_a_bare_word_is_a_string(text: str, keys: list[str], value: object) -> None:
    found = parse_setting(text)
    assert found == (keys, value)
    assert type(found[1]) is type(value)


@pytest.mark.parametrize("text", ["", "campaign", "campaign.seed", "seed=3", ".seed=3", "campaign.=3", "=3"])
def test_other_forms_are_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"not of the form table\.key=value"):
        parse_setting(text)


def test_settings_reach_nested_tables_and_the_last_one_counts() -> None:
    configuration = load_configuration(
        None,
        settings=(
            "estimator.settings.tolerance=0.5",
            "estimator.settings.window=3",
            "platform.environment.FLAGS=fast",
            "group.orphan_grace_s=8",
            "group.orphan_grace_s=9",
            "data.download=false",
        ),
    )
    assert configuration.estimator.settings == {"tolerance": 0.5, "window": 3}
    assert configuration.platform.environment == {"FLAGS": "fast"}
    assert configuration.group.orphan_grace_s == 9.0
    assert type(configuration.group.orphan_grace_s) is float
    assert configuration.data.download is False


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("capaign.seed=3", "--set capaign.seed=3: unknown table 'capaign'; did you mean 'campaign'?"),
        (
            "campaign.sed=3",
            "--set campaign.sed=3 [campaign]: unknown key 'sed'; did you mean 'seed'?",
        ),
        (
            "training.learning_rate=fast",
            "--set training.learning_rate=fast [training]: learning_rate = 'fast' is not allowed: "
            "Input should be a valid number; expected a number, above 0 to 10000",
        ),
        (
            "campaign.seed=2.0",
            "--set campaign.seed=2.0 [campaign]: seed = 2.0 is not allowed: Input should be a valid integer; "
            "expected a whole number, 0 to 18446744073709551615",
        ),
    ],
)
def test_refused_setting_is_named(setting: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_configuration(None, settings=(setting,))
    assert str(caught.value) == message


def test_key_below_a_value_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="'max_epochs' holds a value, not a table"):
        load_configuration(None, settings=("training.max_epochs=2", "training.max_epochs.x=1"))


# --- JSON ----------------------------------------------------------------------------------------------------

TEXT = st.text(max_size=20)
COUNT = st.integers(1, MAX_COUNT)
FINITE = st.one_of(st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXT)
SCALARS = FINITE | st.sampled_from([math.inf, -math.inf])
OPTION_NAMES = st.text("abcdefgh_", min_size=1, max_size=8).filter(
    lambda name: not name.startswith(("_", "model_"))
)
OPTIONS = st.dictionaries(OPTION_NAMES, SCALARS, max_size=4)
NAMES = st.from_regex(r"\A[A-Z_][A-Z0-9_]{0,9}\Z")
ADDRESSES = st.ip_addresses(v=4).map(str) | st.sampled_from(["localhost", "login1", "node-3.cluster.example"])
POSITIVE = st.floats(min_value=0.0, exclude_min=True, allow_nan=False, allow_infinity=False)


@st.composite
def trainings(draw: st.DrawFn) -> TrainingSection:
    interval = draw(st.sampled_from([0.1, 0.25, 0.5, 1.0, 2.0]))
    return TrainingSection(
        epochs_per_interval=interval,
        max_epochs=interval * draw(st.integers(1, 200)),
        batch_size=draw(st.none() | COUNT),
        optimizer=draw(st.sampled_from([None, "sgd", "nesterov", "adam", "adamw", "rmsprop"])),
        learning_rate=draw(st.none() | st.floats(1e-9, 1000.0)),
        schedule=draw(st.sampled_from([None, "constant", "linear", "cosine", "step"])),
        step_epochs=draw(st.none() | st.floats(1e-3, 1e6)),
        deterministic=draw(st.booleans()),
    )


def options_of(model: Any) -> st.SearchStrategy[Any]:
    return OPTIONS.map(lambda options: model.model_validate({"name": "any", **options}))


CONFIGURATIONS = st.builds(
    Configuration,
    campaign=st.builds(
        CampaignSection,
        name=st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,9}\Z"),
        num_candidates=COUNT,
        seed=st.integers(0, MAX_SEED),
    ),
    data=st.builds(
        DataSection,
        name=TEXT,
        data_dir=st.none() | TEXT,
        download=st.booleans(),
        max_train_samples=st.none() | st.integers(2, 10**6),
        validation_fraction=st.floats(0.0, 1.0, exclude_min=True, exclude_max=True),
        validate_on_test=st.booleans(),
    ),
    space=options_of(SpaceSection),
    search=options_of(SearchSection),
    training=trainings(),
    estimator=st.builds(
        EstimatorSection,
        preset=TEXT,
        mode=st.sampled_from(Mode),
        settings=st.dictionaries(TEXT, FINITE, max_size=4),
    ),
    platform=st.builds(
        PlatformSection,
        addresses=st.lists(ADDRESSES, max_size=3),
        environment=st.dictionaries(NAMES, TEXT.filter(lambda text: "\0" not in text), max_size=3),
        gpus_per_node=st.just(0),
        scheduler=st.sampled_from([Scheduler.SLURM]),
        placement=st.sampled_from(Placement),
        node_launcher=st.sampled_from([NodeLauncher.SRUN]),
        num_nodes=st.integers(1, 100_000),
        walltime=st.sampled_from(["00:10:00", "1200:00:01"]),
        device_variable=st.sampled_from(DeviceVariable),
        account=st.none() | NAMES,
        directives=st.lists(NAMES.map("--{}".format), max_size=2),
        setup=st.lists(NAMES, max_size=2),
    ),
    group=st.builds(
        GroupSection,
        groups_per_node=st.integers(1, 256),
        trainers_per_node=st.integers(1, 1024),
        prefetch=st.none() | st.integers(0, 99),
        orphan_grace_s=st.floats(6.0, 3600.0),
    ),
)


@given(CONFIGURATIONS)
def test_any_configuration_survives_json(configuration: Configuration) -> None:
    """The run directory holds it as JSON; every rank and every resumed campaign reads it from there."""
    again = Configuration.model_validate_json(configuration.model_dump_json(indent=2))
    assert again == configuration
    assert repr(again) == repr(configuration)  # 1, 1.0 and True are equal and yet not the same
