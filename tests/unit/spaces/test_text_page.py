"""docs/text.md: its example of a space works, and it names every key of [data.text]."""

from __future__ import annotations

import re
from pathlib import Path

from space_helpers import draw, space

from hpc_nas.configuration.text import TextSection
from hpc_nas.spaces import TextProblem

PAGE = (Path(__file__).parents[3] / "docs" / "text.md").read_text(encoding="utf-8")


def test_the_space_of_ones_own_works(tmp_path: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    (tmp_path / "my_file.py").write_text(example, encoding="utf-8")
    some_space = space(f"{tmp_path / 'my_file.py'}:my_space")
    drawn, description = draw(some_space, TextProblem(vocabulary_size=20, sequence_length=5), seed=1)
    assert some_space.problem_kind is TextProblem
    assert description.macs == 20 * drawn["width"]


def test_every_key_is_on_the_page() -> None:
    example = PAGE.partition("[data.text]\n")[2].partition("\n\n")[0]
    assert [line.partition(" =")[0] for line in example.splitlines()] == list(TextSection.model_fields)
