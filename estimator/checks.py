"""Checks of settings, for constructors: each raises ValueError that shows name, value and what is allowed."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from enum import StrEnum
from typing import TypeGuard, TypeVar

__all__ = [
    "nearest",
    "require_at_least",
    "require_count",
    "require_flag",
    "require_percent_or_nan",
    "require_positive",
    "require_probability",
    "to_choice",
]

MAX_COUNT = 10**9
MAX_NUMBER = 1e9
"""No setting makes sense beyond: epochs, points, candidates, accuracies in percent."""

_Choice = TypeVar("_Choice", bound=StrEnum)


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def require_count(name: str, value: object, *, minimum: int) -> None:
    """`value` is a whole number, `minimum` or more, and no more than anybody counts."""
    if not isinstance(value, int) or isinstance(value, bool) or not minimum <= value <= MAX_COUNT:
        raise ValueError(f"{name} = {value!r} must be a whole number, {minimum} or more, at most {MAX_COUNT}")


def require_positive(name: str, value: object) -> None:
    """`value` is a finite number above 0, at most `MAX_NUMBER`."""
    if not _is_number(value) or not 0.0 < value <= MAX_NUMBER:
        raise ValueError(f"{name} = {value!r} must be a finite number above 0, at most {MAX_NUMBER:g}")


def require_at_least(name: str, value: object, *, minimum: float) -> None:
    """`value` is a finite number, `minimum` or more, at most `MAX_NUMBER`."""
    if not _is_number(value) or not minimum <= value <= MAX_NUMBER:
        raise ValueError(
            f"{name} = {value!r} must be a finite number, {minimum:g} or more, at most {MAX_NUMBER:g}"
        )


def require_percent_or_nan(name: str, value: object) -> None:
    """`value` is a percentage, or NaN for unknown."""
    if not _is_number(value) or not (math.isnan(value) or 0.0 <= value <= 100.0):
        raise ValueError(f"{name} = {value!r} must be in percent, 0..100, or NaN where unknown")


def require_probability(name: str, value: object) -> None:
    """`value` is a number between 0 and 1, neither of them."""
    if not _is_number(value) or not 0.0 < value < 1.0:
        raise ValueError(f"{name} = {value!r} must be a number between 0 and 1")


def require_flag(name: str, value: object) -> None:
    """`value` is True or False."""
    if not isinstance(value, bool):
        raise ValueError(f"{name} = {value!r} must be true or false")


def to_choice(name: str, value: object, choices: type[_Choice]) -> _Choice:
    """The choice that `value` names."""
    if not isinstance(value, str) or value not in list(choices):
        raise ValueError(f"{name} = {value!r} must be one of {', '.join(choices)}")
    return choices(value)


def nearest(word: str, known: Sequence[str]) -> str:
    """The rest of a message about an unknown word."""
    close = difflib.get_close_matches(word, known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ";"
    return f"{hint} known: {', '.join(known) or 'none'}"
