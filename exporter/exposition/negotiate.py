"""Which of our two formats and two codings a client gets, out of its Accept and Accept-Encoding headers (RFC 9110 §12.5).

Nobody is refused: what a client would rather not have is still better for it than no metrics at all.
"""

from __future__ import annotations

from collections.abc import Iterator

#: (media type, its parameters) that we can answer with OpenMetrics. Version 0.0.1 was a draft; only 1.0.0 is what we print.
_OPENMETRICS = "application/openmetrics-text"
_TEXT = "text/plain"


def wants_openmetrics(accept: str) -> bool:
    """Whether OpenMetrics 1.0.0 is preferred to the text format 0.0.4.

    The higher quality wins, the first named on a tie. A wildcard asks for text. Parameters other than `version` and `q`
    (Prometheus 3 sends `escaping=allow-utf-8`) change nothing, since all our names are plain.
    """
    openmetrics = text = (0.0, 0)
    for position, (kind, parameters, quality) in enumerate(_ranges(accept)):
        rank = (quality, -position)
        if kind == _OPENMETRICS and parameters.get("version", "1.0.0") == "1.0.0":
            openmetrics = max(openmetrics, rank)
        elif kind in ("*/*", "text/*") or (kind == _TEXT and parameters.get("version", "0.0.4") == "0.0.4"):
            text = max(text, rank)
    return openmetrics[0] > 0 and openmetrics > text


def wants_gzip(accept_encoding: str) -> bool:
    """Whether gzip is acceptable and no less welcome than no coding at all."""
    qualities: dict[str, float] = {}
    for coding, _, quality in _ranges(accept_encoding):
        name = "gzip" if coding == "x-gzip" else coding
        qualities[name] = max(quality, qualities.get(name, 0.0))
    others = qualities.get("*", 0.0)
    gzip = qualities.get("gzip", others)
    # Not to be named is to be acceptable, for identity alone; but then whatever is named is preferred to it.
    return gzip > 0 and gzip >= qualities.get("identity", 0.0)


def _ranges(header: str) -> Iterator[tuple[str, dict[str, str], float]]:
    """The comma-separated entries of such a header: name, parameters without q, quality. A broken q counts as 0."""
    for entry in header.split(","):
        name, *rest = (part.strip() for part in entry.split(";"))
        if not name:
            continue
        parameters: dict[str, str] = {}
        for parameter in rest:
            key, _, value = parameter.partition("=")
            parameters[key.strip().lower()] = value.strip().strip('"')
        yield name.lower(), parameters, _quality(parameters.pop("q", "1"))


def _quality(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if 0 <= value <= 1 else 0.0
