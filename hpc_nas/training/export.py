"""A trained network as files that others can use: a state dict, a program of torch.export, ONNX."""

from __future__ import annotations

import importlib.util
import io
import re
import warnings
from collections import OrderedDict
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from hpc_nas.spaces.architecture import ARCHITECTURE_NAME, Architecture
from hpc_nas.tasks.base import Inputs
from hpc_nas.training.checkpoint import Plain

WEIGHTS_NAME = "weights.pt"
PROGRAM_NAME = "model.pt2"
ONNX_NAME = "model.onnx"

_Result = TypeVar("_Result")

ONNX_PACKAGES = ("onnx", "onnxscript")
"""What torch.onnx needs; hpc-nas does without."""

MAX_REASON = 300
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
TOLERANCE = 1e-4  # between the logits of a network and of its exported program, relative and absolute


@dataclass(frozen=True, kw_only=True)
class NotExported:
    """Why there is no such file."""

    reason: str


def weights_file(state: Plain) -> bytes:
    """A state dict as torch.save writes it; `state` is `module_state`'s. For `torch.load(weights_only=True)`."""
    content: Any = OrderedDict(state["state"])
    content._metadata = OrderedDict(state["versions"])
    stream = io.BytesIO()
    torch.save(content, stream)
    return stream.getvalue()


def read_weights(content: bytes) -> Plain:
    """The state dict that such a file holds."""
    weights: Plain = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return weights


def load_network(directory: Path) -> nn.Module:
    """The network that was saved in this directory, on the CPU and ready to be asked.

    Raises SpaceError where its space is not what it was, OSError for files that can't be read.
    """
    architecture = Architecture.model_validate_json((directory / ARCHITECTURE_NAME).read_bytes())
    module = architecture.rebuild().module
    module.load_state_dict(read_weights((directory / WEIGHTS_NAME).read_bytes()), strict=True)
    return module.eval()


def export_network(module: nn.Module, example: Inputs) -> dict[str, bytes | NotExported]:
    """The network in evaluation as files by name: a program of torch.export, and the same as ONNX.

    For batches of any size if its code allows that. What the program gives for the example is compared with what the
    network gives.
    """
    program = _attempt(lambda: _program(module, example))
    if isinstance(program, NotExported):
        return {PROGRAM_NAME: program, ONNX_NAME: program}
    return {PROGRAM_NAME: _attempt(lambda: _program_file(program)), ONNX_NAME: _onnx(program)}


def _attempt(action: Callable[[], _Result]) -> _Result | NotExported:
    """Whatever torch's compiler meets in a network of any kind must not cost the network."""
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            return action()
    except Exception as error:
        cause: BaseException = error
        while cause.__cause__ is not None:  # the outer ones only say in which step it was
            cause = cause.__cause__
        lines = _COLOURS.sub("", str(cause)).strip().splitlines() or [""]
        return NotExported(reason=f"{type(cause).__name__}: {lines[0]}"[:MAX_REASON])


def _program(module: nn.Module, example: Inputs) -> torch.export.ExportedProgram:
    any_size = torch.export.Dim.AUTO  # that of any size which the network's code does not fix
    sizes: Any = ({0: any_size},)
    if len(example) > 1:
        state = tuple(dict.fromkeys(range(part.dim()), any_size) for part in example[1])
        sizes = ({0: any_size, 1: any_size}, state)
    program = torch.export.export(module.eval(), example, dynamic_shapes=sizes)
    torch.testing.assert_close(
        program.module()(*deepcopy(example)), module(*deepcopy(example)), rtol=TOLERANCE, atol=TOLERANCE
    )
    return program


def _program_file(program: torch.export.ExportedProgram) -> bytes:
    stream = io.BytesIO()
    torch.export.save(program, stream)
    return stream.getvalue()


def _onnx(program: torch.export.ExportedProgram) -> bytes | NotExported:
    missing = [name for name in ONNX_PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        which = f"package {missing[0]} is" if len(missing) == 1 else f"packages {', '.join(missing)} are"
        return NotExported(reason=f"{which} not installed")
    return _attempt(lambda: _onnx_file(program))


def _onnx_file(program: torch.export.ExportedProgram) -> bytes:
    exported: Any = torch.onnx.export(program, dynamo=True, verbose=False)
    content: bytes = exported.model_proto.SerializeToString()
    return content
