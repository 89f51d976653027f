"""Whose file it is that lies in a group's directory. A rank file belongs to its trainer; all others are foreign.

A program that is not ours takes part by a file of its own, under any name. It knows nothing of the campaign's
candidates, so its numbers mean nothing there: each of its candidates has a number below `FIRST_FOREIGN`, which
no candidate of this campaign (0, 1, ...) and none of an earlier one (-1, -2, ...) can have.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from enum import Enum, auto
from pathlib import Path

from hpc_nas.records.layout import Attribute

_RANK_FILE = re.compile(r"rank-(\d{5,})\.h5")
_BITS = 30
FIRST_FOREIGN = -(1 << _BITS)
"""Foreign candidates have numbers from here downwards."""


class Owner(Enum):
    """Who writes a file."""

    TRAINER = auto()
    ESTIMATOR = auto()
    FOREIGN = auto()


def owner_of(
    path: Path, attributes: Mapping[str, Attribute], *, group: int, num_trainers: int | None
) -> Owner:
    """Whose file this is, by its name and what it says of itself; `num_trainers` is None where nobody knows."""
    named = _RANK_FILE.fullmatch(path.name)
    if named is None or attributes.get("group") != group or attributes.get("rank") != int(named[1]):
        return Owner.FOREIGN
    kind, rank = attributes.get("kind"), int(named[1])
    if kind == "trainer" and (num_trainers is None or rank < num_trainers):
        return Owner.TRAINER
    if kind == "estimator" and (num_trainers is None or rank == num_trainers):
        return Owner.ESTIMATOR
    return Owner.FOREIGN


def foreign_number(number: int, *, group: int, name: str) -> int | None:
    """The number in this campaign of what a foreign file of that name calls candidate `number`; None: it can't be.

    It follows from group, file and number alone: whoever reads the file, whenever, finds the same.
    """
    if not 0 <= number < 1 << _BITS:
        return None
    digest = hashlib.blake2b(f"{group}/{name}".encode(errors="surrogateescape"), digest_size=4).digest()
    return FIRST_FOREIGN - ((int.from_bytes(digest, "big") << _BITS) | number)


def is_foreign(number: int) -> bool:
    """Is this the number of a foreign candidate?"""
    return number <= FIRST_FOREIGN
