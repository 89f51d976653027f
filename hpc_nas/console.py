"""Where the commands print: nothing in a text is markup, so that paths and tables ([group]) stay as they are."""

from __future__ import annotations

from rich.console import Console


def plain_console(*, stderr: bool = False) -> Console:
    """A console that shows texts as they were written."""
    return Console(markup=False, emoji=False, stderr=stderr)
