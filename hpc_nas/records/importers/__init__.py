"""Importers: learning curves that others recorded, in their own formats, as sets of curves. One file each."""

from hpc_nas.records.importers.a4nn import import_a4nn
from hpc_nas.records.importers.penguin import import_penguin

__all__ = ["import_a4nn", "import_penguin"]
