"""What the result files of a report hold, as points, and which of them belong together."""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

import pqresults
from pqresults import Environment, ResultFileError

OURS = "pqbert"
PROTOCOLS = ("preprocessed", "published")  # of ours, the one that others are compared with first
SHAPE = ["layers", "hidden", "heads", "ffn"]
MACHINE = ("host_names", "cpu", "cores", "governor", "commit", "build_type", "compiler", "mpi")
"""Entries of /environment whose change within a file is worth a word."""

PEER_ENTRY = "peer"
"""The entry of /environment that only launches of peers have."""


@dataclass
class File:
    path: Path
    runs: pd.DataFrame
    points: pd.DataFrame
    ops: pd.DataFrame
    evaluations: pd.DataFrame
    environment: Environment

    @property
    def changes(self) -> list[Environment]:
        """What differed from the first launch on the machine or in the program at later ones, each change once;
        launches of peers excepted: they are programs of their own."""
        found: list[Environment] = []
        for later in self.runs.attrs["resumed"]:
            changed = {n: later[n] for n in MACHINE if n in later and later[n] != self.environment.get(n)}
            if changed and PEER_ENTRY not in later and changed not in found:
                found.append(changed)
        return found


def cores_of(environment: Environment) -> int | None:
    cores = environment.get("cores", "")
    return int(cores) if cores.isdigit() else None


def read(path: Path) -> File:
    runs, evaluations = pqresults.load(path), pqresults.evaluations(path)
    if runs.empty and evaluations.empty:
        raise ResultFileError(f"{path}: holds no repetitions and no evaluation; let sweep or eval measure something")
    return File(path, runs, pqresults.points(runs), pqresults.operations(path), evaluations,
                runs.attrs["environment"])


@dataclass
class Measured:
    files: list[File]

    def __post_init__(self) -> None:
        frames = []
        for number, f in enumerate(self.files):
            if f.runs.empty:
                continue
            cores = cores_of(f.environment)
            wanted = f.points.parties * f.points.ranks_per_party * f.points.threads
            frames.append(f.points.assign(file=number, source=f.path.stem, wanted_cores=wanted,
                                          oversubscribed=wanted > cores if cores else False))
        for frame in frames:
            frame.attrs = {}  # they differ between files, and pandas would compare them
        self.points = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
        self.several = len(self.files) > 1

    @property
    def settings(self) -> list[str]:
        """Names of the settings that identify a point."""
        return list(dict.fromkeys(n for f in self.files for n in f.runs.attrs["point_fields"]))

    def varying(self, points: pd.DataFrame, but: tuple[str, ...] = ()) -> list[str]:
        """Settings in which these points differ; with several files, the file as well."""
        names = [n for n in self.settings if n not in (*but, "model_id", "together", "input_seed")]
        found = [n for n in names if points[n].nunique(dropna=False) > 1]
        return (["source"] if self.several and points["source"].nunique() > 1 else []) + found

    def repetitions(self, point: pd.Series) -> pd.DataFrame:
        return pqresults.repetitions(self.files[point.file].runs, point)

    def operations(self, point: pd.Series) -> pd.DataFrame:
        ops = self.files[point.file].ops
        return ops[ops.point == point["first"]]

    def valid(self, ours: bool = False) -> pd.DataFrame:
        """Points whose times may be used."""
        keep = self.points.verdict != "INVALID"
        return self.points[keep & (self.points.system == OURS) if ours else keep]


def main_points(points: pd.DataFrame) -> pd.DataFrame:
    """Of points that differ in variants alone (maximum, tables, kernel, ...), the first that was measured: a sweep's
    own choice comes before the variants that were measured for an ablation."""
    keys = ["file", "system", "protocol", "seq_len", "batch", "net", "ranks_per_party", "threads", *SHAPE]
    return points.drop_duplicates(keys)


def plain_points(points: pd.DataFrame) -> pd.DataFrame:
    """Main points on the fewest ranks, threads and sequences, on the network as it is if it was measured."""
    chosen = main_points(points)
    for name in ("ranks_per_party", "threads", "batch"):
        smallest = chosen.groupby(["file", "system"])[name].transform("min")
        chosen = chosen[chosen[name] == smallest]
    if (chosen.net == "none").any():
        chosen = chosen[chosen.net == "none"]
    return chosen


def by_protocol(points: pd.DataFrame) -> pd.DataFrame:
    """Ours first, `preprocessed` before `published`; then lengths."""
    rank = points.protocol.map({p: i for i, p in enumerate(PROTOCOLS)}).fillna(len(PROTOCOLS))
    ours = (points.system != OURS).astype(int)
    return points.assign(_ours=ours, _rank=rank).sort_values(
        ["_ours", "system", "_rank", "protocol", "seq_len"], kind="stable").drop(columns=["_ours", "_rank"])


@dataclass
class Ratio:
    """How many times more one point takes than another, for all pairs of their repetitions: median and quartiles."""

    low: float
    middle: float
    high: float


def ratio(over: np.ndarray, under: np.ndarray) -> Ratio | None:
    """None where one of them took nothing, as phases that a system does not have."""
    if min(under.min(), over.min()) <= 0:
        return None
    return Ratio(*np.percentile(np.divide.outer(over.astype(float), under.astype(float)), [25, 50, 75]))


def comparisons(measured: Measured) -> list[tuple[pd.Series, pd.DataFrame]]:
    """Our point and all valid points that were measured in turn with it (the same text in `together`, the same model
    and length), itself among them. Nothing else may be divided by anything."""
    valid = measured.valid()
    found = []
    for _, group in valid[valid.together != ""].groupby(["file", "together", *SHAPE, "seq_len", "batch", "net"],
                                                        sort=False):
        ours = by_protocol(main_points(group[group.system == OURS]))
        if len(ours) and (group.system != OURS).any():
            found.append((ours.iloc[0], by_protocol(group)))
    return sorted(found, key=lambda pair: (pair[0].file, pair[0].hidden, pair[0].seq_len))
