"""The palette. Every colour has 3:1 contrast on Grafana's light and dark background, and the three that tell good from bad
stay apart for the three kinds of colour blindness; words always stand beside them. `tests/dashboards/test_colours.py`
computes both.
"""

from __future__ import annotations

OK = "#009E73"
WARNING = "#C78500"
CRITICAL = "#D3263A"
INFO = "#3274D9"
UNKNOWN = "#757575"

SERIES = ("#3274D9", "#C78500", "#009E73", "#B15DA5", "#D3263A", "#0F97A8", "#8A6D3B", "#7C6BC9", "#757575")
"""Lines and areas of what has no good or bad, in this order."""
