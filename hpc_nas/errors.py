"""Every error that hpc-nas raises on purpose.

    HpcNasError
    +-- ConfigurationError   a campaign or platform file says something that can't be
    +-- DataError            a data set is missing, corrupt, or not what was declared
    +-- SpaceError           a search space is unknown, or yields nothing that fits the data
    +-- RunDirectoryError    a run directory is occupied, missing, or in use
    +-- RecordError          a record file is missing, foreign, truncated or can't be written
    +-- LaunchError          MPI, Parsl or a worker group can't be started
    +-- TrainingError        no candidate of a campaign can be trained

Expected outcomes of a candidate (non-finite, out of memory, ...) are values, not errors: see `values`.
A message says where, what was seen, what is allowed and what to do. Each class takes only the message,
so errors survive pickling through Parsl.
"""

__all__ = [
    "ConfigurationError",
    "DataError",
    "HpcNasError",
    "LaunchError",
    "RecordError",
    "RunDirectoryError",
    "SpaceError",
    "TrainingError",
]


class HpcNasError(Exception):
    """Base of all errors raised on purpose; the command line prints its message and exits with 2."""


class ConfigurationError(HpcNasError):
    """A campaign or platform file, or a --set option, holds something that can't be."""


class DataError(HpcNasError):
    """A data set is missing, corrupt, or not what was declared."""


class SpaceError(HpcNasError):
    """A search space is unknown, or yields no network that fits the data."""


class RunDirectoryError(HpcNasError):
    """A run directory is occupied, missing, or in use by a living campaign."""


class RecordError(HpcNasError):
    """A record file is missing, foreign, truncated, or can't be written."""


class LaunchError(HpcNasError):
    """MPI, Parsl or a worker group can't be started."""


class TrainingError(HpcNasError):
    """The candidates of a campaign fail, all alike, or none of them was trained to a result."""
