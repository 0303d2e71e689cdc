"""The report's two plots: online time and online bytes against sequence length, one series per protocol and setting."""
from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402  (after the choice of a backend without a screen)
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator  # noqa: E402

from result_file import Point  # noqa: E402

# Told apart without colour: shape of the marker and of the line; shade is only a help.
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
LINES = ("-", "--", "-.", ":")
SHADES = ("#000000", "#5a5a5a", "#1f4e79", "#8c4a00")

Series = dict[str, list[Point]]


def collect(points: list[Point], varying: list[str], several_files: bool) -> Series:
    """Valid points by label, in ascending length. Whatever varies besides the length is in the label."""
    series: Series = {}
    for p in points:
        if p.verdict == "INVALID":
            continue
        parts = [p.source] if several_files else []
        parts += [str(p.settings["protocol"])]
        parts += [f"{n} {p.settings[n]}" for n in varying if n not in ("seq_len", "protocol")]
        series.setdefault(", ".join(parts), []).append(p)
    for members in series.values():
        members.sort(key=lambda p: p.settings["seq_len"])
    return series


def style(i: int) -> dict[str, str]:
    return {"marker": MARKERS[i % len(MARKERS)], "linestyle": LINES[i % len(LINES)], "color": SHADES[i % len(SHADES)]}


def repetitions(series: Series) -> str:
    counts = sorted({len(p.rows) for members in series.values() for p in members})
    return str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


def number(x: float, _: object = None) -> str:
    return f"{x:,.0f}".replace(",", "\u2009") if x >= 1 else f"{x:g}"


def finish(ax: Axes, series: Series, title: str, y_label: str, path: Path) -> None:
    lengths = sorted({int(p.settings["seq_len"]) for members in series.values() for p in members})
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.set_xticks(lengths)
    ax.xaxis.set_major_formatter(FuncFormatter(number))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(FuncFormatter(number))
    low, high = ax.get_ylim()
    if high / low < 1000:  # too few powers of ten to read values from: name 2 and 5 as well
        ax.yaxis.set_minor_formatter(FuncFormatter(lambda y, _: number(y) if f"{y:.0e}"[0] in "25" else ""))
        ax.tick_params(axis="y", which="minor", labelsize=8)
    else:
        ax.yaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("sequence length (tokens)")
    ax.set_ylabel(y_label)
    ax.set_title(title, fontsize=10, loc="left")
    ax.grid(True, which="major", color="#cccccc", linewidth=0.6)
    ax.grid(True, which="minor", axis="y", color="#e8e8e8", linewidth=0.4)
    ax.set_axisbelow(True)
    ax.legend(fontsize=9, frameon=True, framealpha=1, edgecolor="#cccccc", handlelength=3.5)
    ax.figure.savefig(path, dpi=150)
    plt.close(ax.figure)


def new_axes() -> Axes:
    _, ax = plt.subplots(figsize=(7.2, 4.8), layout="constrained")
    return ax


def plot_time(series: Series, subject: str, path: Path) -> None:
    ax = new_axes()
    for i, (label, members) in enumerate(series.items()):
        quartiles = [[q / 1e6 for q in p.quartiles("online_ns")] for p in members]
        middle = [q[1] for q in quartiles]
        bars = [[q[1] - q[0] for q in quartiles], [q[2] - q[1] for q in quartiles]]
        ax.errorbar([p.settings["seq_len"] for p in members], middle, yerr=bars, label=label, capsize=4,
                    markersize=6, linewidth=1.4, **style(i))
    title = f"{subject}\nmedian of {repetitions(series)} repetitions; bars: first to third quartile"
    finish(ax, series, title, "online time (ms)", path)


def plot_bytes(series: Series, subject: str, path: Path) -> None:
    """Predicted as a line, measured as hollow markers on it: agreement is seen, and so is its lack."""
    ax = new_axes()
    for i, (label, members) in enumerate(series.items()):
        how = style(i)
        lengths = [p.settings["seq_len"] for p in members]
        ax.plot(lengths, [p.median("online_bytes_predicted") / 1e6 for p in members], label=f"{label}, predicted",
                linestyle=how["linestyle"], color=how["color"], linewidth=1.2)
        ax.plot(lengths, [p.median("online_bytes") / 1e6 for p in members], label=f"{label}, measured",
                linestyle="none", marker=how["marker"], color=how["color"], markerfacecolor="white", markersize=7,
                markeredgewidth=1.4)
    title = f"{subject}\nsum over the three parties, counted at the sender; {repetitions(series)} repetitions"
    finish(ax, series, title, "online bytes (MB = 10$^6$ bytes)", path)
