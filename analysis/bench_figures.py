"""Prints the figures this project is judged by, from a result file, beside those of an earlier one:

    python3 analysis/bench_figures.py NOW.h5 [BEFORE.h5]

Ratios are taken inside one file, so both sides were measured on one machine in one run. Medians. The one exception says
quoted: CrypTen's time of another day (results/reference); jobs/compare.sh measures it in turn with this suite.
"""
from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd

import reference
from measured import Measured, plain_points, read
from pqresults import ResultFileError

Points = dict[tuple[str, int], pd.Series]
Figure = Callable[[Points, int], float | None]


def number(field: str, unit: float = 1, protocol: str = "preprocessed") -> Figure:
    def figure(points: Points, seq: int) -> float | None:
        point = points.get((protocol, seq))
        return float(point[field]) / unit if point is not None else None

    return figure


def over(a: Figure, b: Figure) -> Figure:
    def figure(points: Points, seq: int) -> float | None:
        x, y = a(points, seq), b(points, seq)
        return x / y if x and y else None

    return figure


def quoted_crypten(_: Points, seq: int) -> float | None:
    seconds = reference.times(reference.load(), "CrypTen").get(seq)
    return seconds * 1e9 if seconds else None


ONLINE = number("online_ns")
FIGURES: list[tuple[str, Figure]] = [
    ("online ms, preprocessed", number("online_ns", 1e6)),
    ("online / floor (at most 2)", over(ONLINE, number("floor_ns"))),
    ("published / preprocessed (at most 3.5)", over(number("online_ns", protocol="published"), ONLINE)),
    ("offline / online (at most 8)", over(number("offline_ns"), ONLINE)),
    ("offline MB", number("offline_bytes", 1e6)),
    ("online MB", number("online_bytes", 1e6)),
    ("CrypTen's quoted time / online (at least 400)", over(quoted_crypten, ONLINE)),
]


def points_of(path: Path) -> Points:
    """Points of ours with one rank and one thread, by protocol and length."""
    points = plain_points(Measured([read(path)]).valid(ours=True))
    points = points[(points.ranks_per_party == 1) & (points.threads == 1)]
    return {(p.protocol, int(p.seq_len)): p for _, p in points.iterrows()}


def show(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def main(arguments: list[str]) -> int:
    if len(arguments) not in (1, 2):
        print("bench_figures.py: give a result file, and perhaps an earlier one", file=sys.stderr)
        return 2
    try:
        files = [points_of(Path(name)) for name in arguments]
    except ResultFileError as error:
        print(f"bench_figures.py: {error}", file=sys.stderr)
        return 2
    lengths = sorted({seq for points in files for _, seq in points})
    print(f"{'figure':46}" + "".join(f"{'S=' + str(seq):>18}" for seq in lengths))
    for name, figure in FIGURES:
        cells = (" / ".join(show(figure(points, seq)) for points in files) for seq in lengths)
        print(f"{name:46}" + "".join(f"{cell:>18}" for cell in cells))
    if len(files) == 2:
        print("now / before")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
