"""What tests and benchmarks share and no user needs: not installed, found from the root of the checkout."""
