"""Search spaces: what a candidate may look like, how it is drawn, rebuilt and described.

A space is a define-by-run function of an Optuna trial and a `Problem`. This page imports no torch; the rest
of the room does.
"""

from hpc_nas.spaces.problem import Problem, TextProblem
from hpc_nas.spaces.recipe import Recipe

__all__ = ["Problem", "Recipe", "TextProblem"]
