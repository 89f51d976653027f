"""The Slurm fixtures: one of each kind for the whole test run, as its start takes a second or two."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gate import Gate
from tools.slurm_cluster.cluster import Cluster, Placement
from tools.slurm_cluster.machine import problem_with_hosts, problem_with_slurm

NUM_NODES = 4


@pytest.fixture(scope="session")
def _slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    _need(problem_with_slurm())
    with Cluster(
        tmp_path_factory.mktemp("slurm"), num_nodes=NUM_NODES, placement=Placement.SHARED
    ) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def _hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    _need(problem_with_hosts())
    with Cluster(tmp_path_factory.mktemp("hosts"), num_nodes=NUM_NODES, placement=Placement.HOSTS) as cluster:
        yield cluster


@pytest.fixture
def slurm(_slurm: Cluster) -> Iterator[Cluster]:
    """Four nodes on this host, idle before and after each test."""
    yield _slurm
    _slurm.reset()


@pytest.fixture
def hosts(_hosts: Cluster) -> Iterator[Cluster]:
    """Four nodes that are hosts of their own, idle and linked before and after each test."""
    yield _hosts
    _hosts.reset()


@pytest.fixture
def gate(tmp_path: Path) -> Gate:
    """Closed but for the first two trainings that come to it, in the middle: two outcomes, and work in hand."""
    gate = Gate(tmp_path / "gate")
    gate.close(batches=11, passing=2)
    return gate


def _need(problem: str) -> None:
    """Skip with the reason where there is one, fail with it under CI."""
    if problem:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"no Slurm: {problem}")
