"""A user's own Python file, loaded as a module of its own name, so that a `random.py` of theirs hides no other."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterable
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

__all__ = ["callables_of", "load_file", "load_files", "loaded_files"]

_PREFIX = "user_file_"


def load_file(path: Path) -> ModuleType:
    """The module that the file makes; the same one until the file's content changes.

    A relative path begins at the working directory. Raises ValueError, with the path, for a file that can't be loaded.
    """
    path = path.expanduser().absolute()
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path}: can't be read: {error.strerror}") from error
    name = _PREFIX + sha256(str(path).encode() + b"\0" + content).hexdigest()[:16]
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    # Dataclasses, annotations and copies of the file's objects look themselves up there.
    sys.modules[name] = module
    # Last, so that it finds what lies beside it, and hides nothing: a neighbour called `random` is not imported.
    if (beside := str(path.parent)) not in sys.path:
        sys.path.append(beside)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise ValueError(f"{path}: raised {type(error).__name__}: {error}") from error
    return module


def callables_of(module: ModuleType) -> dict[str, Callable[..., Any]]:
    """The functions and classes that the file itself defines, by name."""
    return {
        name: value
        for name, value in vars(module).items()
        if callable(value) and getattr(value, "__module__", None) == module.__name__
    }


def loaded_files() -> list[Path]:
    """The files loaded so far: what another process must load before it can take over objects made of them."""
    return [
        Path(module.__file__)
        for name, module in list(sys.modules.items())
        if name.startswith(_PREFIX) and module.__file__ is not None
    ]


def load_files(paths: Iterable[Path]) -> None:
    """Load each of these files. Raises ValueError as `load_file` does."""
    for path in paths:
        load_file(path)
