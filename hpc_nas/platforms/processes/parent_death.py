"""Runs a command that ends with its parent: `python parent_death.py COMMAND ...`.

Parsl's interchange and worker pools outlive a submit side that is killed (Parsl issue 3761). The parent-death
signal is kept over exec, so one prctl before it ties them to the process that started them.
"""

import os
import signal
import sys

from hpc_nas.platforms.processes.rank_wrapper import die_with_parent

if __name__ == "__main__":
    die_with_parent()
    os.setpgid(0, 0)  # a Ctrl-C at the terminal is for the campaign alone: it stops in order
    for signum in (signal.SIGUSR1, signal.SIGUSR2):  # a scheduler's warnings, which the campaign heeds
        signal.signal(signum, signal.SIG_IGN)
    os.execvp(sys.argv[1], sys.argv[1:])
