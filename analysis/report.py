"""Makes a report from result files: python3 analysis/report.py RESULTS.h5 [more.h5 ...] --out DIR

Writes DIR/report.html, one page that needs nothing else; the same as DIR/report.md; and every figure as SVG and PDF in
DIR/figures. Needs numpy, pandas, h5py, matplotlib and jinja2.
"""
from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pandas as pd

import page
import plots
import reference
import tables
import tables_accuracy
import tables_peers
import words
from document import Block, Bullets, Document, Section, Table, Text, markdown, write_figures
from formats import plural
from measured import OURS, File, Measured, by_protocol, plain_points, read
from pqresults import ResultFileError

LONGEST_CELL = 160
FIGURES = "figures"


def section(name: str, title: str, *blocks: Block | None) -> list[Section]:
    """No section when there is nothing in it."""
    present = [b for b in blocks if b is not None]
    return [Section(name, title, present)] if present else []


def missing(measured: Measured) -> list[str]:
    """What a reader may look for and does not find, and what would measure it."""
    ours = measured.valid(ours=True)
    wanted = [(ours.threads.nunique() < 2, "time against threads", "`sweep --threads 1,2,4`"),
              (ours.ranks_per_party.nunique() < 2, "time against ranks", "`mpirun -n 6 ... sweep --ranks 1,2`"),
              (ours.net.nunique() < 2, "LAN and WAN", "`sweep --net none,lan,wan`"),
              (len(tables.ablation_steps(measured)[1]) < 2, "the ablation",
               "`sweep --protocol published,preprocessed`, and again with `--max count --resume`"),
              ((measured.points.system == OURS).all(), "other systems on this machine", "`jobs/compare.sh`"),
              (all(f.evaluations.empty for f in measured.files), "accuracy",
               "`mpirun -n 3 ... eval --model m --data FILE.tsv --out r.h5`")]
    return [f"{what}: {how}" for absent, what, how in wanted if absent]


def longest(measured: Measured) -> list:
    """Of every protocol of ours, the plainest point of the longest length."""
    points = plain_points(measured.valid(ours=True))
    return [g.loc[g.seq_len.idxmax()] for _, g in by_protocol(points).groupby(["file", "protocol"], sort=False)]


def where_time_goes(measured: Measured) -> list[Block | None]:
    chosen = longest(measured)
    blocks: list[Block | None] = []
    for phase in ("online", "offline"):
        parts = []
        for p in chosen:
            party, mine = tables.shares(measured, p, phase)
            name = f"{p.protocol}, {p.seq_len} tokens\nP{party}, {p[f'{phase}_ns'] / 1e6:,.0f} ms"
            parts.append((name, mine["all"].to_dict() if len(mine) else {}))
        blocks.append(plots.stacked(parts, f"operations_{phase}", f"Where {phase} time goes, by operation, at the "
                                    "party that computes longest; waiting for others is in the operation that waits. "
                                    f"Medians of {words.counts(chosen)} repetitions."))
        blocks += [tables.operations(measured, p, phase) for p in chosen]
    return blocks


def quoted_blocks(figures: pd.DataFrame, sources: tables_peers.Sources) -> list[Block]:
    return [Text("What other systems report for BERT. These are other people's measurements, on other machines and "
                 "networks, some read only in a quotation; each source says how. A ratio between them and anything "
                 "measured here would mean little, and none is given. More of them are in `results/reference/`."),
            tables_peers.quoted_times(figures, sources), tables_peers.quoted_claims(figures, sources), sources.table()]


def environment_table(f: File) -> Table:
    rows = []
    for name, value in f.environment.items():
        flat = " ".join(value.split())
        rows.append([name, flat if len(flat) <= LONGEST_CELL else f"({len(value):,} characters, see the file)"])
    for number, later in enumerate(f.runs.attrs["resumed"], 2):
        rows += [[f"{name}, launch {number}", " ".join(value.split())] for name, value in later.items()
                 if len(value) <= LONGEST_CELL]
    return Table(f"environment_{f.path.stem}", f"Where and how {f.path.name} was measured.", ["entry", "value"], rows,
                 left=2)


