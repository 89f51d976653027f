"""The recorded learning curves, and the archived recorder of some of them."""
