"""A small result file with known numbers, made without this project's C code, from the field tables in SCHEMA.md."""
from __future__ import annotations

import re
import sys
from pathlib import Path

import h5py
import numpy as np

SCHEMA_MD = Path(__file__).resolve().parents[2] / "results" / "SCHEMA.md"
ROW = re.compile(r"^\| `(\w+)` \| (text|u64|f64) \| (\w*) \| (.*) \|$", re.MULTILINE)
TYPES = {"text": h5py.string_dtype("utf-8", 48), "u64": "<u8", "f64": "<f8"}


def fields(section: str) -> list[tuple[str, str, str, str]]:
    body = SCHEMA_MD.read_text(encoding="utf-8").split(f"\n## /{section}\n")[1].split("\n## ")[0]
    return ROW.findall(body)


def run_row(seq: int, protocol: str, repetition: int, **other: object) -> dict[str, object]:
    first = {"published": 40, "preprocessed": 8}[protocol]
    row = dict(
        model="bert-base", model_id="0123456789abcdef", layers=12, hidden=768, heads=12, ffn=3072, trunc=6,
        seq_len=seq, batch=1, ranks_per_party=1, threads=1, protocol=protocol, max_variant="tree", tables="direct",
        net="none", kernel="avx2", transport="shared memory", mode="secure", repetition=repetition, input_seed=7,
        offline_ns=3_000_000 * seq + 1000 * repetition,
        online_ns=1_000_000 * (first * seq // 8 + 5) + 600_000 * repetition * repetition,
        offline_bytes=9_000_000 * seq, offline_bytes_predicted=9_000_000 * seq,
        online_bytes=12_345 * first * seq, online_bytes_predicted=12_345 * first * seq,
        online_rounds=289, online_rounds_predicted=289, floor_ns=1_000_000 * seq // 2, verdict="VALID",
        utc="2025-01-01T00:00:00Z")
    return {**row, **other}


def op_rows(point: int) -> list[dict[str, object]]:
    return [dict(point=point, operation=name, phase=phase, party=party, compute_ns=1_000_000 * (i + 1) * (party + 1),
                 wait_ns=500_000 * (i + 1), internal_ns=0, bytes=1000 * (i + 1), messages=3, rounds=i + 1)
            for i, name in enumerate(("qkv", "softmax", "gelu")) for phase in ("offline", "online")
            for party in range(3)]


def sample_rows() -> list[dict[str, object]]:
    rows = [run_row(seq, protocol, r) for seq in (8, 16, 32, 64, 128) for protocol in ("published", "preprocessed")
            for r in range(7)]
    rows += [run_row(256, "published", r, verdict="INVALID" if r == 1 else "VALID") for r in range(2)]
    return rows


def fixed(value: str) -> np.ndarray:
    """A text of fixed size with its zero, as the C code writes it."""
    return np.array(value.encode(), dtype=h5py.string_dtype("utf-8", len(value.encode()) + 1))


def write_table(f: h5py.File, name: str, rows: list[dict[str, object]]) -> None:
    described = fields(name)
    data = np.zeros(len(rows), dtype=[(n, TYPES[t]) for n, t, _, _ in described])
    for i, row in enumerate(rows):
        for key, value in row.items():
            data[key][i] = value.encode() if isinstance(value, str) else value
    dataset = f.create_dataset(name, data=data, maxshape=(None,))
    for n, _, unit, meaning in described:
        dataset.attrs[f"{n}.unit"] = fixed(unit)
        dataset.attrs[f"{n}.meaning"] = fixed(meaning)


def write(path: Path, rows: list[dict[str, object]], ops: list[dict[str, object]], **environment: str) -> None:
    entries = dict(command_line="pqbert sweep", commit="abc123", build_type="Release", cpu="Example CPU", hosts="alpha",
                   cores="4", governor="performance", utc="2025-01-01T00:00:00Z", topology_xml="<x>" * 1000)
    with h5py.File(path, "w") as f:
        f.attrs["format"] = fixed("pqbert-results")
        f.attrs["schema"] = np.uint64(1)
        write_table(f, "runs", rows)
        write_table(f, "ops", ops)
        f.create_group("environment", track_order=True)
        for name, value in {**entries, **environment}.items():
            f[f"environment/{name}"] = fixed(value)
        f.create_group("resumed")


if __name__ == "__main__":
    write(Path(sys.argv[1]), sample_rows(), [op for p in (56, 63) for op in op_rows(p)])
