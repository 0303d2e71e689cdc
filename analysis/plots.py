"""The report's figures. Everything is told apart by marker, line and hatch; shade only helps. Axes name their units."""
from __future__ import annotations

import io

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402  (after the choice of a backend without a screen)
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator  # noqa: E402

from document import Figure  # noqa: E402
from formats import short  # noqa: E402
from measured import OURS, Measured, by_protocol, main_points, plain_points  # noqa: E402

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
LINES = ("-", "--", "-.", ":")
SHADES = ("#000000", "#5a5a5a", "#1f4e79", "#8c4a00")
HATCHES = ("", "//", "xx", "\\\\", "..", "--", "++", "o", "||")
FILLS = ("#ffffff", "#d9d9d9", "#a6a6a6", "#737373")

plt.rcParams.update({
    "font.size": 10, "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False,
    "legend.handlelength": 3.2, "hatch.linewidth": 0.6, "svg.fonttype": "path", "svg.hashsalt": "pqbert",
    "axes.grid": True, "grid.color": "#dddddd", "grid.linewidth": 0.6, "axes.axisbelow": True,
})

Series = dict[str, pd.DataFrame]


def style(i: int) -> dict[str, str]:
    return {"marker": MARKERS[i % len(MARKERS)], "linestyle": LINES[i % len(LINES)], "color": SHADES[i % len(SHADES)]}


def figure(name: str, caption: str, fig: plt.Figure) -> Figure:
    pictures = []
    for kind, extra in (("svg", {"metadata": {"Date": None}}), ("pdf", {"metadata": {"CreationDate": None}})):
        out = io.BytesIO()
        fig.savefig(out, format=kind, **extra)
        pictures.append(out.getvalue())
    plt.close(fig)
    return Figure(name, caption, *pictures)


def label(measured: Measured, points: pd.DataFrame, but: tuple[str, ...]) -> pd.Series:
    """A name for each point's series: its system and protocol, and whatever else varies."""
    peers = points.system.nunique() > 1
    names = measured.varying(points[points.system == OURS], (*but, "system", "protocol", "kernel", "model"))
    names = [n for n in names if n != "source"]

    def one(p: pd.Series) -> str:
        parts = [p.source] if measured.several else []
        parts += [p.system] if peers else []
        parts += [p.protocol]
        parts += [f"{n} {p[n]}" for n in names] if p.system == OURS else []
        return ", ".join(parts)

    return points.apply(one, axis=1)


def collect(measured: Measured, points: pd.DataFrame, along: str, but: tuple[str, ...] = ()) -> Series:
    """Points by label, in ascending order of `along`."""
    if points.empty:
        return {}
    points = by_protocol(points)
    names = label(measured, points, (along, *but))
    return {n: points[names == n].sort_values(along, kind="stable") for n in dict.fromkeys(names)}


def repetitions(series: Series) -> str:
    counts = sorted({int(n) for members in series.values() for n in members.repetitions})
    return f"{counts[0]} repetitions" if len(counts) == 1 else f"{counts[0]} to {counts[-1]} repetitions"


def how(series: Series) -> str:
    return f"Medians of {repetitions(series)}; bars reach from the first to the third quartile."


def log_ticks(low: float, high: float) -> list[float]:
    """At least three values to read from, as round as the range allows."""
    powers = [10.0**e for e in range(int(np.floor(np.log10(low))) - 1, int(np.ceil(np.log10(high))) + 1)]
    for steps in ((1,), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 8)):
        inside = [s * p for p in powers for s in steps if low <= s * p <= high]
        if len(inside) >= 3:
            return inside
    return [t for t in MaxNLocator(4).tick_values(low, high) if low <= t <= high]


def log_y(ax: Axes, what: str) -> None:
    ax.set_yscale("log")
    ax.set_ylabel(what)
    ax.yaxis.set_major_locator(FixedLocator(log_ticks(*ax.get_ylim())))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: short(y)))
    ax.yaxis.set_minor_locator(NullLocator())


def log_x(ax: Axes, values: list[int], what: str) -> None:
    ax.set_xscale("log", base=2)
    ax.set_xticks(values)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlabel(what)


def errors(members: pd.DataFrame, name: str, unit: float) -> tuple[np.ndarray, list[np.ndarray]]:
    """Medians, and how far the quartiles are below and above."""
    low, middle, high = (members[f"{name}{end}"].to_numpy(float) / unit for end in ("_q1", "", "_q3"))
    return middle, [middle - low, high - middle]


def lines(ax: Axes, series: Series, along: str, name: str) -> None:
    for i, (title, members) in enumerate(series.items()):
        middle, bars = errors(members, name, 1e6)
        ax.errorbar(members[along], middle, yerr=bars, label=title, capsize=3, markersize=6, linewidth=1.3,
                    markerfacecolor="white" if i % 2 else None, **style(i))


def values_of(series: Series, name: str) -> list[int]:
    return sorted({int(v) for members in series.values() for v in members[name]})


