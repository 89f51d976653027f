"""The measurements behind the project's figures; each benchmark starts as `python -m benchmarks.run...`."""
