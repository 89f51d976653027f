"""docs/spaces.md says what is there."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
from space_helpers import DIGITS, draw, space

from hpc_nas.spaces.registry import SPACES

PAGE = (Path(__file__).parents[3] / "docs" / "spaces.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", SPACES)
def test_every_space_and_option_is_on_the_page(name: str) -> None:
    section = PAGE.partition(f"\n### `{name}`\n")[2].partition("\n#")[0]
    assert f"\n| `{name}` |" in PAGE
    options = list(inspect.signature(SPACES[name]).parameters)[2:]
    assert [option for option in options if f"`{option}`" not in section] == []


def test_the_space_of_ones_own_works_and_is_short(tmp_path: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    assert len(example.splitlines()) < 20
    (tmp_path / "my_file.py").write_text(example, encoding="utf-8")
    some_space = space(f"{tmp_path / 'my_file.py'}:my_space", max_width=16)
    drawn, description = draw(some_space, DIGITS, seed=1)
    assert description.num_layers == drawn["num_layers"] + 1
    assert some_space.recipe(drawn, DIGITS).learning_rate == drawn["learning_rate"]
