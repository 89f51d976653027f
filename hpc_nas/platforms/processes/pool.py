"""Parsl's worker pool, all of whose processes end with it: `python pool.py process_worker_pool.py ARGUMENTS`.

A killed pool leaves the server of multiprocessing's manager for good, and its workers for as long as they are at work.
So the kernel tells them of its death (SIGTERM, as the pool does itself): workers pass it on to what keeps their group.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
from multiprocessing import spawn


def tie_children() -> None:
    """From now on what multiprocessing spawns from this process ends with it."""
    tie = f"die_with_parent({int(signal.SIGTERM)}, parent={os.getpid()})"
    compose = spawn.get_command_line

    def tied(**arguments: object) -> list[str]:
        line: list[str] = compose(**arguments)
        program = line.index("-c") + 1
        line[program] = (
            f"from hpc_nas.platforms.processes.rank_wrapper import die_with_parent; {tie}; {line[program]}"
        )
        return line

    spawn.get_command_line = tied


def end_with_any_thread(arguments: threading.ExceptHookArgs) -> None:
    """A pool one of whose threads has died takes groups, and starts none: Parsl shall start another."""
    threading.__excepthook__(arguments)
    os._exit(1)


if __name__ == "__main__":
    tie_children()
    threading.excepthook = end_with_any_thread
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")
