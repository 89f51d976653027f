"""Where the files of one worker group lie while it lives: in the run directory, or on its node's own disk.

On a node's own disk they are reached by that node alone; the group's agent drains them to the run directory, at
intervals and when the group has ended (`draining`).

Keeper and ranks watch each other through files in a directory on the node, `watch_dir`, many times a second. A shared
file system must not be asked that often: nothing of a group looks there more than once in ten seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hpc_nas.records.run_directory import RunDirectory


@dataclass(frozen=True, kw_only=True)
class GroupFiles:
    """File names of one group; `local_dir` is its own directory on the node's disk, None where it has none.

    `watch_dir` is known to the group alone; None: the group's directory in the run directory serves.
    """

    run_directory: RunDirectory
    group: int
    local_dir: Path | None = None
    watch_dir: Path | None = None

    @property
    def rank_files_dir(self) -> Path:
        """Where its ranks write their rank files."""
        return self.local_dir if self.local_dir is not None else self.run_directory.group_dir(self.group)

    def rank_file_path(self, rank: int) -> Path:
        """The rank file that this rank writes; in the end it lies under the same name in the run directory."""
        return self.rank_files_dir / self.run_directory.rank_file_path(self.group, rank).name

    @property
    def periodic_checkpoints_dir(self) -> Path:
        """Where checkpoints against crashes are written; those of planned ends go to the run directory at once."""
        if self.local_dir is None:
            return self.run_directory.checkpoints_dir
        return self.local_dir / self.run_directory.checkpoints_dir.name

    @property
    def status_path(self) -> Path:
        """Where the group is and how it ended, by its agent; by its group task where there is no agent (any more)."""
        return self.run_directory.group_dir(self.group) / "status.json"

    @property
    def watched_dir(self) -> Path:
        """Where agent and ranks tell each other that they live, have died, or are to leave."""
        return self.watch_dir if self.watch_dir is not None else self.run_directory.group_dir(self.group)

    @property
    def alive_path(self) -> Path:
        """Touched by the estimator rank every second: the agent sees by it that the group lives."""
        return self.watched_dir / "alive"

    @property
    def leave_path(self) -> Path:
        """Made by the agent when its node tells it to end: the estimator rank leaves in order."""
        return self.watched_dir / "leave"

    def leave_request(self) -> str | None:
        """Why the agent wants the group to leave; None while it does not. Costs one failed open."""
        try:
            return self.leave_path.read_text(encoding="utf-8") or "told to leave"
        except OSError:
            return None
