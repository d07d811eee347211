"""Label values that break naive renderers."""

from __future__ import annotations

from hypothesis import strategies as st

ALPHABET = [
    "a",
    "%",
    "d",
    '"',
    "\\",
    "\n",
    "\r",
    "\u2028",
    "\x00",
    "\ud800",
    "\udfff",
    "🔑",
    "é",
    "{",
    "}",
    ",",
    "=",
    " ",
    "1",
    "#",
]

hostile = st.one_of(
    st.text(st.sampled_from(ALPHABET), max_size=12),
    st.sampled_from(['"} 1\n', "a 1\nt_ready 1", '\\"', "\\\\n", 'x",name="y', "%d%b%%", "# EOF", " 12\n", "\\"]),
)
