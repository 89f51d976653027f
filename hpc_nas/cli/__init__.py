"""The `hpc-nas` command, a file for each of its commands. Only these print; slow imports stand where they are used."""
