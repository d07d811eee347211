"""Measurements: ratios within one run, never milliseconds across runs. `python -m benchmarks` holds all of it against the bars."""
