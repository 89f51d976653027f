"""The measurements behind the README's figures; `benchmarks/run.py` runs them and writes one report."""
