"""The MPI program of a worker group: trainer ranks, one estimator rank, and their line to the campaign."""
