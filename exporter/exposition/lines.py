"""How one sample becomes one line: families, label escaping, numbers.

Every family is a gauge, because a gauge's lines are the same bytes in the text format 0.0.4 and in OpenMetrics 1.0;
so one rendered and compressed block serves both. Only the end marker differs.
"""

from __future__ import annotations

import re

import msgspec

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*\Z")


class Family(msgspec.Struct, frozen=True):
    """Name and help text of a gauge family. Raises ValueError for a name that is no metric name."""

    name: str
    help: str

    def __post_init__(self) -> None:
        if not _NAME.match(self.name):
            raise ValueError(f"{self.name!r} is not a metric name")

    def header(self) -> bytes:
        """The HELP and TYPE lines, valid in both formats (`# TYPE x_info gauge` is accepted by OpenMetrics parsers)."""
        text = self.help.replace("\\", r"\\").replace("\n", r"\n")
        return f"# HELP {self.name} {text}\n# TYPE {self.name} gauge\n".encode(errors="replace")


def escape(value: str) -> bytes:
    r"""A label value as UTF-8 with `\`, `"` and LF escaped, in that order; everything else (\r, NUL, U+2028) stays raw.

    A lone surrogate becomes `?`: one poisoned object must not fail the whole exposition.
    """
    if "\\" in value:
        value = value.replace("\\", "\\\\")
    if '"' in value:
        value = value.replace('"', '\\"')
    if "\n" in value:
        value = value.replace("\n", "\\n")
    return value.encode(errors="replace")


def labels(**pairs: str) -> bytes:
    """`{namespace="a",name="b"}` in the order given; nothing at all when there are no pairs."""
    if not pairs:
        return b""
    return b"{" + b",".join([b'%b="%b"' % (name.encode(), escape(value)) for name, value in pairs.items()]) + b"}"


def number(value: float) -> bytes:
    """A sample value: whole numbers without exponent or point (1780300123, not 1.780300123e+09), others as `repr`.

    Both parsers take `NaN`, `+Inf` and `-Inf`; Python's own spellings `nan` and `inf` are never printed.
    """
    if type(value) is int:
        return b"%d" % value
    if value != value:
        return b"NaN"
    if value in (float("inf"), float("-inf")):
        return b"+Inf" if value > 0 else b"-Inf"
    whole = int(value)
    if whole == value and abs(whole) < 1 << 53:
        return b"%d" % whole
    return repr(float(value)).encode()
