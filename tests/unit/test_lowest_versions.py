"""What pyproject.toml promises as the lowest version is what `make test-lowest` installs."""

from __future__ import annotations

import tomllib

from packaging.requirements import Requirement
from packaging.version import Version

from tests.conftest import ROOT

NO_PROMISE = {"click", "pyparsing", "pytest", "pytest-timeout", "pytest-xdist", "hypothesis"}


def pins(name: str) -> dict[str, Version]:
    lines = [line.partition("#")[0].strip() for line in (ROOT / name).read_text().splitlines()]
    requirements = [Requirement(line) for line in lines if line]
    return {each.name: Version(str(each.specifier).removeprefix("==")) for each in requirements}


def test_every_lower_bound_is_a_version_that_is_tested() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    promised = [*project["dependencies"], *project["optional-dependencies"]["mpi"]]
    bounds = {
        each.name: Version(str(each.specifier).removeprefix(">=")) for each in map(Requirement, promised)
    }
    tested = pins("constraints-lowest.txt")
    assert {name: tested[name] for name in tested if name not in NO_PROMISE} == bounds


def test_tests_run_with_the_same_tools() -> None:
    latest, lowest = pins("constraints.txt"), pins("constraints-lowest.txt")
    tools = [name for name in lowest if name in NO_PROMISE and name in latest]
    assert len(tools) == 4
    assert {name: lowest[name] for name in tools} == {name: latest[name] for name in tools}
