"""Measurements: ratios within one run, never milliseconds across runs."""
