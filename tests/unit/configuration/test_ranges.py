"""Every number that can be set has two ends: both are taken, what is beyond is refused with what is allowed."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

import estimator
from estimator.preset_library.lookup import _BUILDERS
from hpc_nas.configuration import Configuration, load_configuration
from hpc_nas.configuration.ranges import NumberRange, range_of
from hpc_nas.errors import ConfigurationError, HpcNasError
from hpc_nas.search.registry import STRATEGIES
from hpc_nas.spaces.options import resolve_options, type_hints
from hpc_nas.spaces.registry import SPACES


def numeric_keys(model: type[BaseModel], *path: str) -> Iterator[tuple[tuple[str, ...], NumberRange]]:
    """Of a schema and the tables in it."""
    for name, field in model.model_fields.items():
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            yield from numeric_keys(annotation, *path, name)
        elif (wanted := range_of(annotation, field.metadata)) is not None:
            yield (*path, name), wanted


KEYS = {".".join(path): wanted for path, wanted in numeric_keys(Configuration)}
OPTIONS: dict[str, tuple[Callable[..., Any], str, NumberRange]] = {
    f"{name}.{option}": (function, option, wanted)
    for name, function in [*SPACES.items(), *STRATEGIES.items()]
    for option, annotation in type_hints(function).items()
    if (wanted := range_of(annotation)) is not None
}


def inside(wanted: NumberRange) -> list[int | float]:
    assert wanted.lowest is not None
    assert wanted.highest is not None
    if wanted.is_whole:
        return [int(wanted.lowest), int(wanted.highest)]
    low, high = float(wanted.lowest), float(wanted.highest)
    return [
        math.nextafter(low, high) if wanted.is_open_below else low,
        math.nextafter(high, low) if wanted.is_open_above else high,
    ]


def beyond(wanted: NumberRange) -> list[int | float]:
    assert wanted.lowest is not None
    assert wanted.highest is not None
    if wanted.is_whole:
        return [int(wanted.lowest) - 1, int(wanted.highest) + 1, 10**30, -(10**30)]
    low, high = float(wanted.lowest), float(wanted.highest)
    return [
        low if wanted.is_open_below else math.nextafter(low, -math.inf),
        high if wanted.is_open_above else math.nextafter(high, math.inf),
        1e300,
        -1e300,
    ]


def set_alone(key: str, value: object) -> None:
    """Refused by this key's own range, or taken, or refused by what it does not go together with."""
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    load_configuration(None, settings=(f"{key}={text}",))


def test_the_schema_has_keys_to_look_at() -> None:
    assert len(KEYS) > 40
    assert "group.orphan_grace_s" in KEYS
    assert "data.text.sequence_length" in KEYS


@pytest.mark.parametrize("key", KEYS)
def test_a_key_s_own_range_ends_on_both_sides_and_takes_both_ends(key: str) -> None:
    assert KEYS[key].lowest is not None
    assert KEYS[key].highest is not None
    for value in inside(KEYS[key]):
        try:
            set_alone(key, value)
        except ConfigurationError as error:
            assert "is not allowed: Input" not in str(error)  # noqa: PT017  # it may not go with another


@pytest.mark.parametrize("key", KEYS)
def test_what_is_beyond_or_no_number_is_refused_with_what_is_allowed(key: str) -> None:
    table, _, name = key.partition(".")
    wrong: list[object] = [*beyond(KEYS[key]), True, False, "'3'", math.nan, math.inf, -math.inf]
    for value in wrong:
        text = str(value) if isinstance(value, str) else str(value).lower() if value != value else repr(value)
        setting = f"{key}={str(value).lower() if isinstance(value, bool) else text}"
        with pytest.raises(ConfigurationError) as caught:
            load_configuration(None, settings=(setting,))
        said = str(caught.value)
        assert f"[{table}]: {name} = " in said
        assert f"; expected {KEYS[key]}" in said


@settings(max_examples=200, deadline=None)
@given(key=st.sampled_from(sorted(KEYS)), value=st.floats() | st.integers())
def test_any_number_is_taken_or_refused_by_its_range(key: str, value: float) -> None:
    wanted = KEYS[key]
    low, high = inside(wanted)
    fits = low <= value <= high and not (wanted.is_whole and isinstance(value, float))
    try:
        set_alone(key, value)
    except ConfigurationError as error:
        assert ("expected " + str(wanted) in str(error)) is not fits  # noqa: PT017
    else:
        assert fits


def as_option(function: Callable[..., Any], option: str, value: object) -> Any:
    parameters = list(inspect.signature(function).parameters.values())
    leading = tuple(p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD)
    return resolve_options(function, {option: value}, leading=leading, where="here", error=HpcNasError)[
        option
    ]


@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_of_a_space_or_strategy_ends_on_both_sides(name: str) -> None:
    function, option, wanted = OPTIONS[name]
    for value in inside(wanted):
        assert as_option(function, option, value) == value
    for wrong in [*beyond(wanted), True, "3", math.nan, math.inf]:
        with pytest.raises(HpcNasError) as caught:
            as_option(function, option, wrong)
        assert f"here: {option} = {wrong!r} is not allowed" in str(caught.value)
        assert f"expected {wanted}" in str(caught.value)


PRESET_SETTINGS = [
    (name, setting)
    for name, builder in _BUILDERS.items()
    for setting, parameter in list(inspect.signature(builder).parameters.items())[1:]
    if type(parameter.default) in (int, float)
]


@pytest.mark.parametrize(("name", "setting"), PRESET_SETTINGS)
def test_a_preset_s_numbers_are_finite_and_of_a_size_that_makes_sense(name: str, setting: str) -> None:
    for wrong in (1e300, -1e300, 10**18, math.nan, math.inf, True):
        with pytest.raises(ValueError, match=r"must be|is more than"):
            estimator.preset(name, max_epochs=20.0, chance_accuracy=10.0, **{setting: wrong})
