"""Makes a report from result files: python3 analysis/report.py RESULTS.h5 [more.h5 ...] --out DIR

Writes DIR/report.md, DIR/online_time.png and DIR/online_bytes.png. Needs h5py, numpy and matplotlib.
"""
from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

import plots
from result_file import Point, ResultFile, ResultFileError, read, text

FEW_REPETITIONS = 5
LONGEST_CELL = 160


def table(header: list[str], rows: list[list[str]], left: int = 1) -> list[str]:
    """Markdown; the first `left` columns to the left, the others to the right."""
    marks = ["---"] * left + ["---:"] * (len(header) - left)
    lines = [header, marks, *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]


def scaled(x: float) -> str:
    """Four significant digits or so, never an exponent."""
    return f"{x:,.3f}" if x < 10 else f"{x:,.2f}" if x < 100 else f"{x:,.1f}"


def milliseconds(p: Point, name: str, with_quartiles: bool) -> str:
    low, middle, high = (scaled(q / 1e6) for q in p.quartiles(name))
    return f"{middle} [{low}, {high}]" if with_quartiles else middle


def count(p: Point, name: str) -> str:
    """A number that ought to be the same for all repetitions; both ends where it is not."""
    low, high = int(p.rows[name].min()), int(p.rows[name].max())
    return f"{low:,}" if low == high else f"{low:,}-{high:,}"


def beside(p: Point, name: str) -> str:
    measured, predicted = count(p, name), count(p, f"{name}_predicted")
    return f"{measured} / {predicted}" + ("" if measured == predicted else " (differs)")


def varying_settings(points: list[Point]) -> list[str]:
    names = points[0].settings
    always = ("seq_len", "protocol")
    return [n for n in names if n in always or len({p.settings.get(n) for p in points}) > 1]


def distinct(points: list[Point], name: str) -> str:
    return ", ".join(dict.fromkeys(text(v) for p in points for v in p.rows[name]))


def what_was_measured(files: list[ResultFile], points: list[Point]) -> list[str]:
    first = points[0].rows[0]
    nets = distinct(points, "net")
    emulated = "nothing: the network as it is" if nets == "none" else f"between parties: {nets}"
    lines = [
        "## What was measured", "",
        f"- Model: {distinct(points, 'model')} ({int(first['layers'])} layers, hidden {int(first['hidden'])}, "
        f"{int(first['heads'])} heads, feed-forward {int(first['ffn'])})",
        "- A repetition: one private inference by three parties; online time runs from the barrier before the input is "
        "shared to the opened logits, at P1",
        f"- Ranks per party: {distinct(points, 'ranks_per_party')}; threads per rank: {distinct(points, 'threads')}; "
        f"matrix kernel: {distinct(points, 'kernel')}",
        f"- Transport: {distinct(points, 'transport')}; emulated: {emulated}",
        f"- Mode: {distinct(points, 'mode')}",
    ]
    for f in files:
        e = f.environment
        lines.append(f"- {f.path.name}: {e.get('cpu', 'CPU not recorded')}; hosts {e.get('hosts', 'not recorded')}; "
                     f"{e.get('cores', 'unknown number of')} cores; build {e.get('build_type', 'not recorded')}, "
                     f"commit {e.get('commit', 'not recorded')}; {e.get('utc', 'time not recorded')}")
    return lines + [""]


def warnings(files: list[ResultFile], points: list[Point]) -> list[str]:
    found = []
    for f in files:
        build = f.environment.get("build_type", "not recorded")
        if build != "Release":
            found.append(f"{f.path.name}: build type {build}, not Release: times say nothing about the protocol")
        if f.environment.get("governor", "performance") not in ("performance", "unknown"):
            found.append(f"{f.path.name}: frequency governor {f.environment['governor']}: times vary with the clock")
        for n, later in enumerate(f.resumed, 1):
            found.append(f"{f.path.name}: resumed (launch {n + 1}); these entries differ: {', '.join(later)}")
    if "INSECURE-BENCH" in distinct(points, "mode"):
        found.append("INSECURE-BENCH: the randomness was fixed by a seed; such a run protects nothing")
    for condition, what in (
        (lambda p: p.verdict == "INVALID", "INVALID, left out of times and plots"),
        (lambda p: p.verdict == "UNCHECKED", "UNCHECKED: not compared with the replay"),
        (lambda p: len(p.rows) < FEW_REPETITIONS, f"fewer than {FEW_REPETITIONS} repetitions: quartiles say little"),
        (lambda p: p.oversubscribed, "oversubscribed: more threads than cores, parties disturb each other"),
        (lambda p: beside(p, "online_bytes").endswith(")") or beside(p, "online_rounds").endswith(")"),
         "measured bytes or rounds differ from the predicted"),
    ):
        n = sum(map(condition, points))
        if n:
            found.append(f"{n} of {len(points)} points: {what}")
    if not found:
        return []
    return ["## Warnings", "", *(f"- **{w}**" for w in found), ""]


