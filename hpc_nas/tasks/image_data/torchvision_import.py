"""Import torchvision, also beside a build of torch for which its compiled operators can't be loaded."""

from __future__ import annotations

import importlib
from types import ModuleType

import torch

_SIGNATURE = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_OPERATORS = ("nms", "qnms")
_libraries: list[torch.library.Library] = []  # a schema lives as long as the library object that defined it


def import_torchvision() -> ModuleType:
    """The module torchvision, with its data sets, transforms and models.

    torchvision's wheel is built for CUDA; beside a CPU build of torch its operators are not loaded, and the
    import fails where they are looked up ("operator torchvision::nms does not exist"). Then, and only then,
    the schemas of those that are missing are defined and the import repeated. `torchvision.ops.nms` itself
    stays unusable. Defining them first would collide with the real ones on a machine that has them.
    """
    try:
        return importlib.import_module("torchvision")
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
    _define_missing_operators()
    return importlib.import_module("torchvision")


def _define_missing_operators() -> None:
    library = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    _libraries.append(library)
    for name in _OPERATORS:
        if not hasattr(torch.ops.torchvision, name):
            library.define(f"{name}{_SIGNATURE}")  # type: ignore[no-untyped-call]
