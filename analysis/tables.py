"""The report's tables of what was measured."""
from __future__ import annotations

import pandas as pd

import pqresults
from document import Table
from formats import count, megabytes, milliseconds, percent, scaled, times
from measured import OURS, PROTOCOLS, Measured, by_protocol, main_points, plain_points, ratio

TITLES = {"seq_len": "tokens", "ranks_per_party": "ranks per party", "max_variant": "maximum", "source": "file",
          "net": "network"}


def titles(names: list[str]) -> list[str]:
    return [TITLES.get(n, n) for n in names]


def setting(p: pd.Series, name: str) -> str:
    return str(p[name]) if p[name] != "" else "-"


def times_fit(p: pd.Series) -> bool:
    return p.verdict != "INVALID"


def beside(measured: Measured, p: pd.Series, name: str) -> str:
    """Measured / predicted."""
    rows = measured.repetitions(p)
    found = count(rows[name].min(), rows[name].max())
    if p.online_rounds_predicted == 0:  # a peer
        return f"{found} / -"
    predicted = count(rows[f"{name}_predicted"].min(), rows[f"{name}_predicted"].max())
    return f"{found} / {predicted}" + ("" if found == predicted else " (differs)")


def differs(measured: Measured, p: pd.Series) -> bool:
    return any(beside(measured, p, n).endswith(")") for n in ("online_bytes", "online_rounds", "offline_bytes"))


def floor_share(p: pd.Series) -> float | None:
    return p.floor_ns / p.online_ns if p.floor_ns > 0 and p.online_ns > 0 else None


def headline(measured: Measured) -> Table | None:
    """Of ours, one line for each protocol and length."""
    points = plain_points(measured.valid(ours=True))
    if points.empty:
        return None
    points = by_protocol(points)
    varying = measured.varying(points, ("protocol", "seq_len", "max_variant", "tables", "kernel"))
    names = ["protocol", *varying, "seq_len"]
    rows = [[*(setting(p, n) for n in names), milliseconds(p, "online"), milliseconds(p, "offline"),
             megabytes(p.online_bytes), megabytes(p.offline_bytes), f"{p.online_rounds:,.0f}", percent(floor_share(p)),
             f"{p.repetitions}"] for _, p in points.iterrows()]
    first = points.iloc[0]
    where = f"{first.ranks_per_party} rank per party, {first.threads} thread per rank" \
        if first.ranks_per_party == first.threads == 1 else \
        f"{first.ranks_per_party} ranks per party, {first.threads} threads per rank"
    return Table("headline", f"One private inference, {where}. Times: median [first quartile, third quartile]. MB: "
                 "10^6 bytes, sums over the three parties, counted once, at the sender. Of floor: the time that this "
                 "machine's arithmetic or memory needs at least, over the online time.",
                 [*titles(names), "online ms", "offline ms", "online MB", "offline MB", "rounds", "of floor",
                  "repetitions"], rows, left=len(names) - 1)


def every_point(measured: Measured) -> Table:
    points = measured.points
    names = measured.varying(points, ("seq_len", "protocol"))
    names = [*names, "protocol", "seq_len"]
    rows = []
    for _, p in points.iterrows():
        fits = times_fit(p)
        rows.append([*(setting(p, n) for n in names), milliseconds(p, "online") if fits else "-",
                     milliseconds(p, "offline") if fits else "-", percent(floor_share(p)) if fits else "-",
                     beside(measured, p, "online_bytes"), beside(measured, p, "offline_bytes"),
                     beside(measured, p, "online_rounds"), f"{p.repetitions}", p.verdict])
    return Table("points", "Every point, in the order measured. Bytes and rounds: measured / predicted by `pqbert "
                 "cost`. INVALID points have no times.",
                 [*titles(names), "online ms, median [q1, q3]", "offline ms, median [q1, q3]", "of floor",
                  "online bytes", "offline bytes", "rounds", "repetitions", "verdict"], rows, left=len(names) - 1)


def latency(measured: Measured) -> Table | None:
    """Online ms: a line per length, a column per combination of protocol, ranks and threads."""
    points = main_points(measured.valid(ours=True))
    points = points[points.batch == points.batch.min()]
    if not len(points) or (points.ranks_per_party * points.threads).nunique() < 2:
        return None
    keys = ["protocol", *measured.varying(points, ("protocol", "seq_len", "ranks_per_party", "threads", "tables",
                                                   "max_variant", "kernel"))]
    rows = []
    columns = sorted({(r, t) for r, t in zip(points.ranks_per_party, points.threads)})
    for key, group in by_protocol(points).groupby([*keys, "seq_len"], sort=False):
        at = {(p.ranks_per_party, p.threads): p for _, p in group.iterrows()}
        cells = [scaled(at[c].online_ns / 1e6) + ("*" if at[c].oversubscribed else "") if c in at else "-"
                 for c in columns]
        if len(at) > 1:
            rows.append([*map(str, key), *cells])
    if not rows:
        return None
    return Table("latency", "Online ms, medians, for each length and number of ranks and threads. *: more threads than "
                 "cores, so that parties disturb each other.",
                 [*titles([*keys, "seq_len"]), *(f"{r} x {t}" for r, t in columns)], rows, left=len(keys))


