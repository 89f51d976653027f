"""The machine: launch lines, Parsl configurations, the doctor."""
