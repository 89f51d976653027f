"""Replay: what any preset would have done with learning curves that are already known."""
