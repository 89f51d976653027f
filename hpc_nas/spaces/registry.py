"""Find a search space by its name, or in a user's file, and check its options."""

from __future__ import annotations

from pathlib import Path

from estimator.user_file import callables_of, load_file
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
    try:
        path = Path(expand_path(str(path), where="[space]: name"))
    except ConfigurationError as error:
        raise SpaceError(str(error)) from error
    try:
        module = load_file(path)
    except ValueError as error:
        raise SpaceError(f"[space]: {error}") from error
    function = getattr(module, name, None)
    if not callable(function):
        raise SpaceError(f"[space]: {path} has no function {name!r}{nearest(name, callables_of(module))}")
    return function  # type: ignore[no-any-return]
