"""Every rule on every set of recorded curves; `benchmarks/run_estimator.py` runs it and writes one report."""