def timing_sections(measured: Measured) -> list[Section]:
    """What sweeps measured."""
    length, steps = tables.ablation_steps(measured)
    return [
        *section("what", "What was measured", Bullets([*words.what_was_measured(measured), *words.notes(measured)])),
        *section("peers", "Beside other systems on the same machine", *tables_peers.compared(measured),
                 Bullets(cautions) if (cautions := tables_peers.cautions(measured)) else None),
        *section("bytes_section", "Bytes", plots.online_bytes(measured)),
        *section("phases", "Offline and online", plots.offline_online(measured)),
        *section("scaling", "Threads and ranks", plots.scaling(measured, "threads", "threads per rank"),
                 tables.scaling(measured, "threads", "threads per rank"),
                 plots.scaling(measured, "ranks_per_party", "ranks per party"),
                 tables.scaling(measured, "ranks_per_party", "ranks per party"), tables.latency(measured)),
        *section("networks_section", "Networks", plots.networks(measured)),
        *section("ablation_section", "Ablation", plots.ablation(steps, length), tables.ablation(measured),
                 Text("Shares of weights that are zero at P2 and work done beforehand are one step here: P0 splits its "
                      "weights between P1 and P2 alone only in `preprocessed`.") if len(steps) > 1 else None),
        *section("operations", "Where time goes", *where_time_goes(measured)),
        *section("all", "All points", tables.every_point(measured)),
    ]


def compose(measured: Measured) -> Document:
    found = words.warnings(measured)
    timed = not measured.points.empty
    absent = missing(measured) if timed else []
    figures, sources = reference.load(), tables_peers.Sources()
    headline = [tables.headline(measured), plots.online_time(measured)] if timed else []
    sections = [
        *section("headline_section", "Headline", *headline),
        *section("warnings", "Warnings", Bullets(found, warning=True) if found else None),
        *section("accuracy_section", "Accuracy", *tables_accuracy.own(measured),
                 tables_accuracy.published(figures, sources)),
        *(timing_sections(measured) if timed else []),
        *section("quoted_section", "Published figures", *quoted_blocks(figures, sources)),
        *section("missing", "Not measured in these files", Bullets(absent) if absent else None),
        *section("environment", "Environment", *map(environment_table, measured.files),
                 *map(Text, tables.python_lines())),
    ]
    names = ", ".join(f.path.name for f in measured.files)
    counts = [plural(len(measured.points), "point"), plural(sum(len(f.runs) for f in measured.files), "repetition")]
    counts = counts if timed else []
    if evaluations := sum(len(f.evaluations) for f in measured.files):
        counts.append(plural(evaluations, "evaluation"))
    lead = [f"{', '.join(counts)}, from {names}. Three parties: P0 owns the model, P1 the text, P2 assists."]
    return Document("Private inference of quantized BERT",
                    [*lead, *(words.headline(measured) if timed else []), *words.accuracy(measured)], sections)


def write_report(files: list[File], out: Path) -> tuple[Path, Path]:
    document = compose(Measured(files))
    out.mkdir(parents=True, exist_ok=True)
    write_figures(document, out / FIGURES)
    paths = out / "report.html", out / "report.md"
    paths[0].write_text(page.html(document), encoding="utf-8")
    paths[1].write_text(markdown(document, FIGURES), encoding="utf-8")
    return paths


def main() -> int:
    parser = argparse.ArgumentParser(description="An HTML page, markdown and figures from result files.")
    parser.add_argument("results", nargs="+", type=Path, metavar="RESULTS.h5")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder for the report; made if missing")
    args = parser.parse_args()
    try:
        print(*write_report([read(path) for path in args.results], args.out), sep="\n")
    except (ResultFileError, OSError) as e:
        print(f"report: {e}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