def online_time(measured: Measured) -> Figure | None:
    series = collect(measured, plain_points(measured.valid()), "seq_len")
    if not series:
        return None
    fig, ax = plt.subplots(figsize=(7.5, 4.6), layout="constrained")
    lines(ax, series, "seq_len", "online_ns")
    log_x(ax, values_of(series, "seq_len"), "sequence length (tokens)")
    log_y(ax, "online time (ms)")
    ax.legend()
    return figure("online_time", f"Online time of one inference against sequence length. {how(series)}", fig)


def online_bytes(measured: Measured) -> Figure | None:
    """Predicted as a line, measured as hollow markers on it: agreement is seen, and so is its lack."""
    series = collect(measured, plain_points(measured.valid()), "seq_len")
    if not series:
        return None
    phases = ["online", "offline"] if any((m.offline_bytes > 0).any() for m in series.values()) else ["online"]
    fig, axes = plt.subplots(1, len(phases), figsize=(4.2 * len(phases) + 1, 4.2), layout="constrained", squeeze=False,
                             sharey=True)
    for ax, phase in zip(axes[0], phases):
        for i, (title, members) in enumerate(series.items()):
            shown, looks = members[members[f"{phase}_bytes"] > 0], style(i)
            predicted = shown[shown[f"{phase}_bytes_predicted"] > 0]
            if len(predicted):
                ax.plot(predicted.seq_len, predicted[f"{phase}_bytes_predicted"] / 1e6, label=f"{title}, predicted",
                        linestyle=looks["linestyle"], color=looks["color"], linewidth=1.2)
            if len(shown):
                ax.plot(shown.seq_len, shown[f"{phase}_bytes"] / 1e6, label=f"{title}, measured", linestyle="none",
                        marker=looks["marker"], color=looks["color"], markerfacecolor="white", markersize=7,
                        markeredgewidth=1.3)
        log_x(ax, values_of(series, "seq_len"), "sequence length (tokens)")
        ax.set_title(phase, loc="left", fontsize=10)
        ax.legend(fontsize=8)
    log_y(axes[0][0], "sent by all parties (MB = 10$^6$ bytes)")
    return figure("bytes", "Bytes of one inference against sequence length, sums over the parties, counted once, at "
                  f"the sender: measured (markers) and predicted by `pqbert cost` (lines). {repetitions(series)}.", fig)


def offline_online(measured: Measured) -> Figure | None:
    points = plain_points(measured.valid())
    series = collect(measured, points[points.offline_ns > 0], "seq_len")
    if not series:
        return None
    fig, ax = plt.subplots(figsize=(7.5, 4.6), layout="constrained")
    for i, (title, members) in enumerate(series.items()):
        for phase, line, fill in (("offline", "--", "white"), ("online", "-", None)):
            middle, bars = errors(members, f"{phase}_ns", 1e6)
            looks = {**style(i), "linestyle": line}
            ax.errorbar(members.seq_len, middle, yerr=bars, label=f"{title}, {phase}", capsize=3, markersize=6,
                        linewidth=1.3, markerfacecolor=fill, **looks)
    log_x(ax, values_of(series, "seq_len"), "sequence length (tokens)")
    log_y(ax, "time (ms)")
    ax.legend(fontsize=9)
    return figure("offline_online", "Offline (dashed, hollow) and online time (full) of one inference against sequence "
                  f"length. What is done offline does not depend on the input. {how(series)}", fig)


def scaling(measured: Measured, along: str, what: str) -> Figure | None:
    """Time, speed-up and efficiency against ranks or threads, at the longest length measured with several."""
    other = "threads" if along == "ranks_per_party" else "ranks_per_party"
    points = main_points(measured.valid(ours=True))
    points = points[(points.batch == points.batch.min()) & (points[other] == points[other].min())]
    if (points.net == "none").any():
        points = points[points.net == "none"]
    counts = points.groupby("seq_len")[along].nunique()
    if counts.empty or counts.max() < 2:
        return None
    length = counts[counts > 1].index.max()
    series = {t: m for t, m in collect(measured, points[points.seq_len == length], along).items() if len(m) > 1}
    fig, (left, right) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
    lines(left, series, along, "online_ns")
    values = values_of(series, along)
    for i, (title, members) in enumerate(series.items()):
        right.plot(members[along], members.online_ns.iloc[0] / members.online_ns, label=title, markersize=6,
                   linewidth=1.3, markerfacecolor="white" if i % 2 else None, **style(i))
    right.plot(values, np.divide(values, values[0]), color="#999999", linewidth=1, label="ideal")
    for ax in (left, right):
        log_x(ax, values, what)
    log_y(left, "online time (ms)")
    log_y(right, f"speed-up over {values[0]}")
    right.legend(fontsize=8)
    crowded = " Points with more threads than cores are marked in the table." if points.oversubscribed.any() else ""
    return figure(f"scaling_{along}", f"Online time (left) and speed-up (right) against {what}, {length} tokens. "
                  f"{how(series)}{crowded}", fig)


