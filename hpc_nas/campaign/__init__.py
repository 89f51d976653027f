"""Ask, dispatch, tell: one process that spends the allocation on candidates, and can be resumed after anything."""
