"""How numbers are written in a report: digits that mean something, never an exponent, commas between thousands."""
from __future__ import annotations

import math

import pandas as pd

from measured import Ratio


def scaled(x: float) -> str:
    """Four significant digits or so; a dash for no number."""
    if math.isnan(x):
        return "-"
    return f"{x:.3f}" if x < 10 else f"{x:.2f}" if x < 100 else f"{x:.1f}" if x < 1000 else f"{x:,.0f}"


def short(x: float) -> str:
    """Two or three digits, for headlines and axes."""
    return f"{x:,.0f}" if x >= 100 else f"{x:.3g}"


def milliseconds(point: pd.Series, name: str, spread: bool = True) -> str:
    """`name` without _ns: median [first quartile, third quartile]."""
    values = [scaled(point[f"{name}_ns{end}"] / 1e6) for end in ("_q1", "", "_q3")]
    if values[1] == "-" or point[f"{name}_ns"] == 0:
        return "-"
    return f"{values[1]} [{values[0]}, {values[2]}]" if spread else values[1]


def times(r: Ratio | None) -> str:
    if r is None:
        return "-"
    return short(r.middle) if r.low == r.high else f"{short(r.middle)} [{short(r.low)}, {short(r.high)}]"


def percent(x: float | None) -> str:
    return "-" if x is None or math.isnan(x) else f"{100 * x:.1f} %"


def count(low: float, high: float) -> str:
    """A number that ought to be the same for all repetitions; both ends where it is not."""
    return f"{low:,.0f}" if low == high else f"{low:,.0f}-{high:,.0f}"


def megabytes(x: float) -> str:
    return "-" if x == 0 else scaled(x / 1e6)


def plural(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def listed(values: list[str]) -> str:
    """a, b and c"""
    return values[0] if len(values) == 1 else ", ".join(values[:-1]) + " and " + values[-1] if values else ""