def point_row(p: Point, settings: list[str]) -> list[str]:
    valid = p.verdict != "INVALID"
    fraction = p.floor_fraction() if valid else None
    return [
        *(str(p.settings[n]) for n in settings),
        milliseconds(p, "offline_ns", False) if valid else "-",
        milliseconds(p, "online_ns", True) if valid else "-",
        beside(p, "online_bytes"), beside(p, "offline_bytes"), beside(p, "online_rounds"),
        f"{100 * fraction:.1f} %" if fraction is not None else "-",
        str(len(p.rows)), p.verdict,
    ]


def point_table(points: list[Point], settings: list[str], several_files: bool) -> list[str]:
    header = ["offline ms", "online ms, median [q1, q3]", "online bytes, measured / predicted",
              "offline bytes, measured / predicted", "rounds, measured / predicted", "of floor", "repetitions",
              "verdict"]
    rows = [point_row(p, settings) for p in points]
    if several_files:
        rows = [[p.source, *row] for p, row in zip(points, rows)]
        settings = ["file", *settings]
    return [
        "## Results", "",
        "Times are medians over the repetitions. Bytes are sums over the three parties, counted once, at the sender. "
        "\"of floor\": the lower bound for this machine divided by the median online time.", "",
        *table([*settings, *header], rows, len(settings)), "",
    ]


def busiest_party(ops: np.ndarray) -> int:
    time = {int(q): float(sum(ops[n][ops["party"] == q].sum() for n in ("compute_ns", "wait_ns", "internal_ns")))
            for q in np.unique(ops["party"])}
    return max(time, key=lambda q: time[q])


def operation_table(p: Point, phase: str) -> list[str]:
    """Times of the party that is longest busy or waiting; bytes of all."""
    ops = p.ops[p.ops["phase"] == phase.encode()]
    if len(ops) == 0:
        return []
    party = busiest_party(ops)
    total = p.median(f"{phase}_ns")
    rows, accounted = [], 0.0
    for name in dict.fromkeys(ops["operation"].tolist()):
        here = ops[ops["operation"] == name]
        mine = here[here["party"] == party]
        compute, wait, internal = (float(mine[n].sum()) for n in ("compute_ns", "wait_ns", "internal_ns"))
        spent = compute + wait + internal
        accounted += spent
        share = f"{100 * spent / total:.1f} %" if total > 0 else "-"
        rows.append((spent, [text(name), *(scaled(x / 1e6) for x in (compute, wait, internal)), share,
                             f"{int(here['bytes'].sum()):,}", str(int(mine["rounds"].sum()))]))
    rows.sort(key=lambda r: -r[0])
    rest = f"{100 * (total - accounted) / total:.1f} %" if total > 0 else "-"
    lines = [r for _, r in rows] + [["not in an operation", "", "", "", rest, "", ""]]
    where = ", ".join(f"{n} {p.settings[n]}" for n in ("protocol", "seq_len", "net", "ranks_per_party", "threads"))
    return [f"### {phase}: {where}", "",
            *table(["operation", f"P{party} computing, ms", "waiting, ms", "inside the party, ms",
                    f"of {phase} time", "bytes, all parties", f"rounds, P{party}"], lines), ""]


def where_time_goes(series: plots.Series) -> list[str]:
    """For the longest sequence of every series."""
    lines = [line
             for members in series.values()
             for phase in ("online", "offline")
             for line in operation_table(members[-1], phase)]
    return ["## Where time goes", "", *lines] if lines else []


def environment_tables(files: list[ResultFile]) -> list[str]:
    lines = ["## Environment", ""]
    for f in files:
        rows = []
        for name, value in f.environment.items():
            flat = " ".join(value.split())
            rows.append([name, flat if len(flat) <= LONGEST_CELL else f"({len(value):,} characters, see the file)"])
        lines += [f"{f.path.name}:", "", *table(["entry", "value"], rows, 2), ""]
    return lines


def write_report(files: list[ResultFile], out: Path) -> Path:
    points = [p for f in files for p in f.points]
    settings = varying_settings(points)
    several = len(files) > 1
    series = plots.collect(points, settings, several)
    out.mkdir(parents=True, exist_ok=True)
    pictures = []
    if series:
        nets = distinct(points, "net").replace("none", "as it is")
        subject = f"{distinct(points, 'model')}, network: {nets}, mode: {distinct(points, 'mode')}"
        plots.plot_time(series, subject, out / "online_time.png")
        plots.plot_bytes(series, subject, out / "online_bytes.png")
        pictures = ["![Online time against sequence length](online_time.png)", "",
                    "![Online bytes against sequence length](online_bytes.png)", ""]
    lines = ["# Private inference of quantized BERT: report", "", *warnings(files, points),
             *what_was_measured(files, points), *point_table(points, settings, several), *pictures,
             *where_time_goes(series), *environment_tables(files)]
    report = out / "report.md"
    report.write_text("\n".join(lines), encoding="utf-8")
    return report


def main() -> int:
    parser = argparse.ArgumentParser(description="Tables and plots from result files.")
    parser.add_argument("results", nargs="+", type=Path, metavar="RESULTS.h5")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder for the report; made if missing")
    args = parser.parse_args()
    try:
        print(write_report([read(path) for path in args.results], args.out))
    except (ResultFileError, OSError) as e:
        print(f"report: {e}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
