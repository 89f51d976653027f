"""What a dead group tells: which rank died first, of what, and the last lines of its log."""

from __future__ import annotations

import json
import signal
from dataclasses import dataclass
from pathlib import Path

from hpc_nas.platforms.supervisor import GroupExit

LOG_LINES = 5


@dataclass(frozen=True, kw_only=True)
class Postmortem:
    """Findings on one group that ended without being asked to.

    `culprit` is the rank that died first, or None where no rank left a trace (all were killed at once, the
    node is gone).
    """

    culprit: int | None
    message: str


def examine(group_dir: Path, *, log: Path, exit: GroupExit | None) -> Postmortem:
    """Read the traces in a group's directory.

    A rank that raised leaves last words itself; a rank that was killed is witnessed by its warden. The launcher
    then kills the others, so the earliest trace names the culprit.
    """
    traces = [*_last_words(group_dir), *_deaths(group_dir)]
    if traces:
        _, rank, what = min(traces)
        return Postmortem(culprit=rank, message=f"rank {rank} {what}")
    code = "unknown" if exit is None else str(exit.exit_code)
    tail = _tail(log)
    return Postmortem(
        culprit=None, message=f"ended with exit code {code}" + (f"; its log ends: {tail}" if tail else "")
    )


def _last_words(group_dir: Path) -> list[tuple[float, int, str]]:
    found = []
    for path in group_dir.glob("last-words-*.json"):
        words = _read(path)
        if words:
            found.append((float(str(words["time_s"])), int(str(words["rank"])), f"raised {words['error']}"))
    return found


def _deaths(group_dir: Path) -> list[tuple[float, int, str]]:
    found = []
    for path in group_dir.glob("died-*.json"):
        record = _read(path)
        if record and str(record["rank"]).isdigit():
            found.append(
                (float(str(record["time_s"])), int(str(record["rank"])), _how(int(str(record["exit_code"]))))
            )
    return found


def _how(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"


def _read(path: Path) -> dict[str, object]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # died while writing: the trace itself is lost, others may stand
    return content if isinstance(content, dict) else {}


def _tail(log: Path) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    kept = [line.strip() for line in lines if line.strip() and not line.startswith("=")]
    return " | ".join(kept[-LOG_LINES:])
