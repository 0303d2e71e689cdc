"""Prints the figures this project is judged by, from a result file, beside those of an earlier one:

    python3 analysis/bench_figures.py NOW.h5 [BEFORE.h5]

Ratios are taken inside one file, so both sides were measured on one machine in one run. Medians.
"""
from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from result_file import Point, ResultFile, ResultFileError, read

CRYPTEN_S = {8: 10.7, 16: 14.7, 32: 19.4, 64: 27.1, 128: 55.6}
"""CrypTen on the same BERT-base, two parties, one thread each, loopback, two cores of an AVX-512 VNNI Xeon: another day, another
run; jobs/compare.sh will measure both in turn."""

Figure = Callable[[dict[tuple[str, int], Point], int], float | None]


def online_ms(points: dict[tuple[str, int], Point], protocol: str, seq: int) -> float | None:
    point = points.get((protocol, seq))
    return point.median("online_ns") / 1e6 if point else None


def per_floor(points: dict[tuple[str, int], Point], seq: int) -> float | None:
    point = points.get(("preprocessed", seq))
    return point.median("online_ns") / point.median("floor_ns") if point else None


def published(points: dict[tuple[str, int], Point], seq: int) -> float | None:
    a, b = online_ms(points, "published", seq), online_ms(points, "preprocessed", seq)
    return a / b if a and b else None


def offline(points: dict[tuple[str, int], Point], seq: int) -> float | None:
    point = points.get(("preprocessed", seq))
    return point.median("offline_ns") / point.median("online_ns") if point else None


def megabytes(field: str) -> Figure:
    def figure(points: dict[tuple[str, int], Point], seq: int) -> float | None:
        point = points.get(("preprocessed", seq))
        return point.median(field) / 1e6 if point else None

    return figure


def crypten(points: dict[tuple[str, int], Point], seq: int) -> float | None:
    time = online_ms(points, "preprocessed", seq)
    return CRYPTEN_S[seq] * 1e3 / time if time and seq in CRYPTEN_S else None


FIGURES: list[tuple[str, Figure]] = [
    ("online ms, preprocessed", lambda points, seq: online_ms(points, "preprocessed", seq)),
    ("online / floor (at most 2)", per_floor),
    ("published / preprocessed (at most 3.5)", published),
    ("offline / online (at most 8)", offline),
    ("offline MB", megabytes("offline_bytes")),
    ("online MB", megabytes("online_bytes")),
    ("CrypTen's quoted time / online (at least 400)", crypten),
]


def points_of(file: ResultFile) -> dict[tuple[str, int], Point]:
    """VALID points with one rank and one thread, by protocol and length."""
    return {
        (str(p.settings["protocol"]), int(p.settings["seq_len"])): p
        for p in file.points
        if p.verdict == "VALID" and p.settings["ranks_per_party"] == 1 and p.settings["threads"] == 1
    }


def show(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def main(arguments: list[str]) -> int:
    if len(arguments) not in (1, 2):
        print("bench_figures.py: give a result file, and perhaps an earlier one", file=sys.stderr)
        return 2
    try:
        files = [points_of(read(Path(name))) for name in arguments]
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
