"""The estimator works alone."""

from __future__ import annotations

import subprocess
import sys

import pytest

import estimator

HEAVY = ["torch", "mpi4py", "h5py", "parsl", "pydantic", "optuna", "sklearn", "matplotlib", "hpc_nas"]


def loaded_by(statement: str, names: list[str]) -> str:
    script = f"import sys\n{statement}\nprint([name for name in {names} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout


def test_importing_all_of_the_estimator_loads_no_heavy_package() -> None:
    assert loaded_by("from estimator import *", HEAVY) == "[]\n"


@pytest.mark.parametrize("module", ["estimator.values", "hpc_nas.values"])
def test_values_load_no_numerical_package(module: str) -> None:
    assert loaded_by(f"import {module}", ["numpy", "scipy", "sklearn"]) == "[]\n"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'estimator' has no attribute 'Engin'"):
        estimator.Engin  # noqa: B018
    assert set(estimator.__all__) <= set(dir(estimator))
