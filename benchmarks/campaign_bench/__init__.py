"""Latencies, throughput, and what a group costs that idles; `benchmarks/run.py` runs it and writes one report."""
