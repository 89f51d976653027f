"""`adaptive`: continues training where the ranking is undecided, and pauses all other candidates.

- `levels`: fractions of the budget at which candidates are compared.
- `features`: what the curves of all candidates look like at their levels.
- `posterior`: the accuracy that each candidate would reach at the full budget, with `mixture` for its distribution.
- `population_posterior`: that of all candidates, and how likely each is wrongly in or out of the best.
- `knowledge_gradient`: what further training of a candidate would tell.
- `rules`, `promotions`: what is done with it.

Why it is made like this, and what was measured: docs/decisions/0010.
"""
