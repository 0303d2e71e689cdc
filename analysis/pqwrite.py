"""Writes result files from Python, as results/SCHEMA.md describes them and the program reads them. Used by peers and
tests.

    with Recorder("r.h5", {"cpu": ..., "hosts": "1", ...}) as recorder:
        recorder.add({"system": "CrypTen 0.4.1", "seq_len": 16, "online_ns": 9_000_000_000, "verdict": "VALID", ...})

The lists of fields come from SCHEMA.md itself. Fields that a row does not name are 0 or empty.
"""
from __future__ import annotations

import contextlib
import fcntl
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

import pqresults

SCHEMA_MD = Path(__file__).resolve().parents[1] / "results" / "SCHEMA.md"
ROW = re.compile(r"^\| `(\w+)` \| (text|u64|f64) \| ([\w/]*) \| (.*) \|$", re.MULTILINE)
TEXT_BYTES = 48
TYPES = {"text": h5py.string_dtype("utf-8", TEXT_BYTES), "u64": "<u8", "f64": "<f8"}

Row = dict[str, Any]


def fields(table: str) -> list[tuple[str, str, str, str]]:
    """Name, type, unit and meaning of every field of /runs, /ops, /evaluations or /sentences, in order."""
    body = SCHEMA_MD.read_text(encoding="utf-8").split(f"\n## /{table}\n")[1].split("\n## ")[0]
    return ROW.findall(body)


def fixed(value: str) -> np.ndarray:
    """A text of fixed size with its zero, as the program writes it."""
    return np.array(value.encode(), dtype=h5py.string_dtype("utf-8", len(value.encode()) + 1))


def write_table(f: h5py.File, name: str, rows: Sequence[Row]) -> None:
    described = fields(name)
    known = {n for n, _, _, _ in described}
    data = np.zeros(len(rows), dtype=[(n, TYPES[t]) for n, t, _, _ in described])
    for i, row in enumerate(rows):
        unknown = set(row) - known
        if unknown:
            raise KeyError(f"no field of /{name}: {', '.join(sorted(unknown))}")
        for key, value in row.items():
            if isinstance(value, str) and len(value.encode()) >= TEXT_BYTES:
                raise ValueError(f"{key} takes {TEXT_BYTES - 1} bytes, not {len(value.encode())}: {value}")
            data[key][i] = value.encode() if isinstance(value, str) else value
    dataset = f.create_dataset(name, data=data, maxshape=(None,), chunks=(64,), fletcher32=True)
    for n, _, unit, meaning in described:
        dataset.attrs[f"{n}.unit"] = fixed(unit)
        dataset.attrs[f"{n}.meaning"] = fixed(meaning)


def write_group(f: h5py.File, name: str, entries: dict[str, str]) -> None:
    group = f.create_group(name, track_order=True)
    for key, value in entries.items():
        group[key] = fixed(value)


def write_file(path: Path, rows: list[Row], ops: list[Row], launches: list[dict[str, str]],
               evaluations: Sequence[Row] = (), sentences: Sequence[Row] = ()) -> None:
    """The whole file; launches[0] is /environment, the others hold what differed later."""
    with h5py.File(path, "w", libver=("v110", "v110")) as f:
        f.attrs["format"] = fixed(pqresults.FORMAT)
        f.attrs["schema"] = np.uint64(pqresults.SCHEMA)
        write_table(f, "runs", rows)
        write_table(f, "ops", ops)
        write_table(f, "evaluations", evaluations)
        write_table(f, "sentences", sentences)
        write_group(f, "environment", launches[0])
        f.create_group("resumed", track_order=True)
        for number, later in enumerate(launches[1:], 1):
            write_group(f, f"resumed/{number}", later)


class Recorder:
    """Appends rows to a result file, new or there already; after every row the file on disk is whole. Holds the lock
    that the program takes, so that there is one writer at a time. A pqresults.ResultFileError of one line where that
    fails."""

    def __init__(self, path: Path, environment: dict[str, str]) -> None:
        self.path = Path(path)
        self.rows: list[Row] = []
        self.ops: list[Row] = []
        self.evaluations: list[Row] = []
        self.sentences: list[Row] = []
        self.launches: list[dict[str, str]] = []
        self.point_fields = [n for n, _, _, meaning in fields("runs") if meaning.startswith("point:")]
        self.zero: Row = {n: "" if t == "text" else 0 for n, t, _, _ in fields("runs")}
        self.take_lock()
        try:
            self.read_existing(environment)
        except BaseException:
            self.close()
            raise

    def read_existing(self, environment: dict[str, str]) -> None:
        if self.path.exists():
            runs = pqresults.load(self.path)
            self.rows = runs.to_dict("records")
            self.launches = [runs.attrs["environment"], *runs.attrs["resumed"]]
            with h5py.File(self.path) as f:
                self.ops, self.evaluations, self.sentences = (
                    pqresults.read_table(f, name, runs.attrs["schema"]).to_dict("records")
                    for name in ("ops", "evaluations", "sentences"))
        before: dict[str, str] = {}
        for launch in self.launches:
            before.update(launch)
        changed = {name: value for name, value in environment.items() if before.get(name) != value}
        if changed or not self.launches:
            self.launches.append(changed)

    def take_lock(self) -> None:
        """The lock file goes when its holder goes: only a lock on the file now under that name counts."""
        name = f"{self.path}.lock"
        try:
            while True:
                self.lock = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
                try:
                    fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    if os.path.samestat(os.fstat(self.lock), os.stat(name)):
                        return
                except FileNotFoundError:
                    pass
                except BlockingIOError:
                    os.close(self.lock)
                    raise
                os.close(self.lock)
        except BlockingIOError:
            raise pqresults.ResultFileError(f"{self.path}: another process is writing it (it holds {name}); wait for "
                                            "it, or write to another file") from None
        except OSError as e:
            raise pqresults.ResultFileError(f"{self.path}: cannot write there: {e.strerror}") from e

    def close(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{self.path}.lock")
        os.close(self.lock)

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def count(self, like: Row) -> int:
        """VALID repetitions of the point that this row belongs to."""
        wanted = {n: {**self.zero, **like}[n] for n in self.point_fields}
        return sum(row["verdict"] == "VALID" and all(row[n] == v for n, v in wanted.items()) for row in self.rows)

    def add(self, row: Row) -> None:
        row = {**self.zero, **row}
        beside = Path(f"{self.path}.tmp-{os.getpid()}")
        try:
            write_file(beside, [*self.rows, row], self.ops, self.launches, self.evaluations, self.sentences)
            with open(beside, "rb") as f:
                os.fsync(f.fileno())
            os.replace(beside, self.path)
        finally:
            beside.unlink(missing_ok=True)
        self.rows.append(row)
