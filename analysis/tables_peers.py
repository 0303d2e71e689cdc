"""Other systems: measured in turn with ours, with ratios; published, quoted with their settings and without any."""
from __future__ import annotations

from collections.abc import Callable

import pandas as pd

import reference
from document import Table
from formats import megabytes, milliseconds, times
from measured import OURS, Measured, comparisons, ratio
from tables import setting


def total_ns(rows: pd.DataFrame) -> pd.Series:
    return rows.online_ns + rows.offline_ns


def ratio_of(measured: Measured, base: pd.Series, p: pd.Series, quantity: Callable[[pd.DataFrame], pd.Series]) -> str:
    if p.name == base.name:
        return "1"
    return times(ratio(quantity(measured.repetitions(p)).to_numpy(), quantity(measured.repetitions(base)).to_numpy()))


def start(p: pd.Series) -> list[str]:
    return [f"{p.seq_len}", p.system, p.protocol + ("" if p["mode"] == "secure" else f" ({p['mode']})")]


def compared(measured: Measured) -> list[Table]:
    """Times, and what was sent; nothing where no other system was measured in turn with ours."""
    pairs = comparisons(measured)
    if not pairs:
        return []
    base = f"`{pairs[0][0].system}`, `{pairs[0][0].protocol}`"
    lines = [(own, p) for own, group in pairs for _, p in group.iterrows()]
    spent = [[*start(p), milliseconds(p, "online"), milliseconds(p, "offline"),
              ratio_of(measured, own, p, lambda rows: rows.online_ns), ratio_of(measured, own, p, total_ns),
              f"{p.repetitions}"] for own, p in lines]
    sent = [[*start(p), megabytes(p.online_bytes), megabytes(p.offline_bytes),
             f"{p.online_rounds:,.0f}" if p.online_rounds else "-",
             ratio_of(measured, own, p, lambda rows: rows.online_bytes)] for own, p in lines]
    return [Table("compared", f"Times, measured in turn on the same cores. Ratios: this line over {base}, of the same "
                  "length, for all pairs of repetitions: median [quartiles]. Total: offline and online together.",
                  ["tokens", "system", "protocol", "online ms", "offline ms", "online ratio", "total ratio",
                   "repetitions"], spent, left=3),
            Table("compared_bytes", "What was sent in the same runs, sums over the parties, as each system counts it "
                  f"at its senders, MB: 10^6 bytes. Ratio: over {base}. -: none, or not counted.",
                  ["tokens", "system", "protocol", "online MB", "offline MB", "rounds", "online ratio"], sent, left=3)]


def cautions(measured: Measured) -> list[str]:
    """What a ratio between systems does not say."""
    systems = {p.system.split()[0] for _, group in comparisons(measured) for _, p in group.iterrows()}
    found = [f"`{OURS}` computes a quantised BERT (1-bit weights, 4-bit activations), the others a BERT in fixed point "
             "with weights of full precision: the same shape, not the same model. All have private weights and a "
             "private input that is embedded already."] if len(systems) > 1 else []
    if "CrypTen" in systems:
        found.append("CrypTen: two parties; random tuples are dealt by party 0 itself, without messages and without "
                     "protection (its default, INSECURE-BENCH). `ahead`: tuples are made before, and timed as offline; "
                     "`inline`: all is online.")
    if "SPU" in systems:
        found.append("SPU: three parties, ABY3, the engine of PUMA; it has no offline phase and counts no rounds.")
    return found


def named(f: pd.Series) -> str:
    return f.system + (f" ({f.variant})" if f.variant else "")


class Sources:
    """Numbers for where figures come from, in the order of first use: what a figure's paper, setting and reading have
    in common is said once."""

    FIELDS = ("paper", "venue", "url", "parties", "security", "hardware", "threads", "network", "setting", "how_read")

    def __init__(self) -> None:
        self.known: dict[tuple[str, ...], int] = {}

    def cite(self, figures: pd.DataFrame) -> str:
        """[n] and the table of the source, of every figure in a line."""
        places = []
        for _, f in figures.iterrows():
            number = self.known.setdefault(tuple(f[n] for n in self.FIELDS), len(self.known) + 1)
            where = "" if f.source_table in ("not given", "abstract") else f", {f.source_table}"
            places.append(f"[{number}]{where}")
        return "; ".join(dict.fromkeys(places))

    def table(self) -> Table:
        rows = []
        for key, number in self.known.items():
            f = dict(zip(self.FIELDS, key))
            parties = f"{f['parties']} parties" if f["parties"].isdigit() else f["parties"]
            stated = [parties, f["security"], f["hardware"], f["threads"] and f"threads: {f['threads']}", f["network"],
                      f["setting"] if f["setting"] != f["network"] else ""]
            rows.append([f"[{number}]", "; ".join(filter(None, (f["paper"], f["venue"], f["url"]))),
                         "; ".join(filter(None, stated)) or "not stated", f["how_read"]])
        return Table("sources", "Where the quoted figures come from.",
                     ["", "paper", "setting, as far as it is stated", "how it was read"], rows, left=4, quoted=True)


def quoted_times(figures: pd.DataFrame, sources: Sources, model: str = "BERT-base") -> Table:
    """One line per system, setting and length, with the times and bytes that stand together."""
    columns = {"online time": ("time", " online"), "end-to-end time": ("time", ""),
               "amortised time": ("time", " amortised"), "communication": ("bytes", ""),
               "online communication": ("bytes", " online"),
               "communication per party": ("bytes", " per party"), "key size": ("keys", ""),
               "key generation time": ("keys", "")}
    chosen = figures[(figures.model == model) & figures.quantity.isin(columns)]
    chosen = chosen.assign(length=pd.to_numeric(chosen.seq_len).fillna(10**6))
    rows = []
    for _, group in chosen.sort_values(["length", "system", "variant"], kind="stable").groupby(
            ["seq_len", "system", "variant", "paper", "venue", "network", "setting"], sort=False):
        cells: dict[str, list[str]] = {"time": [], "bytes": [], "keys": []}
        for _, f in group.iterrows():
            column, note = columns[f.quantity]
            cells[column].append(reference.printed(f) + note)
        first = group.iloc[0]
        rows.append([first.seq_len or "not stated", named(first), *(" / ".join(c) or "-" for c in cells.values()),
                     first.network if len(first.network) < 40 else "see source", sources.cite(group)])
    return Table("quoted", f"{model}, as others report it, on their machines and networks: not to be divided by "
                 "anything measured here, nor by one another.",
                 ["tokens", "system", "time", "bytes", "keys", "network", "source"], rows, left=7, quoted=True)


def quoted_claims(figures: pd.DataFrame, sources: Sources) -> Table:
    """Ratios that papers report themselves."""
    chosen = figures[figures.unit.isin(reference.RATIOS) & (figures.versus != "exact model, same engine")]
    rows = [[named(f), f.model, f"{f.quantity} over {f.versus}" if f.quantity == "speed-up" else
             f"{f.quantity} against {f.versus}", reference.printed(f), sources.cite(figures.loc[[i]])]
            for i, f in chosen.iterrows()]
    return Table("claims", "Ratios that papers report themselves.", ["system", "model", "what", "figure", "source"],
                 rows, left=5, quoted=True)


def settings_of_peers(measured: Measured) -> list[str]:
    points = measured.points[measured.points.system != OURS]
    return sorted({f"{p.system}: {setting(p, 'kernel')}, {setting(p, 'transport')}, {int(p.parties)} parties"
                   for _, p in points.iterrows()})
