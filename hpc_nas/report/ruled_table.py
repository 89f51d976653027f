"""The look of all tables with columns: a bold title, a rule under the header, no edges."""

from __future__ import annotations

from rich import box
from rich.table import Table

__all__ = ["ruled_table"]


def ruled_table(title: str, *columns: str) -> Table:
    """An empty table with these columns, aligned right as figures are."""
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        caption_justify="left",
        header_style="dim",
        box=box.SIMPLE_HEAD,
        padding=0,
        show_edge=False,
    )
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table
