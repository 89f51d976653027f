"""Who died first, and of what."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hpc_nas.campaign.postmortem import Postmortem, examine
from hpc_nas.platforms.processes.group_task import GroupExit

KILLED_BY_LAUNCHER = -15


def raised(directory: Path, rank: int, *, at: float, error: str = "RuntimeError: no") -> None:
    words = {"rank": rank, "error": error, "traceback": "", "time_s": at}
    (directory / f"last-words-{rank:05d}.json").write_text(json.dumps(words))


def died(directory: Path, rank: int | str, *, at: float, exit_code: int) -> None:
    record = {"rank": str(rank), "pid": 77, "exit_code": exit_code, "time_s": at}
    (directory / f"died-{rank}.json").write_text(json.dumps(record))


def find(directory: Path, *, exit_code: int = 9, killed: str = "") -> Postmortem:
    end = GroupExit(group=0, exit_code=exit_code, killed=killed)
    return examine(directory, log=directory / "launch.log", exit=end)


def test_first_death_names_the_culprit_and_the_launchers_victims_are_innocent(tmp_path: Path) -> None:
    died(tmp_path, 1, at=100.0, exit_code=-9)
    died(tmp_path, 0, at=100.2, exit_code=KILLED_BY_LAUNCHER)
    died(tmp_path, 2, at=100.1, exit_code=KILLED_BY_LAUNCHER)
    assert find(tmp_path) == Postmortem(attributed=1, message="rank 1 was killed by SIGKILL")


def test_error_of_a_rank_says_more_than_its_exit_code(tmp_path: Path) -> None:
    raised(tmp_path, 10, at=99.9, error="DeviceLost: CUDA error: device-side assert triggered")
    died(tmp_path, 10, at=100.0, exit_code=1)
    assert find(tmp_path) == Postmortem(
        attributed=10, message="rank 10 raised DeviceLost: CUDA error: device-side assert triggered"
    )


def test_error_that_another_ranks_death_has_caused_is_not_blamed(tmp_path: Path) -> None:
    died(tmp_path, 0, at=100.0, exit_code=-9)
    raised(tmp_path, 2, at=100.5, error="Exception: peer is gone")
    assert find(tmp_path).attributed == 0


@pytest.mark.parametrize(
    ("exit_code", "how"),
    [
        (3, "ended with exit code 3"),
        (-11, "was killed by SIGSEGV"),
        (-63, "was killed by signal 63"),
    ],
)
def test_way_of_dying_is_said_in_words(tmp_path: Path, exit_code: int, how: str) -> None:
    died(tmp_path, 4, at=1.0, exit_code=exit_code)
    assert find(tmp_path) == Postmortem(attributed=4, message=f"rank 4 {how}")


@pytest.mark.parametrize("content", ["", '{"rank": "1", "exit', "[]", "null", "{}"])
def test_trace_that_was_cut_short_is_passed_over(tmp_path: Path, content: str) -> None:
    for name in ("died-1.json", "last-words-00001.json"):
        (tmp_path / name).write_text(content)
    died(tmp_path, 2, at=5.0, exit_code=-9)
    assert find(tmp_path).attributed == 2


def test_death_of_a_rank_that_nobody_named_charges_nobody(tmp_path: Path) -> None:
    died(tmp_path, "unknown", at=1.0, exit_code=-9)
    assert find(tmp_path, exit_code=137) == Postmortem(
        attributed=None, message="its launcher ended with exit code 137"
    )


def test_rank_that_died_before_the_supervisor_struck_is_the_culprit(tmp_path: Path) -> None:
    died(tmp_path, 0, at=1.0, exit_code=-9)
    killed = "a rank had died and the launcher left the others running"
    assert find(tmp_path, killed=killed) == Postmortem(attributed=0, message="rank 0 was killed by SIGKILL")


def test_log_speaks_where_nothing_else_does(tmp_path: Path) -> None:
    frame = ["", "=" * 60, "YOUR APPLICATION TERMINATED WITH THE EXIT STRING: Killed (signal 9)"]
    lines = [f"line {number}" for number in range(20)] + [*frame, "  mpiexec: no such file  "]
    (tmp_path / "launch.log").write_bytes("\n".join(lines).encode() + b"\xff\n")
    assert find(tmp_path, exit_code=255) == Postmortem(
        attributed=None,
        message="its launcher ended with exit code 255; its log ends: "
        "line 16 | line 17 | line 18 | line 19 | mpiexec: no such file  \ufffd",
    )


def test_group_that_vanished_is_said_to_have(tmp_path: Path) -> None:
    found = examine(tmp_path / "gone", log=tmp_path / "gone" / "launch.log", exit=None)
    assert found == Postmortem(attributed=None, message="its launcher ended with an unknown exit code")


def test_log_of_the_rank_that_died_is_shown_and_not_that_of_its_neighbours(tmp_path: Path) -> None:
    died(tmp_path, 1, at=100.0, exit_code=-9)
    lines = [
        "2026-01-01 12:00:00,000 group 0 rank 1 INFO candidate 7 begins",
        "2026-01-01 12:00:01,000 group 0 rank 0 INFO candidate 6 begins",
        "2026-01-01 12:00:02,000 group 0 rank 1 WARNING memory is low",
        "2026-01-01 12:00:03,000 group 0 rank 11 INFO candidate 8 begins",
    ]
    (tmp_path / "launch.log").write_text("\n".join(lines))
    end = GroupExit(group=0, exit_code=9, killed="", host="n3")
    found = examine(tmp_path, log=tmp_path / "launch.log", exit=end, training={1: 7})
    assert found == Postmortem(
        attributed=1,
        message="on n3: rank 1, training candidate 7, was killed by SIGKILL; "
        f"its log ends: {lines[0]} | {lines[2]}",
    )


def test_rank_that_wrote_nothing_is_shown_with_the_groups_log(tmp_path: Path) -> None:
    died(tmp_path, 1, at=100.0, exit_code=1)
    (tmp_path / "launch.log").write_text("Traceback (most recent call last):\nImportError: no such module\n")
    assert find(tmp_path).message == (
        "rank 1 ended with exit code 1; the group's log ends: Traceback (most recent call last): | "
        "ImportError: no such module"
    )


def test_only_the_end_of_a_long_log_is_read(tmp_path: Path) -> None:
    died(tmp_path, 1, at=100.0, exit_code=1)
    (tmp_path / "launch.log").write_text("x" * 200 + "\n" + "group 0 rank 1 INFO beat\n" * 100_000)
    assert find(tmp_path).message.endswith(" | ".join(["group 0 rank 1 INFO beat"] * 5))


def test_rank_that_says_itself_that_nobody_is_to_blame_is_no_culprit(tmp_path: Path) -> None:
    words = {"rank": 2, "error": "NobodyToCharge: rank 0 hangs", "time_s": 99.0, "charge": False}
    (tmp_path / "last-words-00002.json").write_text(json.dumps(words))
    died(tmp_path, 0, at=100.0, exit_code=KILLED_BY_LAUNCHER)
    assert find(tmp_path) == Postmortem(
        attributed=None, message="rank 2 ended the group: NobodyToCharge: rank 0 hangs", blameless=True
    )
