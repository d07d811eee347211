"""Families as bytes: lines are rendered when their object changes, compressed per (family, shard), and spliced per scrape."""
