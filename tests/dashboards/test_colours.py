"""The palette can be seen on light and on dark, and with each kind of colour blindness good differs from bad.

Contrast is that of WCAG 2 (1.4.11 asks for 3:1); colour blindness as Viénot, Brettel and Mollon simulate it (1999) for red
and green, and by dropping blue for the rare third kind; difference as CIE 1976 in Lab.
"""

from __future__ import annotations

import itertools

import pytest

from dashboards import colours

BACKGROUNDS = {"light": "#FFFFFF", "dark": "#181B1F"}
Triple = tuple[float, float, float]

SIGHT: dict[str, tuple[Triple, Triple, Triple]] = {
    "full": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "no red": ((0.11238, 0.88762, 0), (0.11238, 0.88762, 0), (0.00401, -0.00401, 1)),
    "no green": ((0.29275, 0.70725, 0), (0.29275, 0.70725, 0), (-0.02234, 0.02234, 1)),
    "no blue": ((1.01277, 0.13548, -0.14826), (-0.01243, 0.86812, 0.14431), (0.07589, 0.805, 0.11911)),
}
"""On linear RGB."""


def linear(colour: str) -> Triple:
    def one(part: str) -> float:
        value = int(part, 16) / 255
        return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)

    return one(colour[1:3]), one(colour[3:5]), one(colour[5:7])


def luminance(rgb: Triple) -> float:
    return 0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2]


def contrast(one: str, other: str) -> float:
    bright, dim = sorted((luminance(linear(one)), luminance(linear(other))), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def lab(rgb: Triple) -> Triple:
    x = (0.4124 * rgb[0] + 0.3576 * rgb[1] + 0.1805 * rgb[2]) / 0.9505
    y = luminance(rgb)
    z = (0.0193 * rgb[0] + 0.1192 * rgb[1] + 0.9505 * rgb[2]) / 1.089

    def f(t: float) -> float:
        t = max(t, 0.0)
        return float(t ** (1 / 3)) if t > 0.008856 else 7.787 * t + 16 / 116

    return 116 * f(y) - 16, 500 * (f(x) - f(y)), 200 * (f(y) - f(z))


def seen(colour: str, sight: str) -> Triple:
    rgb = linear(colour)
    return lab(tuple(sum(a * b for a, b in zip(row, rgb, strict=True)) for row in SIGHT[sight]))  # type: ignore[arg-type]


def difference(one: str, other: str, sight: str) -> float:
    return sum((a - b) ** 2 for a, b in zip(seen(one, sight), seen(other, sight), strict=True)) ** 0.5


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_every_colour_stands_out_from_the_background(background: str) -> None:
    for colour in {colours.OK, colours.WARNING, colours.CRITICAL, colours.INFO, colours.UNKNOWN, *colours.SERIES}:
        assert contrast(colour, BACKGROUNDS[background]) >= 3, (colour, contrast(colour, BACKGROUNDS[background]))


@pytest.mark.parametrize("sight", SIGHT)
def test_good_warning_and_bad_differ_for_everybody(sight: str) -> None:
    for one, other in itertools.combinations((colours.OK, colours.WARNING, colours.CRITICAL), 2):
        assert difference(one, other, sight) > 20, (one, other, difference(one, other, sight))


def test_the_measure_tells_what_a_careless_palette_would_do() -> None:
    """A red and an olive of like brightness are told apart by full sight alone."""
    red, green = "#D3263A", "#6F6F00"
    assert difference(red, green, "full") > 60
    assert difference(red, green, "no green") < difference(red, green, "full") / 2
