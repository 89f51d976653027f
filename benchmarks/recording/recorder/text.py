"""The text that the language models are trained on: the language reference that Python itself carries."""

from __future__ import annotations

import hashlib
import sys
from collections import Counter
from dataclasses import dataclass

import torch
from torch import Tensor

VOCABULARY = 40
TRAIN_SHARE = 0.9
STORED_DIGEST = "a00b772cfd2f9dfed87ab8eb42501c3b74cd68ef7dfd06a8c78240652932a3eb"
STORED_PYTHON = "3.11.7"


@dataclass(frozen=True, kw_only=True, slots=True)
class Text:
    """Characters as numbers below VOCABULARY, int64: the beginning trains, the end validates."""

    train: Tensor
    validation: Tensor


def python_topics() -> Text:
    """`pydoc_data.topics` in lower case, white space collapsed; the 39 commonest characters, and one for the rest.

    The text changes from one Python to the next: says so on stderr where it is not the one of the stored curves.
    """
    from pydoc_data.topics import topics

    joined = " ".join(topics[key] for key in sorted(topics)).lower()
    text = " ".join(joined.split())
    if hashlib.sha256(text.encode()).hexdigest() != STORED_DIGEST:
        print(
            f"this Python's text is not that of Python {STORED_PYTHON}, which the stored curves were recorded with",
            file=sys.stderr,
        )
    common = [character for character, _ in Counter(text).most_common(VOCABULARY - 1)]
    numbers = {character: number for number, character in enumerate(common)}
    characters = torch.tensor([numbers.get(character, VOCABULARY - 1) for character in text])
    num_train = int(len(characters) * TRAIN_SHARE)
    return Text(train=characters[:num_train], validation=characters[num_train:])
