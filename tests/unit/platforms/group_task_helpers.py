"""A group played by a launcher of the test's own: what a group task does needs neither MPI nor torch."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from hpc_nas.configuration import Configuration, load_configuration
from hpc_nas.group.connection import Connection
from hpc_nas.platforms.processes.group_status import GroupExit
from hpc_nas.records.group_files import GroupFiles
from hpc_nas.records.run_directory import RunDirectory

DEADLINE_S = 240.0
ROOT = Path(__file__).resolve().parents[3]

_LAUNCHER = """\
#!{python}
import os, pathlib, signal, sys, time
arguments = sys.argv[sys.argv.index("hpc_nas.group") + 1:]
run_dir, group = pathlib.Path(arguments[0]), int(arguments[2])
group_dir = run_dir / "groups" / f"group-{{group:05d}}"
local = pathlib.Path(arguments[arguments.index("--local-dir") + 1]) if "--local-dir" in arguments else group_dir
watch = pathlib.Path(arguments[arguments.index("--watch-dir") + 1])
role = os.environ["ROLE"]
if role == "records":
    sys.path.insert(0, "{root}")
    from hpc_nas.records.rank_file import TrainerFile
    from tests.unit.records.records_helpers import observation
    file = TrainerFile(local / "rank-00000.h5", group=group, rank=0, device="cpu")
    for number in range(5):
        file.append_observation(observation(number))
if role == "leaves a rank behind" and os.fork() == 0:
    os.setsid()
    while True:
        time.sleep(1)
if role == "crashes":
    (watch / "died-1.json").write_text("the evidence")
    sys.exit(7)
(group_dir / "said").write_text("ready")
while True:
    if role != "gives no sign":
        (watch / "alive").write_text("1")
    if role != "will not leave" and (watch / "leave").exists():
        (group_dir / "said").write_text((watch / "leave").read_text())
        sys.exit(0)
    if role == "leaves a rank behind":
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.02)
"""

_GROUP_TASK = """\
import json, sys
from dataclasses import asdict
from hpc_nas.platforms.processes.group_task import run_group
print(json.dumps(asdict(run_group(sys.argv[1], 0))))
"""
# Stands between the test and the group task, as Parsl's pool stands between the pool wrapper and a worker.
_POOL = "import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:]))"


def make_run(tmp_path: Path, *, role: str, settings: tuple[str, ...] = ()) -> RunDirectory:
    """A run directory with group 0, whose launcher plays this role."""
    launcher = tmp_path / "launcher"
    launcher.write_text(textwrap.dedent(_LAUNCHER).format(python=sys.executable, root=ROOT))
    launcher.chmod(launcher.stat().st_mode | stat.S_IXUSR)
    directory = RunDirectory.create(tmp_path / "run")
    configuration = configure(
        f"platform.mpiexec={launcher}", f'platform.environment={{ROLE="{role}"}}', *settings
    )
    directory.publish(directory.configuration_path, configuration.model_dump_json())
    keys = dict.fromkeys(("server_public", "group_public", "group_secret"), "x")
    connection = Connection(endpoints=["tcp://127.0.0.1:1"], **keys)
    directory.publish(directory.connection_path, connection.model_dump_json())
    directory.create_group_dir(0)
    return directory


def configure(*settings: str) -> Configuration:
    """Time to leave in order on a busy machine, too."""
    defaults = ("group.orphan_grace_s=120", "group.drain_s=60", "group.start_timeout_s=240")
    return load_configuration(None, settings=(*defaults, *settings))


class GroupTask:
    """A group task in a process of its own; `pool` is the process that started it."""

    def __init__(self, directory: RunDirectory, *, environment: dict[str, str]):
        self.directory = directory
        self.files = GroupFiles(run_directory=directory, group=0)
        self._out = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
        line = [sys.executable, "-c", _POOL, sys.executable, "-c", _GROUP_TASK, str(directory.path)]
        self.pool = subprocess.Popen(
            line, stdout=self._out, stderr=subprocess.STDOUT, env={**os.environ, **environment}, cwd=ROOT
        )

    def process(self, part: str) -> psutil.Process:
        """The `group task`, the `agent` or the `launcher`; waits until it is there."""
        marks = {
            "group task": "run_group",
            "agent": "hpc_nas.platforms.processes.group_agent",
            "launcher": "hpc_nas.group",
        }
        found: list[psutil.Process] = []

        def there() -> bool:
            found[:] = [process for process in self.processes() if marks[part] in " ".join(process.cmdline())]
            found[:] = [process for process in found if process.pid != self.pool.pid]
            return bool(found)

        wait_for(there, what=part)
        return found[0]

    def processes(self) -> list[psutil.Process]:
        """All living processes that name the run directory."""
        return processes_of(self.directory.path)

    def until_ready(self) -> None:
        """The group is up and has shown life."""
        said = self.directory.group_dir(0) / "said"
        wait_for(
            lambda: said.exists() and self.directory.alive_path(0).stat().st_size > 0,
            what=f"group: {self.log}",
        )

    def exit(self) -> GroupExit:
        """What the group task returned."""
        self.pool.wait(DEADLINE_S)
        self._out.seek(0)
        text = self._out.read()
        assert text.strip().startswith("{"), f"{text}\n{self.log}"
        return GroupExit(**json.loads(text.strip().splitlines()[-1]))

    @property
    def log(self) -> str:
        path = self.directory.launch_log_path(0)
        return path.read_text() if path.exists() else ""

    def close(self) -> None:
        for process in self.processes():
            process.kill()
        self.pool.kill()
        self.pool.wait()
        self._out.close()


@contextmanager
def supervised(directory: RunDirectory, *, environment: dict[str, str] | None = None) -> Iterator[GroupTask]:
    """A group task that runs group 0; nothing of it is left afterwards."""
    group_task = GroupTask(directory, environment=environment or {})
    try:
        yield group_task
    finally:
        group_task.close()


def processes_of(run_dir: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if str(run_dir) in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def wait_for(condition: Callable[[], bool], *, what: str, timeout_s: float = DEADLINE_S) -> None:
    """Until the condition holds; fails loudly when time runs out."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"timed out waiting for {what}"
        time.sleep(0.02)
