"""One line of the doctor's report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What was looked at, and found. FAIL: no campaign will run here; WARN: one will, with a drawback."""

    name: str
    status: Literal["OK", "WARN", "FAIL"]
    detail: str
    advice: str = ""

    @property
    def failed(self) -> bool:
        """Does this keep campaigns from running?"""
        return self.status == "FAIL"
