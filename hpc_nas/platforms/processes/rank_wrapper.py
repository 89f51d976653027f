"""Starts one rank as its child and writes down how it died.

When a rank of an MPI job is killed, the launcher kills the others at once and names an arbitrary one of them
(seen with MPICH's hydra). The rank_wrapper of the rank that died first is the witness: it writes `died-RANK.json`
before it ends itself, so the campaign charges the right candidate. Standard library only: it starts in
milliseconds and holds no more than 10 MB.

    mpiexec -n 3 python hpc_nas/platforms/processes/rank_wrapper.py DIED_DIR -- COMMAND ...
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from types import FrameType

PR_SET_PDEATHSIG = 1
RANK_VARIABLES = ("PMI_RANK", "PMIX_RANK", "OMPI_COMM_WORLD_RANK", "SLURM_PROCID")


def die_with_parent(signum: int = signal.SIGKILL, *, parent: int | None = None) -> None:
    """Ask the kernel to send `signum` to this process when its parent dies (Linux).

    `parent` is who has started it, where that is known: a parent that has died before this counts as well.
    """
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signum)
    if parent is not None and os.getppid() != parent:
        os.kill(os.getpid(), signum)


def main(arguments: list[str]) -> int:
    """Run the command as a child; its end is ours."""
    directory, command = Path(arguments[0]), arguments[2:]
    rank = next((os.environ[name] for name in RANK_VARIABLES if name in os.environ), "unknown")
    die_with_parent()
    # close_fds=False: the process manager's descriptor (PMI_FD) belongs to the rank.
    tie = partial(die_with_parent, parent=os.getpid())
    child = subprocess.Popen(command, close_fds=False, preexec_fn=tie)

    def forward(signum: int, frame: FrameType | None) -> None:
        child.send_signal(signum)

    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(signum, forward)
    code = child.wait()
    if code != 0:
        record = {"rank": rank, "pid": child.pid, "exit_code": code, "time_s": time.time()}
        temporary = directory / f".died-{rank}.tmp"
        temporary.write_text(json.dumps(record))
        os.replace(temporary, directory / f"died-{rank}.json")
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
