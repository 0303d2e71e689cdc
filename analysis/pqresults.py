"""Result files for Python: results/SCHEMA.md as pandas tables. Needs numpy, pandas and h5py.

    import pqresults
    runs = pqresults.load("r.h5")            # one row per repetition; runs.attrs: units, meanings, environment ...
    valid = runs[runs.verdict == "VALID"]
    valid.groupby(["protocol", "seq_len"]).online_ns.median() / 1e6      # milliseconds
    pqresults.points(runs)                   # one row per point: medians and quartiles, no times where INVALID
    pqresults.operations("r.h5")             # where time and bytes went, one row per point, operation, phase and party
    pqresults.evaluations("r.h5")            # accuracy, one row per model, data file and settings
    pqresults.sentences("r.h5")              # the sentences of these, one row each

Every column is named as in the file, in base units (ns, bytes). Files of older schemas are read; fields they lack have
the value that SCHEMA.md gives. A file of a later schema, or one that is none, is a ResultFileError of one line.
"""
from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd

SCHEMA = 5
FORMAT = "pqbert-results"

# Fields of a later schema: the first that has them, and what they are in an older file.
ADDITIONS: dict[str, dict[str, tuple[int, Any]]] = {
    "runs": {"system": (2, "pqbert"), "parties": (2, 3), "together": (2, ""), "relative_error": (2, float("nan")),
             "material": (2, "fresh"), "material_ns": (2, 0), "clock_off_ns": (3, 0), "range_wrapped": (3, 0),
             "range_where": (3, ""), "cycle_ns": (4, 0),
             "online_read_bytes": (5, 0), "core_macs": (5, float("nan")), "core_bandwidth": (5, float("nan"))},
    "ops": {},
    "evaluations": {},
    "sentences": {},
}

TABLES = {"runs": 1, "ops": 1, "evaluations": 4, "sentences": 4}
"""The first schema that has them; in older files they are empty."""

Environment = dict[str, str]


class ResultFileError(Exception):
    """One line: which file, what is wrong, what would work."""


def text(value: Any) -> str:
    """HDF5 hands texts over as bytes or str."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def read_environment(group: h5py.Group) -> Environment:
    return {name: text(entry[()]) for name, entry in group.items()}


def check(f: h5py.File, path: Path) -> int:
    """The file's schema."""
    if text(f.attrs.get("format", "")) != FORMAT:
        raise ResultFileError(f"{path}: is an HDF5 file, but not a result file; give one that sweep or run has written")
    version = int(f.attrs.get("schema", 0))
    if not 1 <= version <= SCHEMA:
        raise ResultFileError(f"{path}: has result schema {version}, this program reads schema 1 to {SCHEMA}; "
                              "use the version that wrote the file")
    return version


def empty_table() -> pd.DataFrame:
    frame = pd.DataFrame()
    frame.attrs["units"], frame.attrs["meanings"] = {}, {}
    return frame


def read_table(f: h5py.File, name: str, schema: int) -> pd.DataFrame:
    """A dataset of rows with texts as str. attrs: units and meanings by column."""
    if schema < TABLES[name]:
        return empty_table()
    dataset = f[name]
    rows = dataset[:]
    columns = {n: [text(v) for v in rows[n]] if rows.dtype[n].kind in "SO" else rows[n] for n in rows.dtype.names}
    frame = pd.DataFrame(columns)
    frame.attrs["units"] = {n: text(dataset.attrs[f"{n}.unit"]) for n in rows.dtype.names}
    frame.attrs["meanings"] = {n: text(dataset.attrs[f"{n}.meaning"]) for n in rows.dtype.names}
    for field, (since, value) in ADDITIONS[name].items():
        if schema < since:
            point = name == "runs" and field in ("system", "together", "material")
            frame[field] = value
            frame.attrs["units"][field] = ""
            frame.attrs["meanings"][field] = ("point: " if point else "") + f"not in schema {schema}"
    return frame


def open_file(path: str | Path, read: Any) -> Any:
    """read(file, schema) on the open file; whatever is wrong with the file becomes one line."""
    path = Path(path)
    try:
        with h5py.File(path, "r") as f:
            return read(f, check(f, path))
    except FileNotFoundError:
        raise ResultFileError(f"{path}: does not exist; give a result file that sweep or run has written") from None
    except (OSError, KeyError, ValueError) as e:
        why = str(e).splitlines()[0]
        raise ResultFileError(f"{path}: is not a whole result file ({why}); "
                              "give one that sweep or run has written") from e


