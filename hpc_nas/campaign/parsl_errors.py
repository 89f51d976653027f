"""What Parsl's errors mean for a group."""

from __future__ import annotations

from parsl.executors.high_throughput.errors import ManagerLost, WorkerLost


def in_words(error: BaseException) -> str:
    """How Parsl lost a group, in plain words."""
    if isinstance(error, ManagerLost):
        return f"node {error.hostname} was lost, or the worker pool there was killed: Parsl heard nothing from it"
    if isinstance(error, WorkerLost):
        return f"Parsl's worker process on node {error.hostname} was killed"
    return f"{type(error).__name__}: {error}"
