"""Thirteen incidents through our rules and through equivalents of the usual published ones: `python -m alerts.compare`."""
