"""Put off the import of torch's compiler until somebody compiles: it takes seconds, and trainers compile nothing.

A process's first optimizer, its first step and the first pass under a dispatch mode import torch._dynamo only to tell
it that they are not to be compiled (torch 2.13: `torch/_compile.py:39-49`, `torch/optim/optimizer.py:59-82`). Measured:
2 to 3 s of a core in each trainer and in the campaign, from a warm file cache.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch

__all__ = ["put_off_compiler"]

_NAME = "torch._dynamo"


class _StandIn(ModuleType):
    """Answers what is asked where nothing is compiled; whatever else is asked of it imports the compiler."""

    @staticmethod
    def disable(function: Callable[..., Any] | None = None, *_: object, **__: object) -> Any:
        """What is not to be compiled is as it is; without a function, a decorator."""
        return (lambda decorated: decorated) if function is None else function

    @staticmethod
    def graph_break(*_: object, **__: object) -> None:
        """There is no graph that could be broken."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name != "__path__":  # which an import of a part of it asks for
            # Python's inspect asks every module there is, in the middle of other imports, too.
            raise AttributeError(
                f"module {_NAME!r} has not been imported yet and has no {name!r}", name=name, obj=self
            )
        if sys.modules.get(_NAME) is self:
            del sys.modules[_NAME]
            del torch._dynamo
        return getattr(importlib.import_module(_NAME), name)


def put_off_compiler() -> None:
    """From now on; nothing changes where it is imported already. `torch.compile` works as ever, and pays then."""
    if _NAME in sys.modules:
        return
    stand_in = _StandIn(_NAME)
    stand_in.__spec__ = importlib.util.find_spec(_NAME)
    sys.modules[_NAME] = stand_in
    torch._dynamo = stand_in
