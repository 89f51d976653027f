"""What all benchmarks share: arguments, going on where one was, results.json, conditions, and pieces of reports."""
