"""What a dead group tells: which rank died first, of what, and the last lines of its log."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hpc_nas.campaign.patience import may_pass
from hpc_nas.platforms.processes.group_task import GroupExit

LOG_LINES = 5
LINE_CHARACTERS = 300
LOG_BYTES = 1 << 16  # of the log's end
_LAUNCHER_SAYS = ("=", "YOUR APPLICATION TERMINATED", "This typically refers to", "Please see the FAQ page")


@dataclass(frozen=True, kw_only=True)
class Postmortem:
    """Findings on one group that ended without being asked to.

    `attributed` is the rank that died first, or None where no rank left a trace (all were killed at once, the
    node is gone) or the first one to end says itself that nobody is to be charged.
    """

    attributed: int | None
    message: str
    blameless: bool = False  # nobody is charged, nobody is a quarantined


@dataclass(frozen=True, kw_only=True, order=True)
class _Trace:
    """What one rank left behind; the earliest sorts first."""

    time_s: float
    rank: int
    what: str
    charge: bool = True


def examine(
    group_dir: Path, *, log: Path, exit: GroupExit | None, training: Mapping[int, int] | None = None
) -> Postmortem:
    """Read the traces in a group's directory.

    A rank that raised leaves last words itself; a rank that was killed is witnessed by its rank_wrapper. The launcher
    then kills the others, so the earliest trace names the attributed. `training` says which candidate each trainer
    was training. Raises OSError where the directory can't be read just now.
    """
    where = f"on {exit.host}: " if exit is not None and exit.host else ""
    traces = [*_last_words(group_dir), *_deaths(group_dir)]
    if traces:
        first = min(traces)
        return Postmortem(
            attributed=first.rank if first.charge else None,
            message=where
            + _who(first.rank, training or {})
            + " "
            + first.what
            + _log_of(log, rank=first.rank),
            blameless=not first.charge,
        )
    how = "ended with an unknown exit code" if exit is None else how_it_ended(exit.exit_code)
    return Postmortem(attributed=None, message=f"{where}its launcher {how}" + _log_of(log, rank=None))


def how_it_ended(code: int) -> str:
    """An exit code in words; negative: the number of a signal."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"


def _who(rank: int, training: Mapping[int, int]) -> str:
    return f"rank {rank}, training candidate {training[rank]}," if rank in training else f"rank {rank}"


def _last_words(group_dir: Path) -> list[_Trace]:
    found = []
    for path in group_dir.glob("last-words-*.json"):
        words = _read(path)
        if words:
            error, charge = words["error"], bool(words.get("charge", True))
            what = f"raised {error}" if charge else f"ended the group: {error}"
            found.append(
                _Trace(
                    time_s=float(str(words["time_s"])), rank=int(str(words["rank"])), what=what, charge=charge
                )
            )
    return found


def _deaths(group_dir: Path) -> list[_Trace]:
    found = []
    for path in group_dir.glob("died-*.json"):
        record = _read(path)
        if record and str(record["rank"]).isdigit():
            found.append(
                _Trace(
                    time_s=float(str(record["time_s"])),
                    rank=int(str(record["rank"])),
                    what=how_it_ended(int(str(record["exit_code"]))),
                )
            )
    return found


def _read(path: Path) -> dict[str, object]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        if may_pass(error):  # without it an innocent candidate might be charged
            raise
        return {}
    except ValueError:
        return {}  # died while writing: the trace itself is lost, others may stand
    return content if isinstance(content, dict) else {}


_RANK_LINE = re.compile(r"\bgroup \d+ rank (\d+) ")


def _log_of(log: Path, *, rank: int | None) -> str:
    """The last lines of the log, of this rank where it wrote any; what the launcher says of every death is left out."""
    try:
        with open(log, "rb") as file:
            file.seek(max(0, log.stat().st_size - LOG_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    kept = [line.strip() for line in lines if line.strip() and not line.startswith(_LAUNCHER_SAYS)]
    own = [line for line in kept if (found := _RANK_LINE.search(line)) and rank == int(found[1])]
    shown = [line[:LINE_CHARACTERS] for line in (own or kept)[-LOG_LINES:]]
    whose = "its" if own or rank is None else "the group's"
    return f"; {whose} log ends: {' | '.join(shown)}" if shown else ""
