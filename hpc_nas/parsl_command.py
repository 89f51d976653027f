"""`parsl run SCRIPT [arguments]`: Parsl itself has no command line, so this package brings one.

The script runs as `__main__`, with its own directory first on the path, as under `python SCRIPT`; whatever it
loaded through Parsl is cleaned up when it ends, also when it fails (an executor that is left loaded keeps its
processes alive).
"""

from __future__ import annotations

import contextlib
import runpy
import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    add_completion=False, no_args_is_help=True, rich_markup_mode=None, help="Run Parsl scripts."
)


@app.callback()
def _commands() -> None:
    """Run Parsl scripts."""


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def run(
    context: typer.Context,
    script: Annotated[
        Path, typer.Argument(help="a Python script that uses Parsl", exists=True, dir_okay=False)
    ],
) -> None:
    """Run SCRIPT with the arguments that follow, and clean Parsl up after it."""
    import parsl

    sys.argv = [str(script), *context.args]
    sys.path.insert(0, str(script.resolve().parent))
    try:
        runpy.run_path(str(script), run_name="__main__")
    finally:
        # Without one it has loaded nothing, or has cleaned up itself.
        with contextlib.suppress(parsl.errors.NoDataFlowKernelError):
            parsl.dfk().cleanup()
        parsl.clear()


def main() -> None:
    """Entry point of the `parsl` command."""
    app()