def load(path: str | Path) -> pd.DataFrame:
    """One row per repetition, in the order measured. attrs: `units` and `meanings` by column, `environment` of the
    first launch, `resumed` with what differed at every later one, `point_fields` (the settings that identify a point),
    `path`, `schema`."""
    def read(f: h5py.File, schema: int) -> pd.DataFrame:
        runs = read_table(f, "runs", schema)
        later = f["resumed"]
        runs.attrs["environment"] = read_environment(f["environment"])
        runs.attrs["resumed"] = [read_environment(later[n]) for n in sorted(later, key=int)]
        runs.attrs["point_fields"] = [n for n, m in runs.attrs["meanings"].items() if m.startswith("point:")]
        runs.attrs["path"], runs.attrs["schema"] = str(path), schema
        return runs

    return open_file(path, read)


def operations(path: str | Path) -> pd.DataFrame:
    """/ops with `point`, the row number in load() of the point's first repetition. A resumed point has been summed up
    again: of the same point, operation, phase and party the last row counts, and is the only one here."""
    def read(f: h5py.File, schema: int) -> pd.DataFrame:
        ops, runs = read_table(f, "ops", schema), load(path)
        if len(ops):  # a resumed point's later rows name the first repetition of that launch
            first = runs.groupby(runs.attrs["point_fields"], sort=False, dropna=False).ngroup().to_numpy()
            row_of_group = {g: i for i, g in reversed(list(enumerate(first)))}
            ops["point"] = [row_of_group[first[i]] for i in ops["point"]]
        return ops.drop_duplicates(["point", "operation", "phase", "party"], keep="last").reset_index(drop=True)

    return open_file(path, read)


def evaluations(path: str | Path) -> pd.DataFrame:
    """One row per evaluation: model, data file, settings, accuracy of the plain model and of private inference with
    their 95 % intervals, time and bytes per sentence. Of an INVALID one neither mpc_accuracy nor a time is to be
    used."""
    return open_file(path, lambda f, schema: read_table(f, "evaluations", schema))


def sentences(path: str | Path) -> pd.DataFrame:
    """One row per sentence, in the order they were done; `evaluation` is the row number in evaluations()."""
    return open_file(path, lambda f, schema: read_table(f, "sentences", schema))


def worst(verdicts: pd.Series) -> str:
    return next((v for v in ("INVALID", "UNCHECKED") if (verdicts == v).any()), "VALID")


def points(runs: pd.DataFrame) -> pd.DataFrame:
    """One row per point in the order of the file: its settings; `repetitions`; `verdict`, the worst; of every number
    the median, and for NAME_ns also NAME_ns_q1 and NAME_ns_q3 (linear between neighbours). Times of an INVALID point
    are not a number. `first` is the row of the first repetition in `runs`."""
    keys, units = runs.attrs["point_fields"], runs.attrs["units"]
    rows = []
    for key, group in runs.groupby(keys, sort=False, dropna=False):
        row: dict[str, Any] = dict(zip(keys, key))
        row.update(first=group.index[0], repetitions=len(group), verdict=worst(group.verdict))
        for name in runs.columns:
            if name in row or name == "repetition":
                continue
            if not pd.api.types.is_numeric_dtype(group[name]):
                row[name] = group[name].iloc[-1]
                continue
            if units[name] != "ns" and group[name].nunique(dropna=False) == 1:
                row[name] = group[name].iloc[0]  # an integer stays one
                continue
            hidden = row["verdict"] == "INVALID" and units[name] == "ns"
            values = group[name].to_numpy(float)
            low, middle, high = (np.nan,) * 3 if hidden else np.percentile(values, [25, 50, 75])
            row[name] = middle
            if units[name] == "ns":
                row[f"{name}_q1"], row[f"{name}_q3"] = low, high
        rows.append(row)
    frame = pd.DataFrame(rows)
    frame.attrs = runs.attrs
    return frame


def repetitions(runs: pd.DataFrame, point: pd.Series) -> pd.DataFrame:
    """The rows of `runs` that belong to a row of points(runs)."""
    keys = runs.attrs["point_fields"]
    return runs[(runs[keys] == point[keys]).all(axis=1)]
