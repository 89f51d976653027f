"""What a campaign maximizes: accuracy for images; for text a score that rises as perplexity falls.

Rules, estimators, strategies and records know one number, in percent, 0 to 100, the larger the better. For text it is

    score = 100 (1 - ln(perplexity) / ln(vocabulary size)), not below 0:

0 is no better than an equal guess over the vocabulary, 100 is certainty. Perplexity is exp(cross entropy in nats per
token), so the score falls linearly in the cross entropy. Scores of different vocabularies do not compare, nor do
perplexities.
"""

from __future__ import annotations

import math
from enum import StrEnum

__all__ = ["Objective", "perplexity_of_score", "perplexity_score"]


class Objective(StrEnum):
    """By the name that a ledger records."""

    ACCURACY = "accuracy"
    PERPLEXITY = "perplexity"

    @property
    def score_name(self) -> str:
        """What the number in percent is called."""
        return "accuracy" if self is Objective.ACCURACY else "score"


def perplexity_score(loss: float, *, vocabulary_size: int) -> float:
    """The score of a cross entropy in nats per token."""
    return min(100.0, max(0.0, 100.0 * (1.0 - loss / math.log(vocabulary_size))))


def perplexity_of_score(score: float, *, vocabulary_size: int) -> float:
    """The perplexity that has this score; at 0 the vocabulary's size, which is then the least it can be."""
    return math.exp((1.0 - score / 100.0) * math.log(vocabulary_size))
