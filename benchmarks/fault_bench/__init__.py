"""The faults' benchmark: a storm of faults, a chain of jobs, and the use of an allocation, on a Slurm of our own."""
