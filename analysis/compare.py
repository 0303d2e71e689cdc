"""Prints what jobs/compare.sh measured: python3 analysis/compare.py RESULTS.h5

The table of the report, as text: every system that was measured in turn with pqbert, with the ratios of times and
bytes.
"""
from __future__ import annotations

import sys
from pathlib import Path

import tables_peers
from measured import OURS, Measured, comparisons, read
from pqresults import ResultFileError


def aligned(header: list[str], rows: list[list[str]], left: int) -> list[str]:
    widths = [max(map(len, column)) for column in zip(header, *rows)]
    return ["  ".join(cell.ljust(w) if i < left else cell.rjust(w)
                      for i, (cell, w) in enumerate(zip(line, widths))).rstrip() for line in [header, *rows]]


def ahead(measured: Measured) -> str:
    """At which lengths our slowest repetition was faster than the fastest of every other system."""
    lengths, won = [], []
    for base, group in comparisons(measured):
        others = [measured.repetitions(p) for _, p in group[group.system != OURS].iterrows()]
        slowest = measured.repetitions(base).online_ns.max()
        lengths.append(base.seq_len)
        if all(slowest < rows.online_ns.min() for rows in others):
            won.append(base.seq_len)
    if won == lengths:
        return f"the slowest repetition of {OURS} was faster than the fastest of every other system at every length"
    return f"{OURS} was faster in every repetition at {len(won)} of {len(lengths)} lengths only"


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("compare.py: give one result file", file=sys.stderr)
        return 2
    try:
        measured = Measured([read(Path(arguments[0]))])
    except ResultFileError as error:
        print(f"compare.py: {error}", file=sys.stderr)
        return 2
    tables = tables_peers.compared(measured)
    if not tables:
        print(f"compare.py: {arguments[0]}: no other system was measured in turn with {OURS}; jobs/compare.sh does "
              "that", file=sys.stderr)
        return 2
    for table in tables:
        print(table.caption.replace("`", ""), *aligned(table.header, table.rows, table.left), "", sep="\n")
    print(*(c.replace("`", "") for c in tables_peers.cautions(measured)), ahead(measured), sep="\n")
    return 3 if (measured.points.verdict == "INVALID").any() else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
