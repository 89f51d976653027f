"""docs/architecture.md and its neighbours: the paths, names, links and packages that they give are there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
_ROOMS = "benchmarks|configs|docs|estimator|hpc_nas|jobs|tests|tools"
PATH = re.compile(rf"(?:{_ROOMS})/[\w./-]*|pyproject\.toml")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINE_LENGTH = 120


def missing(page: str, root: Path = ROOT) -> list[str]:
    """The paths, and names in files (`path:NAME`), that a page has in code spans and `root` does not have."""
    found = []
    for span in re.findall(r"`([^`\n]+)`", page):
        path, _, name = span.partition(":")
        if not PATH.fullmatch(path):
            continue
        target = root / path
        if not (target.is_dir() if path.endswith("/") else target.is_file()) or (
            name and not re.search(rf"\b{re.escape(name)}\b", target.read_text(encoding="utf-8"))
        ):
            found.append(span)
    return found


@pytest.mark.parametrize(
    ("page", "at_least"),
    [("docs/architecture.md", 60), ("docs/decisions/0023-names-and-rooms.md", 30), ("README.md", 12)],
)
def test_every_path_is_there(page: str, at_least: int) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert len([span for span in re.findall(r"`([^`\n]+)`", text) if PATH.match(span)]) >= at_least
    assert missing(text) == []


def test_every_process_of_the_tree_has_its_file() -> None:
    tree = PAGE.partition("## The tree of processes")[2].partition("```text")[2].partition("```")[0]
    directory = ROOT / "hpc_nas" / "platforms" / "processes"
    names = set(re.findall(r"\b\w+\.py\b", tree)) | {
        f"{name}.py" for name in re.findall(r"\b(\w+)\.run_group", tree)
    }
    assert len(names) == 6
    assert [name for name in sorted(names) if not (directory / name).is_file()] == []


def test_packages_are_in_the_order_of_the_import_contract() -> None:
    with open(ROOT / "pyproject.toml", "rb") as file:
        contracts = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    place = {
        name: number for number, layer in enumerate(layers) for name in re.findall(r"hpc_nas\.\w+", layer)
    }
    block = PAGE.partition("## Who may import whom")[2].partition("```text")[2].partition("```")[0]
    rows = [re.findall(r"hpc_nas\.\w+", line) for line in block.splitlines() if line]
    assert len(rows) > 8
    assert all(len({place[name] for name in row}) == 1 for row in rows)
    places = [place[row[0]] for row in rows]
    assert places == sorted(set(places))


def test_a_path_or_a_name_that_is_not_there_is_found() -> None:
    page = "`hpc_nas/no_such.py`, `hpc_nas/values.py:NoSuch`, `hpc_nas/nowhere/`, `hpc_nas/`, `hpc_nas/values.py:State`"
    assert missing(page) == ["hpc_nas/no_such.py", "hpc_nas/values.py:NoSuch", "hpc_nas/nowhere/"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_of_every_page_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES[:1] + sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.name)
def test_prose_and_tables_have_lines_below_120_characters(page: Path) -> None:
    prose = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    assert [line for line in prose.splitlines() if len(line) >= LINE_LENGTH] == []


def test_every_decision_is_listed_once() -> None:
    directory = ROOT / "docs" / "decisions"
    listed = re.findall(
        r"^\| \[\d{4}\]\(([^)]+)\)", (directory / "README.md").read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    assert listed == sorted(path.name for path in directory.glob("0*.md"))
