"""Data sets, their splits, and the loop that trains one candidate after another on one device."""
