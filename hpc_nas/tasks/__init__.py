"""Tasks: what candidates are trained on and judged by. One file for each kind of problem: `images`, `text`."""
