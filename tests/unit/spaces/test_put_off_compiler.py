"""Training loads none of torch's compiler; whoever compiles all the same gets it."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
import torch
from torch.utils.flop_counter import FlopCounterMode
from hpc_nas.configuration import TrainingSection
from hpc_nas.training.torch_setup import configure_torch

def train(optimizer):
    weights = torch.ones(3, requires_grad=True)
    steps = optimizer([weights], lr=0.5)
    for _ in range(2):
        steps.zero_grad()
        weights.sum().backward()
        steps.step()
    steps.load_state_dict(steps.state_dict())
    return weights.tolist()

configure_torch(TrainingSection(), threads=1)
optimizers = (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW, torch.optim.RMSprop)
before = [train(optimizer) for optimizer in optimizers]
with FlopCounterMode(display=False) as counter:
    torch.ones(2, 3) @ torch.ones(3, 4)
assert counter.get_total_flops() == 2 * 2 * 3 * 4
assert torch.are_deterministic_algorithms_enabled()
assert torch.is_deterministic_algorithms_warn_only_enabled()

@torch.compiler.disable
def plain(x):
    return x - 1
assert plain(3) == 2
for module in list(sys.modules.values()):
    hasattr(module, "__file__")  # as inspect.getmodule does, whatever is being imported just then
loaded = {name for name in sys.modules if name.startswith(("torch._dynamo.", "torch._inductor", "sympy"))}
assert not loaded, sorted(loaded)

compiled = torch.compile(lambda x: torch.sin(x) + plain(x), backend="eager")
assert torch.equal(compiled(torch.zeros(2)), -torch.ones(2))
import torch._dynamo.config
assert sys.modules["torch._dynamo"] is torch._dynamo
assert "torch._dynamo.eval_frame" in sys.modules
assert [train(optimizer) for optimizer in optimizers] == before
print("good")
"""


def test_training_imports_no_compiler_and_compiling_still_works() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120)
    assert done.stdout == "good\n", done.stderr
