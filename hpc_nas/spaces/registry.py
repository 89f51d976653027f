"""Find a search space by its name, or in a user's file, and check its options."""

from __future__ import annotations

import importlib.util
import sys
from hashlib import sha256
from pathlib import Path
from types import ModuleType

from hpc_nas.configuration import SpaceSection
from hpc_nas.configuration.nearest import nearest
from hpc_nas.configuration.paths import expand_path
from hpc_nas.errors import ConfigurationError, SpaceError
from hpc_nas.spaces.darts import darts
from hpc_nas.spaces.lstm import lstm
from hpc_nas.spaces.metaqnn import metaqnn
from hpc_nas.spaces.nas_bench_201 import nas_bench_201
from hpc_nas.spaces.options import resolve_options
from hpc_nas.spaces.randaugment import randaugment
from hpc_nas.spaces.random_cnn import random_cnn
from hpc_nas.spaces.resnet_random import resnet_random
from hpc_nas.spaces.resnet_scaling import resnet_scaling
from hpc_nas.spaces.space import Space, SpaceFunction

__all__ = ["SPACES", "load_space"]

SPACES: dict[str, SpaceFunction] = {
    "random-cnn": random_cnn,
    "metaqnn": metaqnn,
    "nas-bench-201": nas_bench_201,
    "darts": darts,
    "resnet-scaling": resnet_scaling,
    "resnet-random": resnet_random,
    "randaugment": randaugment,
    "lstm": lstm,
}
"""The spaces that come with hpc-nas, by the name that a campaign file uses."""


def load_space(section: SpaceSection) -> Space:
    """The space that `[space]` names, with all its options: those of the section, defaults for the rest.

    A name of the form `path/to/file.py:function` is a user's own; a relative path begins at the working
    directory. Raises SpaceError for an unknown name or option (the nearest is offered), a value out of range,
    and a file that can't be loaded.
    """
    where = f"[space] {section.name}"
    path, colon, function_name = section.name.rpartition(":")
    if colon and path.endswith(".py"):
        function = _user_function(Path(path), function_name)
    elif section.name in SPACES:
        function = SPACES[section.name]
    else:
        raise SpaceError(
            f"[space]: unknown space {section.name!r} (a function of your own: 'my_file.py:my_space')"
            f"{nearest(section.name, SPACES)}"
        )
    options = resolve_options(
        function, section.options, leading=("trial", "problem"), where=where, error=SpaceError
    )
    return Space(name=section.name, function=function, options=options)


def _user_function(path: Path, name: str) -> SpaceFunction:
    module = _user_module(path)
    function = getattr(module, name, None)
    if function is None or not callable(function):
        own = [key for key, value in vars(module).items() if _defined_in(value, module)]
        raise SpaceError(f"[space]: {path} has no function {name!r}{nearest(name, own)}")
    return function  # type: ignore[no-any-return]


def _defined_in(value: object, module: ModuleType) -> bool:
    return callable(value) and getattr(value, "__module__", None) == module.__name__


def _user_module(path: Path) -> ModuleType:
    """Run a user's file as a module of its own name, so that a `random.py` of theirs hides nobody's."""
    try:
        path = Path(expand_path(str(path), where="[space]: name"))
    except ConfigurationError as error:
        raise SpaceError(str(error)) from error
    if not path.is_file():
        raise SpaceError(f"[space]: {path}: no such file")
    name = f"hpc_nas_user_space_{sha256(str(path).encode()).hexdigest()[:16]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise SpaceError(f"[space]: {path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and annotations of the file look themselves up there
    # Last, so that it finds what lies beside it, and hides nothing: a neighbour called `random` is not imported.
    if (beside := str(path.parent)) not in sys.path:
        sys.path.append(beside)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise SpaceError(f"[space]: {path}: raised {type(error).__name__}: {error}") from error
    return module
