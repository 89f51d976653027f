"""A campaign that is killed, or whose disk is full, at any step of its beginning: the same line works again.

Every step that touches the run directory is one call that Python audits. A child process of the test is killed just
before the call, or the call fails as on a full disk; then another child runs the same line to the end.
"""

from __future__ import annotations

import errno
import mmap
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from earlier_records import archive, configured, drawn, strategy

from hpc_nas.campaign import run
from hpc_nas.campaign.opening import Opening
from hpc_nas.campaign.preparation import Prepared
from hpc_nas.campaign.warm_start import knowledge_for
from hpc_nas.configuration import Configuration
from hpc_nas.errors import HpcNasError
from hpc_nas.group.attempt_monitor import make_preset
from hpc_nas.records.earlier import read_knowledge
from hpc_nas.records.ledger import CampaignClosed, CampaignOpened, read_ledger
from hpc_nas.records.run_directory import RunDirectory
from hpc_nas.tasks.registry import DataSummary, load_task, summarize
from tests.disks import tiny_disk

NEEDS_SPACE = {"os.mkdir", "os.rename"}  # and opening to write
STEPS = {*NEEDS_SPACE, "open", "os.scandir", "os.listdir", "os.truncate", "os.remove", "os.chmod"}
WHOLE, REFUSED = 0, 2
AT_MOST = 60


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> DataSummary:
    return summarize(load_task(Configuration().data, cache_dir=tmp_path_factory.mktemp("cache")))


@pytest.fixture
def configuration(tmp_path: Path, summary: DataSummary) -> Configuration:
    """With a warm start: the beginning that makes most files."""
    known = archive(tmp_path / "a.h5", summary, candidates=drawn(summary, count=1), states=["finished"])
    return configured(known)


def begin(configuration: Configuration, run_dir: Path, summary: DataSummary) -> None:
    """`hpc-nas run --auto-resume`, to where worker groups would be started, and then its orderly end."""

    def prepared(configuration: Configuration, *, going_on: RunDirectory | None) -> Prepared:
        return Prepared(
            summary=summary,
            warnings=(),
            preset=make_preset(configuration, chance_accuracy=summary.chance_accuracy),
            strategy=strategy(summary, configuration),
            knowledge=knowledge_for(configuration, summary=summary, directory=going_on),
        )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "prepare_campaign", prepared)
        patch.setattr(run, "check_launcher", lambda configuration: None)
        patch.setattr(run._Run, "conduct", lambda self, console: "stopped by the test")
        run.run_campaign(configuration, run_dir=run_dir, opening=Opening.AUTO)


def in_child(work: Callable[[], None]) -> int:
    """Do it in a child of this process, so that it can be killed: its exit code, below 0 the signal."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = WHOLE
        except HpcNasError as error:
            print(error)
            code = REFUSED
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def kill_it() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fill_the_disk() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def is_step(event: str, arguments: tuple[Any, ...]) -> bool:
    return event in STEPS


def needs_space(event: str, arguments: tuple[Any, ...]) -> bool:
    return event in NEEDS_SPACE or (event == "open" and bool(arguments[2] & (os.O_WRONLY | os.O_RDWR)))


Counts = Callable[[str, tuple[Any, ...]], bool]


def at_step(number: int, run_dir: Path, *, counts: Counts, then: Callable[[], None]) -> None:
    """From now on, `then` happens instead of the step with this number in the run directory."""
    left = number

    def count(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if counts(event, arguments) and str(arguments[0]).startswith(str(run_dir)):
            left -= 1
            if left == 0:
                then()

    sys.addaudithook(count)


@pytest.mark.parametrize(
    ("counts", "then", "code", "at_least"),
    [(is_step, kill_it, -signal.SIGKILL, 25), (needs_space, fill_the_disk, REFUSED, 10)],
)
def test_the_same_line_works_again_whichever_step_was_the_last(
    tmp_path: Path,
    configuration: Configuration,
    summary: DataSummary,
    counts: Counts,
    then: Callable[[], None],
    code: int,
    at_least: int,
) -> None:
    for number in range(1, AT_MOST):
        run_dir = tmp_path / f"runs-{number}" / "run"

        def cut_off(number: int = number, run_dir: Path = run_dir) -> None:
            at_step(number, run_dir, counts=counts, then=then)
            begin(configuration, run_dir, summary)

        end = in_child(cut_off)
        assert end in (code, WHOLE), number
        if end == WHOLE:  # it had fewer steps than this
            break
        assert in_child(lambda run_dir=run_dir: begin(configuration, run_dir, summary)) == WHOLE, number
        directory = RunDirectory(run_dir)
        events = read_ledger(directory.ledger_path).events
        assert isinstance(events[0], CampaignOpened)
        assert isinstance(events[-1], CampaignClosed)
        assert len(read_knowledge(directory.warm_start_path).candidates) == 1
    assert at_least < number < AT_MOST - 1


def test_the_same_line_works_again_however_little_the_disk_took(
    tmp_path: Path, configuration: Configuration, summary: DataSummary
) -> None:
    ends = []
    for num_pages in range(1, AT_MOST):
        with tiny_disk(tmp_path / "disk", num_bytes=(num_pages + 1) * mmap.PAGESIZE) as disk:
            (disk / "full").write_bytes(bytes(2 * mmap.PAGESIZE))
            ends.append(in_child(lambda disk=disk: begin(configuration, disk / "run", summary)))
            (disk / "full").unlink()
            subprocess.run(["mount", "-o", "remount,size=16m", str(disk)], check=True)
            assert in_child(lambda disk=disk: begin(configuration, disk / "run", summary)) == WHOLE, num_pages
            assert isinstance(read_ledger(disk / "run" / "ledger.jsonl").events[-1], CampaignClosed)
        if ends[-1] == WHOLE:
            break
    assert ends == [REFUSED] * (len(ends) - 1) + [WHOLE]
    assert len(ends) > 5
