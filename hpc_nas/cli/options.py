"""What the commands share: options with their texts, exit codes, and where a run directory lies if nobody says so."""

from __future__ import annotations

import shlex
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from hpc_nas.campaign.stop import EXIT_INCOMPLETE

__all__ = [
    "EXIT_ERROR",
    "EXIT_INCOMPLETE",
    "Force",
    "RunDirectoryArgument",
    "Settings",
    "new_run_dir",
    "quoted",
]

EXIT_ERROR = 2

RunDirectoryArgument = Annotated[
    Path, typer.Argument(metavar="RUN_DIR", help="a run directory, or a campaign.h5 file")
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="TABLE.KEY=VALUE", help="override a setting; repeatable"),
]
Force = Annotated[
    bool, typer.Option("--force", help="go on with other code, data or settings than it was begun with")
]


def new_run_dir(name: str) -> Path:
    """Where a campaign of this name goes that is given no run directory."""
    return Path("runs") / f"{name}-{datetime.now():%Y%m%d-%H%M%S}"


def quoted(path: Path) -> str:
    """As it can be given to a shell."""
    return shlex.quote(str(path))
