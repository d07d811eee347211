"""The newest record of everything, its indexes, and what changed. Judges nothing."""
