"""A name for a user that this machine does not know, as in a container: Parsl and torch ask for one."""

from __future__ import annotations

import getpass
import os
from collections.abc import MutableMapping

__all__ = ["name_user"]


def name_user(environment: MutableMapping[str, str]) -> None:
    """Set LOGNAME to the number, for this process and its children, where neither it nor the machine says a name."""
    try:
        getpass.getuser()
    except (KeyError, OSError, ImportError):
        environment["LOGNAME"] = f"uid{os.getuid()}"
