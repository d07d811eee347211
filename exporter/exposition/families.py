"""The package's public names: families and columns as others declare them, groups as they fill them, and the exposition."""

from __future__ import annotations

from exporter.exposition.columns import AgeColumn, Column
from exporter.exposition.group import Group
from exporter.exposition.lines import Family, escape, labels, number
from exporter.exposition.splice import Body, Exposition, RefreshStats

__all__ = [
    "AgeColumn",
    "Body",
    "Column",
    "Exposition",
    "Family",
    "Group",
    "RefreshStats",
    "escape",
    "labels",
    "number",
]
