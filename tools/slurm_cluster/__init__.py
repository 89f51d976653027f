"""A whole Slurm of several nodes on this machine (`cluster`), and campaigns as its jobs (`campaigns`)."""
