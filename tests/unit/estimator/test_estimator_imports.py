"""The estimator works alone."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ["torch", "mpi4py", "h5py", "parsl", "pydantic", "optuna", "sklearn", "matplotlib", "hpc_nas"]


def test_importing_the_estimator_loads_no_heavy_package() -> None:
    script = f"import sys, estimator; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "[]\n"
