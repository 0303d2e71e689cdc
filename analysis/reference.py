"""Published figures of other systems, from results/reference/published_figures.csv. Quoted, never divided by what is
measured here."""
from __future__ import annotations

from pathlib import Path

import pandas as pd

FILE = Path(__file__).resolve().parents[1] / "results" / "reference" / "published_figures.csv"

SECONDS = {"ms": 1e-3, "s": 1.0, "min": 60.0}
BYTES = {"MB": 1e6, "GB": 1e9}
RATIOS = ("x", "%", "ratio")
OTHERS = ("score",)
UNPUBLISHED = "not published"  # venue of what was measured by hand for this project


def load(path: Path = FILE) -> pd.DataFrame:
    """All cells as text, but value and value_high, which are numbers (value_high not a number: no range)."""
    figures = pd.read_csv(path, dtype=str, keep_default_na=False)
    figures["value"] = pd.to_numeric(figures["value"])
    figures["value_high"] = pd.to_numeric(figures["value_high"])
    return figures


def times(figures: pd.DataFrame, system: str, model: str = "BERT-base") -> dict[int, float]:
    """Seconds by length that a system is quoted with, of figures measured for this project by hand."""
    chosen = figures[(figures.system == system) & (figures.model == model) & (figures.venue == UNPUBLISHED)
                     & figures.unit.isin(SECONDS)]
    return {int(f.seq_len): f.value * SECONDS[f.unit] for f in chosen.itertuples()}


def printed(figure: pd.Series) -> str:
    """The value as the source prints it."""
    value = f"{figure.value:g}"
    if not pd.isna(figure.value_high):
        value += f" to {figure.value_high:g}"
    return f"{value} {figure.unit}" if figure.unit != "score" else value
