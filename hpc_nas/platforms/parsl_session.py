"""Parsl loaded for as long as a campaign runs, and put away within a time limit whatever has died meanwhile."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import parsl
from parsl.config import Config
from parsl.errors import NoDataFlowKernelError
from parsl.jobs.states import JobState, JobStatus

from hpc_nas.platforms.parsl_config import EXECUTOR_LABEL

logger = logging.getLogger(__name__)

NUM_LINES, TAIL_BYTES = 4, 8192


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


@dataclass(frozen=True, kw_only=True)
class Block:
    """A block as Parsl saw it last. `how` it ended is empty while it has not; `said` are its last lines."""

    name: str
    how: str = ""
    said: str = ""


def blocks_wait() -> bool:
    """Does a block still wait in the scheduler's queue? Groups on it can't have started yet; it may take days."""
    return any(status.state == JobState.PENDING for status in _blocks().values())


def blocks(*, known: Container[str] = ()) -> list[Block]:
    """All blocks but those `known` to have ended, in the order of their start."""
    return [_block(name, status) for name, status in _blocks().items() if name not in known]


def _blocks() -> dict[str, JobStatus]:
    try:
        executor: Any = parsl.dfk().executors[EXECUTOR_LABEL]
    except NoDataFlowKernelError:
        return {}
    return dict(sorted(executor.status_facade.items(), key=lambda item: int(item[0])))


def _block(name: str, status: JobStatus) -> Block:
    if not status.terminal:
        return Block(name=name)
    if status.exit_code is not None:
        how = f"ended with exit code {status.exit_code}"
    else:
        how = f"ended ({status.state.name.lower()})"
    return Block(name=name, how=how, said=_last_lines(name, status))


def _last_lines(name: str, status: JobStatus) -> str:
    """What was said on the way out: by Parsl, or by the block's script and what it had started."""
    executor: Any = parsl.dfk().executors[EXECUTOR_LABEL]
    directory = executor.provider.script_dir
    files = [] if directory is None else sorted(Path(directory).glob(f"*.block-{name}.*"))
    for suffixes in (("err",), ("out",)):
        for path in files:
            if path.name.endswith(suffixes) and (lines := _tail(path)):
                return " | ".join(lines)
    return " | ".join((status.message or "").strip().splitlines()[-NUM_LINES:])


def _tail(path: Path) -> list[str]:
    try:
        with open(path, "rb") as file:
            file.seek(-min(TAIL_BYTES, path.stat().st_size), os.SEEK_END)
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return []
    return [line.strip() for line in lines if line.strip()][-NUM_LINES:]


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
