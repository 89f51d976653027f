"""Parsl loaded for as long as a campaign runs, and put away within a time limit whatever has died meanwhile."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import parsl
from parsl.config import Config
from parsl.errors import NoDataFlowKernelError
from parsl.jobs.states import JobState

from hpc_nas.platforms.parsl_config import EXECUTOR_LABEL

logger = logging.getLogger(__name__)


@contextmanager
def parsl_session(config: Config, *, cleanup_s: float) -> Iterator[None]:
    """Load Parsl; on leaving, clean it up, or kill its parts when that takes longer than `cleanup_s`.

    Parsl's cleanup asks the interchange for its blocks and waits without a limit; a dead one never answers.
    """
    kernel = parsl.load(config)
    try:
        yield
    finally:
        worker = threading.Thread(target=_clean_up, args=(kernel,), name="parsl-cleanup", daemon=True)
        worker.start()
        worker.join(cleanup_s)
        if worker.is_alive():
            logger.warning("Parsl's cleanup did not end within %g s; ending its processes", cleanup_s)
            _kill(kernel.executors[EXECUTOR_LABEL])
        parsl.clear()


def blocks_wait() -> bool:
    """Does a block still wait in the scheduler's queue? Groups on it can't have started yet; it may take days."""
    try:
        executor: Any = parsl.dfk().executors[EXECUTOR_LABEL]
    except NoDataFlowKernelError:
        return False
    return any(status.state == JobState.PENDING for status in executor.status_facade.values())


def _clean_up(kernel: Any) -> None:
    try:
        kernel.cleanup()
    except Exception:  # whatever Parsl meets on its way out must not hide how the campaign ended
        logger.exception("Parsl's cleanup failed")


def _kill(executor: Any) -> None:
    provider = executor.provider
    provider.cancel(list(provider.resources))
    if executor.interchange_proc is not None:
        executor.interchange_proc.kill()
