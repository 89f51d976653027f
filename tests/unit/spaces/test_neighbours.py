"""A user's space file imports what lies beside it, wherever it is loaded, and hides nothing from anybody else."""

from __future__ import annotations

import subprocess
from pathlib import Path

from hpc_nas.interpreter import python_line

_SPACE = """\
import helper_next_to_it, random
from torch import nn
assert hasattr(random, "getrandbits"), random.__file__

def mine(trial, problem):
    import another_one  # when a network is drawn
    return nn.Linear(helper_next_to_it.WIDTH, another_one.WIDTH)
"""
_LOAD = """\
import sys
from hpc_nas.configuration import SpaceSection
from hpc_nas.spaces.registry import load_space
network = load_space(SpaceSection(name=sys.argv[1])).function(None, None)
print(network.in_features, network.out_features)
"""


def test_space_file_imports_its_neighbours_in_a_process_of_ours(tmp_path: Path) -> None:
    (where := tmp_path / "spaces").mkdir()
    (elsewhere := tmp_path / "elsewhere").mkdir()
    (where / "my_spaces.py").write_text(_SPACE)
    (where / "helper_next_to_it.py").write_text("WIDTH = 7\n")
    (where / "another_one.py").write_text("WIDTH = 3\n")
    for directory in (where, elsewhere):
        (directory / "random.py").write_text("raise SystemExit('a random of the user')\n")
    line = python_line("-c", _LOAD, str(where / "my_spaces.py:mine"))
    done = subprocess.run(line, capture_output=True, text=True, cwd=elsewhere)
    assert (done.returncode, done.stdout, done.stderr) == (0, "7 3\n", "")
