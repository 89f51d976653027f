"""Trains many tiny networks at once and keeps their learning curves; `benchmarks/recording/record.py` runs it."""
