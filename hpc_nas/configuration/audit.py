"""The audit: which candidates are trained to the end whatever is decided, so that the rule in use can be measured."""

from __future__ import annotations

import hashlib

__all__ = ["is_audited"]

_HASH_BITS = 64


def is_audited(number: int, *, seed: int, share: float) -> bool:
    """Whether chance picks candidate `number` of the campaign with this seed: a `share` (0..1) of all are picked.

    The same everywhere and for ever: campaign, groups, reports and a resumed campaign agree without a word.
    """
    digest = hashlib.blake2b(f"audit {seed} {number}".encode(), digest_size=_HASH_BITS // 8).digest()
    return int.from_bytes(digest, "big") < share * (1 << _HASH_BITS)
