"""The table [data.text]: how a text becomes tokens, and tokens samples."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hpc_nas.configuration.section import Section


class TextSection(Section):
    """Only for data sets that are text."""

    unit: Literal["words", "characters"] = "words"
    max_vocabulary: int | None = Field(
        default=None,
        ge=2,
        le=10_000_000,
        description="distinct tokens, <unk> among them: the most common; unset: all",
    )
    sequence_length: int = Field(
        default=35, ge=1, le=100_000, description="tokens of a sample, through which gradients flow"
    )
