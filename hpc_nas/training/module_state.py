"""A network's whole state as plain content, and back: parameters, all buffers, and what its `state_dict` adds."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torch
from torch import nn

from hpc_nas.training.checkpoint import Plain


def module_state(module: nn.Module) -> Plain:
    """The `state_dict`, its versions, and the buffers that it leaves out (`persistent=False`)."""
    state = module.state_dict()
    versions = getattr(state, "_metadata", {})
    buffers = {name: buffer for name, buffer in module.named_buffers() if name not in state}
    return {"state": state, "versions": versions, "buffers": buffers}


def restore_module(module: nn.Module, state: Plain, *, device: torch.device) -> None:
    """Give a network on `device`, built alike, this state. Raises RuntimeError, naming what does not fit."""
    content: Any = OrderedDict(state["state"])
    content._metadata = OrderedDict(state["versions"])
    module.load_state_dict(content, strict=True)
    for name, buffer in state["buffers"].items():
        path, _, leaf = name.rpartition(".")
        owner = module.get_submodule(path)
        if leaf not in owner._buffers:
            raise RuntimeError(f"unexpected buffer {name!r}")
        # The one that is there may have another shape, or be None.
        owner._buffers[leaf] = buffer.to(device, copy=True)
