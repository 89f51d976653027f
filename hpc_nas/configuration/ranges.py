"""The range of numbers that a key allows, read from its annotation: for messages, and to see that every key has one."""

from __future__ import annotations

import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic.fields import FieldInfo

__all__ = ["NumberRange", "range_of"]


@dataclass(frozen=True, kw_only=True)
class NumberRange:
    """`is_open` at an end: that number itself is not allowed. An end that is None is missing."""

    is_whole: bool
    lowest: float | None = None
    highest: float | None = None
    is_open_below: bool = False
    is_open_above: bool = False

    def __str__(self) -> str:
        """As in `a whole number, 1 to 1000`."""
        ends = []
        if self.lowest is not None:
            ends.append(f"{'above ' if self.is_open_below else ''}{_short(self.lowest)}")
        if self.highest is not None:
            ends.append(f"{'below ' if self.is_open_above else ''}{_short(self.highest)}")
        kind = f"a {'whole ' if self.is_whole else ''}number"
        return f"{kind}, {' to '.join(ends)}" if ends else kind


def range_of(annotation: Any, metadata: Sequence[Any] = ()) -> NumberRange | None:
    """The range of a type or of a field (its annotation and metadata); None where no number is meant."""
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        return range_of(inner, [*metadata, *more])
    if get_origin(annotation) in (Union, types.UnionType):
        members = [member for member in get_args(annotation) if member is not type(None)]
        return range_of(members[0], metadata) if len(members) == 1 else None
    if annotation not in (int, float):
        return None
    ends: dict[str, Any] = {}
    for item in _flat(metadata):
        for name in ("ge", "gt", "le", "lt"):
            if (value := getattr(item, name, None)) is not None:
                ends[name] = value
    return NumberRange(
        is_whole=annotation is int,
        lowest=ends.get("gt", ends.get("ge")),
        highest=ends.get("lt", ends.get("le")),
        is_open_below="gt" in ends,
        is_open_above="lt" in ends,
    )


def _flat(metadata: Sequence[Any]) -> Iterator[Any]:
    for item in metadata:
        if isinstance(item, FieldInfo):
            yield from item.metadata
        else:
            yield item


def _short(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.12g}"