def networks(measured: Measured) -> Figure | None:
    points = main_points(measured.valid(ours=True))
    for name in ("ranks_per_party", "threads", "batch"):
        points = points[points[name] == points[name].min()]
    if points.net.nunique() < 2:
        return None
    nets = [n for n in ("none", "lan", "wan") if n in set(points.net)]
    nets += sorted(set(points.net) - set(nets))
    series = collect(measured, points, "seq_len", ("net",))
    lengths = values_of(series, "seq_len")
    fig, axes = plt.subplots(1, len(nets), figsize=(3.2 * len(nets) + 1, 4), layout="constrained", sharey=True,
                             squeeze=False)
    for ax, net in zip(axes[0], nets):
        lines(ax, {t: m[m.net == net] for t, m in series.items()}, "seq_len", "online_ns")
        log_x(ax, lengths, "sequence length (tokens)")
        ax.set_title("network as it is" if net == "none" else f"emulated: {net}", loc="left", fontsize=10)
    axes[0][0].legend(fontsize=8)
    log_y(axes[0][0], "online time (ms)")
    return figure("networks", f"Online time on different networks. {how(series)} Emulated: messages between parties "
                  "are handed over no earlier than a link of that rate and delay would deliver them.", fig)


def ablation(steps: list[tuple[str, pd.Series]], length: int) -> Figure | None:
    if len(steps) < 2:
        return None
    fig, ax = plt.subplots(figsize=(7.5, 0.55 * len(steps) + 1.2), layout="constrained")
    for i, (_, p) in enumerate(steps):
        bars = [[(p.online_ns - p.online_ns_q1) / 1e6], [(p.online_ns_q3 - p.online_ns) / 1e6]]
        ax.barh(i, p.online_ns / 1e6, 0.62, xerr=bars, capsize=3, facecolor=FILLS[i % len(FILLS)],
                hatch=HATCHES[i % len(HATCHES)], edgecolor="black", linewidth=0.7)
        ax.annotate(short(p.online_ns / 1e6), (p.online_ns_q3 / 1e6, i), xytext=(6, 0), textcoords="offset points",
                    va="center", fontsize=9)
    ax.set_yticks(range(len(steps)), [name for name, _ in steps])
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    ax.set_xlabel("online time (ms)")
    return figure("ablation", f"What each part of the protocol brings, {length} tokens. "
                  f"{how({'': pd.DataFrame([p for _, p in steps])})}", fig)


SMALL = 0.01  # of all bars' time: an operation that is not drawn for itself
REST, SMALL_ONES = "not in an operation", "others"


def gathered(parts: list[tuple[str, dict[str, float]]]) -> list[str]:
    """Operations to draw, the largest first and the rest last; small ones are added up in SMALL_ONES."""
    every = dict.fromkeys(o for _, p in parts for o in p)
    share = {o: max(p.get(o, 0) / sum(p.values()) for _, p in parts) for o in every}
    large = sorted((o for o in share if share[o] >= SMALL and o != REST), key=lambda o: -share[o])
    for _, part in parts:
        part[SMALL_ONES] = sum(part.pop(o) for o in list(part) if share[o] < SMALL)
    return [*large, SMALL_ONES, *([REST] if share.get(REST, 0) >= SMALL else [])]


def stacked(parts: list[tuple[str, dict[str, float]]], name: str, caption: str) -> Figure | None:
    """Horizontal bars of shares; parts: a bar's name and its time in ms by operation."""
    parts = [(title, share) for title, share in parts if share]
    if not parts:
        return None
    fig, ax = plt.subplots(figsize=(9, 0.62 * len(parts) + 1.9), layout="constrained")
    start, every = np.zeros(len(parts)), gathered(parts)
    total = np.array([sum(share.values()) for _, share in parts])
    for i, operation in enumerate(every):
        here = 100 * np.array([share.get(operation, 0) for _, share in parts]) / total
        ax.barh(range(len(parts)), here, 0.62, left=start, label=operation, facecolor=FILLS[i % len(FILLS)],
                hatch=HATCHES[i % len(HATCHES)], edgecolor="black", linewidth=0.6)
        for bar, (x, width) in enumerate(zip(start, here)):
            if width >= 5:
                ax.text(x + width / 2, bar, f"{width:.0f}", ha="center", va="center", fontsize=8,
                        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1})
        start += here
    ax.set_yticks(range(len(parts)), [title for title, _ in parts])
    ax.invert_yaxis()
    ax.set_xlim(0, 100)
    ax.grid(axis="y", visible=False)
    ax.set_xlabel("share of the phase's time (%)")
    ax.legend(ncols=6, loc="upper center", bbox_to_anchor=(0.4, -0.65 / len(parts)), fontsize=8, handlelength=2)
    return figure(name, caption, fig)
