"""Every strategy and every space; `benchmarks/run_search.py` runs it and writes one report."""
