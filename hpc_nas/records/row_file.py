"""Row files: tables of fixed-size rows that one process appends to while others read (HDF5 SWMR).

Layout, fixed before the first row: one chunked table per name, and the one-row table `commit` that holds how
many rows of each count. A row is written and flushed, then its counter is written and flushed: after any kill
the counters never promise a row that is not there. Rows beyond the counter are to be ignored.
"""

from hpc_nas.records.row_reader import RowFileReader
from hpc_nas.records.row_writer import RowFileWriter

__all__ = ["RowFileReader", "RowFileWriter"]