def scaling(measured: Measured, along: str, what: str) -> Table | None:
    other = "threads" if along == "ranks_per_party" else "ranks_per_party"
    points = main_points(measured.valid(ours=True))
    points = points[(points[other] == points[other].min()) & (points.batch == points.batch.min())]
    keys = ["protocol", *measured.varying(points, ("protocol", "seq_len", along, "tables", "max_variant", "kernel")),
            "seq_len"] if len(points) else []
    rows = []
    for key, group in by_protocol(points).groupby(keys, sort=False) if keys else ():
        group = group.sort_values(along)
        base = group.iloc[0]
        for _, p in group.iterrows() if len(group) > 1 else ():
            faster = base.online_ns / p.online_ns
            rows.append([*map(str, key), f"{p[along]}", milliseconds(p, "online"), scaled(faster),
                         percent(faster * base[along] / p[along]), "yes" if p.oversubscribed else "no",
                         f"{p.repetitions}"])
    if not rows:
        return None
    return Table(f"scaling_{along}_table", f"Speed-up and efficiency with {what}, over the smallest number measured.",
                 [*titles(keys), what, "online ms", "speed-up", "efficiency", "more threads than cores", "repetitions"],
                 rows, left=len(keys))


def ablation_steps(measured: Measured) -> tuple[int, list[tuple[str, pd.Series]]]:
    """The length at which most variants were measured, and these, from the published protocol on."""
    points = measured.valid(ours=True)
    for name in ("ranks_per_party", "threads", "batch"):
        points = points[points[name] == points[name].min()] if len(points) else points
    points = points[(points.net == "none") & (points.file == 0)]
    points = points.drop_duplicates(["protocol", "max_variant", "tables", "seq_len"])
    if points.empty:
        return 0, []
    counts = points.groupby("seq_len").size()
    length = counts[counts == counts.max()].index.max()
    order = {"protocol": list(reversed(PROTOCOLS)), "max_variant": ["tree", "count"], "tables": ["direct", "compact"]}
    chosen = points[points.seq_len == length]
    chosen = chosen.sort_values(list(order), key=lambda c: c.map({v: i for i, v in enumerate(order[c.name])}))
    names = [n for n in order if chosen[n].nunique() > 1]
    return length, [(", ".join(words(p, n) for n in names) or p.protocol, p) for _, p in chosen.iterrows()]


def words(p: pd.Series, name: str) -> str:
    return {"protocol": p.protocol, "max_variant": f"{p.max_variant} maximum", "tables": f"{p.tables} tables"}[name]


def ablation(measured: Measured) -> Table | None:
    length, steps = ablation_steps(measured)
    if len(steps) < 2:
        return None
    base = measured.repetitions(steps[0][1]).online_ns.to_numpy()
    rows = [[name, milliseconds(p, "online"), times(ratio(base, measured.repetitions(p).online_ns.to_numpy())),
             milliseconds(p, "offline"), megabytes(p.online_bytes), megabytes(p.offline_bytes),
             f"{p.online_rounds:,.0f}", f"{p.repetitions}"] for name, p in steps]
    return Table("ablation_table", f"From the published protocol to this project's, {length} tokens. Faster: the first "
                 "line's online time over this line's, for all pairs of repetitions: median [quartiles].",
                 ["variant", "online ms", "faster", "offline ms", "online MB", "offline MB", "rounds", "repetitions"],
                 rows)


def shares(measured: Measured, p: pd.Series, phase: str) -> tuple[int, pd.DataFrame]:
    """The party that computes longest in the phase, and its milliseconds by operation, with the rest of the phase."""
    ops = measured.operations(p)
    ops = ops[ops.phase == phase]
    total = p[f"{phase}_ns"] / 1e6
    if ops.empty or not total > 0:
        return 0, pd.DataFrame()
    spent = ["compute_ns", "wait_ns", "internal_ns"]
    party = int(ops.groupby("party").compute_ns.sum().idxmax())
    mine = ops[ops.party == party].groupby("operation", sort=False)[[*spent, "rounds"]].sum()
    mine[spent] /= 1e6
    mine["all"] = mine[spent].sum(axis=1)
    mine["bytes"] = ops.groupby("operation").bytes.sum()
    mine = mine.sort_values("all", ascending=False, kind="stable")
    mine.loc["not in an operation", "all"] = max(0.0, total - mine["all"].sum())
    mine["share"] = mine["all"] / total
    return party, mine


def operations(measured: Measured, p: pd.Series, phase: str) -> Table | None:
    party, mine = shares(measured, p, phase)
    if mine.empty:
        return None
    rows = []
    for name, o in mine.iterrows():
        rest = name == "not in an operation"
        split = ["", "", ""] if rest else [scaled(o[n]) for n in ("compute_ns", "wait_ns", "internal_ns")]
        rows.append([str(name), *split, percent(o.share), "" if rest else f"{o.bytes:,.0f}",
                     "" if rest else f"{o.rounds:,.0f}"])
    return Table(f"operations_{phase}_{p.protocol}", f"{phase.capitalize()}, `{p.protocol}`, {p.seq_len} tokens: "
                 f"P{party}, the party that computes longest. Medians over {p.repetitions} repetitions.",
                 ["operation", "computing ms", "waiting ms", "inside the party ms", f"of {phase} time",
                  "bytes, all parties", f"rounds, P{party}"], rows)


def python_lines() -> list[str]:
    """How to get at the numbers."""
    return ["Every repetition is in the result files: `pqbert results show FILE --csv`, or from Python "
            f"`pqresults.load(FILE)` (schema {pqresults.SCHEMA}, results/SCHEMA.md). Rows of other systems than "
            f"`{OURS}` were measured by the scripts in analysis/peers/."]
