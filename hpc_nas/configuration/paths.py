"""Paths as users write them: `~`, `~name`, $VARIABLE and ${VARIABLE} at once, or what is wrong with them."""

from __future__ import annotations

import os
import re
from pathlib import Path

from hpc_nas.errors import ConfigurationError

__all__ = ["expand_path"]

_VARIABLE = re.compile(r"\$(?:(\w+)|\{([^}]*)\})", re.ASCII)


def expand_path(text: str, *, where: str) -> str:
    """The absolute path; a relative one begins at the working directory.

    Raises ConfigurationError, beginning with `where`, for a variable that is not set, a user that this machine does not
    know, and `~` where there is no home directory.
    """

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if name not in os.environ:
            raise ConfigurationError(
                f"{where} = {text!r}: the environment variable {name} is not set; set it, or write the path out"
            )
        return os.environ[name]

    expanded = _VARIABLE.sub(value, text)
    if "\0" in expanded:
        raise ConfigurationError(f"{where} = {text!r}: a path has no NUL")
    try:
        return str(Path(expanded).expanduser().absolute())
    except RuntimeError as error:
        first = expanded.partition("/")[0]
        what = (
            f"this machine knows no user {first[1:]!r}"
            if first != "~"
            else "there is no home directory; set HOME"
        )
        raise ConfigurationError(f"{where} = {text!r}: {what}, or write the path out") from error
    except OSError as error:  # the working directory is gone
        raise ConfigurationError(f"{where} = {text!r}: no working directory to begin at: {error}") from error
