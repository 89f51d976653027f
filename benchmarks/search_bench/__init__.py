"""What `benchmarks/run_search.py` is made of."""
