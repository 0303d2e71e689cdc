"""Reads result files (results/SCHEMA.md) and groups their repetitions into points. Fields are addressed by name."""
from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

SCHEMA = 1
FORMAT = "pqbert-results"


class ResultFileError(Exception):
    """One line: which file, what is wrong, what would work."""


@dataclass
class Point:
    """The repetitions of one combination of settings."""

    settings: dict[str, Any]
    rows: np.ndarray  # structured, one entry per repetition
    ops: np.ndarray  # structured, one entry per operation, phase and party
    source: str  # the file's name without folder and suffix
    cores: int | None  # of the hosts it was measured on

    @property
    def verdict(self) -> str:
        """The worst of the repetitions'."""
        found = {text(v) for v in self.rows["verdict"]}
        return next((v for v in ("INVALID", "UNCHECKED") if v in found), "VALID")

    @property
    def oversubscribed(self) -> bool:
        wanted = 3 * int(self.settings["ranks_per_party"]) * int(self.settings["threads"])
        return self.cores is not None and wanted > self.cores

    def quartiles(self, name: str) -> tuple[float, float, float]:
        """First quartile, median, third quartile."""
        low, middle, high = np.percentile(self.rows[name].astype(float), [25, 50, 75])
        return float(low), float(middle), float(high)

    def median(self, name: str) -> float:
        return self.quartiles(name)[1]

    def floor_fraction(self) -> float | None:
        online, floor = self.median("online_ns"), self.median("floor_ns")
        return floor / online if online > 0 and floor > 0 else None


@dataclass
class ResultFile:
    path: Path
    environment: dict[str, str]
    resumed: list[dict[str, str]] = field(default_factory=list)  # what differed at every later launch
    points: list[Point] = field(default_factory=list)


def text(value: Any) -> str:
    """HDF5 hands texts over as bytes or str."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def read_environment(group: h5py.Group) -> dict[str, str]:
    return {name: text(entry[()]) for name, entry in group.items()}


def point_fields(runs: h5py.Dataset) -> list[str]:
    return [n for n in runs.dtype.names if text(runs.attrs[f"{n}.meaning"]).startswith("point:")]


def plain(value: Any) -> Any:
    return text(value) if isinstance(value, bytes) else value.item()


def cores_of(environment: dict[str, str]) -> int | None:
    cores = environment.get("cores", "")
    return int(cores) if cores.isdigit() else None


def latest(ops: np.ndarray) -> np.ndarray:
    """One row per operation, phase and party: a resumed point has been summed up again, and the last one counts."""
    row_of = {(o["operation"], o["phase"], o["party"]): i for i, o in enumerate(ops)}
    return ops[sorted(row_of.values())]


def group_points(runs: np.ndarray, ops: np.ndarray, names: list[str], source: str, cores: int | None) -> list[Point]:
    """Points in the order of the file."""
    rows_of: dict[tuple[Any, ...], list[int]] = {}
    for i, row in enumerate(runs):
        rows_of.setdefault(tuple(plain(row[n]) for n in names), []).append(i)
    return [
        Point(dict(zip(names, key)), runs[rows], latest(ops[np.isin(ops["point"], rows)]), source, cores)
        for key, rows in rows_of.items()
    ]


def check(f: h5py.File, path: Path) -> None:
    if text(f.attrs.get("format", "")) != FORMAT:
        raise ResultFileError(f"{path}: is an HDF5 file, but not a result file; give one that sweep or run has written")
    version = int(f.attrs.get("schema", 0))
    if version != SCHEMA:
        raise ResultFileError(f"{path}: has result schema {version}, this program reads schema {SCHEMA}; "
                              "use the version that wrote the file")


def read(path: Path) -> ResultFile:
    try:
        with h5py.File(path, "r") as f:
            check(f, path)
            environment = read_environment(f["environment"])
            later = f.get("resumed", {})
            resumed = [read_environment(later[n]) for n in sorted(later, key=int)]
            names = point_fields(f["runs"])
            points = group_points(f["runs"][:], f["ops"][:], names, path.stem, cores_of(environment))
    except FileNotFoundError:
        raise ResultFileError(f"{path}: does not exist; give a result file that sweep or run has written") from None
    except (OSError, KeyError, ValueError) as e:
        why = str(e).splitlines()[0]
        raise ResultFileError(f"{path}: is not a whole result file ({why}); "
                              "give one that sweep or run has written") from e
    if not points:
        raise ResultFileError(f"{path}: holds no repetitions; let sweep measure at least one")
    return ResultFile(path, environment, resumed, points)
