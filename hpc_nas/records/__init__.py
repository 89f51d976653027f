"""Everything durable: the run directory, rank files, the ledger, and the archive."""
