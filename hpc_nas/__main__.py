"""The first lines of the `hpc-nas` command: the path, and what a signal means, before anything slow is imported."""

from __future__ import annotations

import os
import sys

from hpc_nas.interpreter import leave_working_directory

_CAMPAIGNS = ("run", "finalists")


def main() -> None:
    """Entry point. A campaign that is stopped from here on ends with a word and its documented exit code."""
    leave_working_directory(os.environ, path=sys.path)
    if sys.argv[1:2] and sys.argv[1] in _CAMPAIGNS:
        _campaign()
    else:
        _command()


def _campaign() -> None:
    from hpc_nas.campaign.stop import EXIT_INCOMPLETE, StoppedEarly, early_word, end_on_signals

    try:
        with end_on_signals():
            _command()
    except StoppedEarly as stopped:
        print(early_word(str(stopped)), file=sys.stderr)
        sys.exit(EXIT_INCOMPLETE)


def _command() -> None:
    from hpc_nas.cli.main import main as command

    command()


if __name__ == "__main__":
    main()
