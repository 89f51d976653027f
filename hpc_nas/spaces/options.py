"""Options of a function are its own parameters: names, types, limits and defaults stand in its signature.

    def random_cnn(trial, problem, *, max_filters: Annotated[int, Field(ge=1)] = 400): ...

has one option, a whole number from 1, 400 where a file does not say otherwise. Search spaces and strategies,
ours and a user's own, are checked by the same few lines.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError

from hpc_nas.configuration.nearest import nearest
from hpc_nas.configuration.ranges import range_of
from hpc_nas.errors import HpcNasError

__all__ = ["resolve_options", "type_hints"]


def resolve_options(
    function: Callable[..., object],
    options: Mapping[str, Any],
    *,
    leading: tuple[str, ...],
    where: str,
    error: type[HpcNasError],
) -> dict[str, Any]:
    """All options of `function`: those given, checked against its signature, and the defaults of the others.

    `leading` names the first parameters, which are not options. A function with `**options` takes any name.
    Raises `error`, its message beginning with `where`, for a function without the leading parameters, an
    unknown option (the nearest name is offered), a wrong type or range, or an option without any value.
    """
    parameters = list(inspect.signature(function).parameters.values())
    if sum(_is_positional(parameter) for parameter in parameters[: len(leading)]) < len(leading):
        raise error(
            f"{where}: must be a function of ({', '.join(leading)}), and of options with a name; "
            f"its parameters are ({', '.join(map(str, parameters))})"
        )
    known = {p.name: p for p in parameters[len(leading) :] if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters)
    for name in options:
        if name not in known and not takes_any:
            raise error(f"{where}: unknown option {name!r}{nearest(name, known)}")
    resolved = dict(options)
    hints = type_hints(function)
    for name, parameter in known.items():
        if name in options:
            annotation = hints.get(name, _implied(parameter))
            resolved[name] = _checked(options[name], annotation, where=f"{where}: {name}", error=error)
        elif parameter.default is parameter.empty:
            raise error(f"{where}: option {name!r} has no default; give it a value")
        else:
            resolved[name] = parameter.default
    return resolved


def _is_positional(parameter: inspect.Parameter) -> bool:
    return parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)


def _implied(parameter: inspect.Parameter) -> Any:
    """The type of an option without annotation: that of its default."""
    return Any if parameter.default in (None, parameter.empty) else type(parameter.default)


def type_hints(function: Callable[..., object]) -> dict[str, Any]:
    """The annotations of its parameters; none where they can't be read."""
    try:
        return get_type_hints(function, include_extras=True)
    except (
        NameError,
        AttributeError,
        TypeError,
    ):  # annotations of a user's function that only a type checker reads
        return {}


def _checked(value: Any, annotation: Any, *, where: str, error: type[HpcNasError]) -> Any:
    try:
        allowed = TypeAdapter(annotation).validate_python(value, strict=True)
    except ValidationError as refused:
        wanted = range_of(annotation)
        said = f"; expected {wanted}" if wanted else ""
        raise error(f"{where} = {value!r} is not allowed: {refused.errors()[0]['msg']}{said}") from None
    if isinstance(allowed, float) and not math.isfinite(allowed):
        raise error(f"{where} = {value!r} is not allowed: expected a finite number")
    return allowed
