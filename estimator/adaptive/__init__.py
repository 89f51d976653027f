"""`adaptive`: trains on where the ranking is undecided, and pauses everywhere else.

Levels are fractions of the budget at which candidates are compared. A `Field` holds all candidates as they were at
their levels, a `Posterior` what each would reach at the full budget, a `Selection` who is likely to be wrongly in
or out of the best, `worth` what a further level of training would tell. The rule and the promotion put them
together. Why it is made like this, and what was measured: docs/decisions/0010.
"""
