"""The run directory: every file name of a campaign, who may use it, and how whole files are published.

configuration.json        the resolved configuration
ledger.jsonl              the campaign's journal
history.jsonl             what the groups were told of each other's candidates
warm_start.json           what the campaign began with, learnt from earlier ones; only with a warm start
campaign.lock             held while a campaign process lives
campaign.log
campaign.h5               the archive, after the run
private/                  0700: what lets groups in (0600 each)
groups/group-00000/       one directory per launch of a group, never used twice
    rank-00000.h5         what rank 0 recorded
    launch.log, rank-00000.log, last-words-00000.json, died-00000.json, alive
checkpoints/              of candidates that are to go on, by name: see `checkpoint_files`
parsl/                    Parsl's own files
report/                   figures
finalists/                the run directory of the campaign that trains the best candidates to the end
    networks/             what they left: see `network_files`
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from hpc_nas.errors import RunDirectoryError
from hpc_nas.records import beginning
from hpc_nas.records.campaign_lock import check_not_held, hold_lock

_GROUP_NAME = re.compile(r"group-(\d{5,})")


class RunDirectory:
    """The files of one campaign. `create` a new one or `open` one that is there."""

    def __init__(self, path: str | os.PathLike[str]):
        self.path = Path(path).absolute()

    @classmethod
    def create(cls, path: str | os.PathLike[str]) -> RunDirectory:
        """Make the directories of a new campaign, and let go of its lock; raises as `begin` does."""
        with cls.begin(path) as directory:
            return directory

    @classmethod
    @contextlib.contextmanager
    def begin(cls, path: str | os.PathLike[str], *, job_id: str = "") -> Iterator[RunDirectory]:
        """Make the directories of a new campaign and hold its lock, as `lock` does.

        The campaign has begun once its configuration lies there.

        The path may be an empty directory, or one in which a beginning was cut off: see `beginning`. Raises
        RunDirectoryError where a campaign or anything else lies, or nothing can be written. Of several processes that
        begin at once, one succeeds; the others are told that a campaign runs there.
        """
        directory = cls(path)
        directory.check_new()
        with _saying_why(directory.path):
            directory.path.mkdir(parents=True, exist_ok=True)
        with directory.lock(job_id=job_id):
            directory._check_free()  # whoever held the lock until now may have begun
            with _saying_why(directory.path):
                beginning.clear(directory.path)
                directory.private_dir.mkdir(mode=0o700, exist_ok=True)
                directory.private_dir.chmod(0o700)  # whatever the umask was
                directory.groups_dir.mkdir(exist_ok=True)
            yield directory

    def check_new(self) -> None:
        """Raises RunDirectoryError where a new campaign can't begin: where one lies or runs, or anything else does."""
        try:
            self._check_free()
        except RunDirectoryError:
            self.check_not_in_use()
            raise

    def _check_free(self) -> None:
        try:
            found = beginning.foreign_names(self.path)
        except FileNotFoundError:
            return
        except OSError as error:
            raise _unusable(self.path, error) from error
        if self.holds_campaign():
            raise RunDirectoryError(
                f"{self.path} already holds a campaign; go on with it (hpc-nas run --resume --run-dir "
                f"{shlex.quote(str(self.path))}), or name another directory"
            )
        if found:
            raise RunDirectoryError(
                f"{self.path} is not empty ({', '.join(found[:3])}{', ...' if found[3:] else ''}) and holds no "
                "campaign; name a new or an empty directory"
            )

    def check_not_in_use(self) -> None:
        """Raises RunDirectoryError naming the campaign process that holds the lock, if one does; takes nothing."""
        check_not_held(self.lock_path)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> RunDirectory:
        """The campaign that lies at this path. Raises RunDirectoryError if there is none."""
        directory = cls(path)
        if not directory.path.is_dir():
            raise RunDirectoryError(f"{directory.path} is no directory; name the run directory of a campaign")
        if not directory.holds_campaign():
            raise RunDirectoryError(
                f"{directory.path} holds no campaign ({directory.configuration_path.name} is missing); "
                "name the run directory of a campaign, or begin one there with its campaign file"
            )
        return directory

    def holds_campaign(self) -> bool:
        """Does a campaign, running or ended, lie here?"""
        return self.configuration_path.exists() or self.ledger_path.exists()

    # --- names ---------------------------------------------------------------------------------------------

    @property
    def configuration_path(self) -> Path:
        return self.path / "configuration.json"

    @property
    def ledger_path(self) -> Path:
        return self.path / "ledger.jsonl"

    @property
    def history_path(self) -> Path:
        """The journal of the population's history."""
        return self.path / "history.jsonl"

    @property
    def warm_start_path(self) -> Path:
        """What the campaign began with: see `earlier`."""
        return self.path / "warm_start.json"

    @property
    def lock_path(self) -> Path:
        return self.path / "campaign.lock"

    @property
    def archive_path(self) -> Path:
        return self.path / "campaign.h5"

    @property
    def finalists_dir(self) -> Path:
        """The run directory of the finalists' campaign."""
        return self.path / "finalists"

    @property
    def campaign_log_path(self) -> Path:
        return self.path / "campaign.log"

    @property
    def private_dir(self) -> Path:
        return self.path / "private"

    @property
    def connection_path(self) -> Path:
        """What a group needs to call the campaign: addresses and keys."""
        return self.private_dir / "connection.json"

    @property
    def server_keys_path(self) -> Path:
        """What a resumed campaign needs to be the same server again."""
        return self.private_dir / "server-keys.json"

    @property
    def parsl_dir(self) -> Path:
        return self.path / "parsl"

    @property
    def checkpoints_dir(self) -> Path:
        """Made by whoever writes there first."""
        return self.path / "checkpoints"

    @property
    def excluded_nodes_path(self) -> Path:
        """The nodes that no group is started on any more: a JSON list of host names."""
        return self.path / "excluded-nodes.json"

    @property
    def groups_dir(self) -> Path:
        return self.path / "groups"

    def group_dir(self, group: int) -> Path:
        return self.groups_dir / f"group-{group:05d}"

    def rank_file_path(self, group: int, rank: int) -> Path:
        return self.group_dir(group) / f"rank-{rank:05d}.h5"

    def rank_file_paths(self, group: int) -> list[Path]:
        """All HDF5 files that lie in the group's directory, whoever wrote them, in order of name."""
        return sorted(self.group_dir(group).glob("*.h5"))

    def launch_log_path(self, group: int) -> Path:
        return self.group_dir(group) / "launch.log"

    def last_words_path(self, group: int, rank: int) -> Path:
        """What a rank that raised says of its end."""
        return self.group_dir(group) / f"last-words-{rank:05d}.json"

    def alive_path(self, group: int) -> Path:
        """Touched by the estimator rank while the group lives."""
        return self.group_dir(group) / "alive"

    # --- groups --------------------------------------------------------------------------------------------

    def groups(self) -> list[int]:
        """Numbers of all groups that were ever started, in order."""
        if not self.groups_dir.is_dir():
            return []
        names = (_GROUP_NAME.fullmatch(entry.name) for entry in self.groups_dir.iterdir())
        return sorted(int(name[1]) for name in names if name)

    def new_group_number(self) -> int:
        """The number after the highest one used; taken once `create_group_dir` has made its directory."""
        return max(self.groups(), default=-1) + 1

    def create_group_dir(self, group: int) -> Path:
        """Make the directory of a new group. Raises RunDirectoryError if its number was used before."""
        path = self.group_dir(group)
        try:
            path.mkdir(parents=True)
        except FileExistsError as error:
            raise RunDirectoryError(
                f"{path} exists: a group number is never used twice; use {self.new_group_number()}"
            ) from error
        except OSError as error:
            raise RunDirectoryError(f"{path} can't be created: {error.strerror}") from error
        return path

    # --- files and the lock --------------------------------------------------------------------------------

    def publish(self, path: Path, content: bytes | str, *, mode: int = 0o644) -> None:
        """Put a whole file there at once, or leave what was there. Raises RunDirectoryError.

        It never exists under its name half-written or with wider permissions than `mode`.
        """
        data = content.encode() if isinstance(content, str) else content
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(descriptor, mode)
                file.write(data)
                file.flush()
                os.fsync(descriptor)
            os.replace(temporary, path)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise RunDirectoryError(
                f"{path} can't be written: {error.strerror}; free space or make it writable"
            ) from error

    @contextlib.contextmanager
    def lock(self, *, job_id: str = "") -> Iterator[None]:
        """Hold the campaign's lock: one campaign process per run directory; `job_id` as `hold_lock` says.

        Raises RunDirectoryError naming the holder. The system frees it however this process ends, and no
        child process inherits it.
        """
        with hold_lock(self.lock_path, job_id=job_id):
            yield


@contextlib.contextmanager
def _saying_why(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _unusable(path, error) from error


def _unusable(path: Path, error: OSError) -> RunDirectoryError:
    if isinstance(error, FileExistsError | NotADirectoryError):
        return RunDirectoryError(f"{path} is a file, or lies in one; name another directory")
    return RunDirectoryError(
        f"{path} can't be created: {error.strerror}; free space, or name a writable directory"
    )
