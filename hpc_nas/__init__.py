"""hpc-nas: neural architecture search on supercomputers that spends GPU time only on networks worth it."""

__version__ = "0.1.0"
