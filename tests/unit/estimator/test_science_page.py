"""docs/science.md holds what the code cites."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "science.md").read_text(encoding="utf-8")


def test_every_section_that_is_cited_is_there() -> None:
    sources = [
        path for room in ("estimator", "hpc_nas", "docs") for path in (ROOT / room).rglob("*.[pm][yd]")
    ]
    cited = {
        section
        for path in sources
        for section in re.findall(r'science\.md`?, "([^"]+)"', path.read_text(encoding="utf-8"))
    }
    assert {"Pause and resume", "Learning from finished curves"} <= cited
    assert {section for section in cited if f"\n## {section}\n" not in PAGE} == set()
