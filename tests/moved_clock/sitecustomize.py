"""Found by each Python that `tests.clock` lets start with it: moves the clock for hpc-nas's own modules."""

import os
import sys
import time

_true_time = time.time


def _moved_time() -> float:
    if not sys._getframe(1).f_globals.get("__name__", "").startswith("hpc_nas"):
        return _true_time()
    with open(os.environ["HPC_NAS_TESTS_CLOCK"], encoding="ascii") as file:
        return _true_time() + float(file.read())


if "HPC_NAS_TESTS_CLOCK" in os.environ:
    time.time = _moved_time
