"""A small result file with known numbers, made without this project's C code, from the field tables in SCHEMA.md."""
from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import pqwrite  # noqa: E402

ENVIRONMENT = dict(command_line="pqbert sweep", commit="abc123", build_type="Release", cpu="Example CPU", hosts="1",
                   host_names="alpha", cores="4", governor="performance", utc="2025-01-01T00:00:00Z",
                   topology_xml="<x>" * 1000)


def run_row(seq: int, protocol: str, repetition: int, **other: object) -> dict[str, object]:
    first = {"published": 40, "preprocessed": 8}[protocol]
    row = dict(
        system="pqbert", model="bert-base", model_id="0123456789abcdef", layers=12, hidden=768, heads=12, ffn=3072,
        trunc=6, seq_len=seq, batch=1, parties=3, ranks_per_party=1, threads=1, protocol=protocol, max_variant="tree",
        tables="direct", net="none", kernel="avx2", transport="shared memory", mode="secure", together="",
        repetition=repetition, input_seed=7,
        offline_ns=3_000_000 * seq + 1000 * repetition,
        online_ns=1_000_000 * (first * seq // 8 + 5) + 600_000 * repetition * repetition,
        offline_bytes=9_000_000 * seq, offline_bytes_predicted=9_000_000 * seq,
        online_bytes=12_345 * first * seq, online_bytes_predicted=12_345 * first * seq,
        online_rounds=289, online_rounds_predicted=289, floor_ns=1_000_000 * seq // 2, relative_error=0.0,
        verdict="VALID", utc="2025-01-01T00:00:00Z")
    return {**row, **other}


def peer_row(seq: int, repetition: int, **other: object) -> dict[str, object]:
    """Of a system with two parties, 2 s and 100 MB at length 8, that has no cost formulas."""
    row = dict(run_row(seq, "published", repetition), system="Other 1.0", protocol="its own", parties=2, max_variant="",
               tables="", model_id="", kernel="other", floor_ns=0, offline_ns=1_000_000_000,
               online_ns=250_000_000 * seq + 1_000_000 * repetition, online_bytes=12_500_000 * seq, offline_bytes=0,
               online_bytes_predicted=0, offline_bytes_predicted=0, online_rounds=0, online_rounds_predicted=0,
               mode="INSECURE-BENCH", relative_error=0.01)
    return {**row, **other}


def sentence_rows(sentences: int, evaluation: int = 0) -> list[dict[str, object]]:
    """Plain is wrong at every fourth sentence, private inference at every fifth. Batches of two."""
    return [dict(evaluation=evaluation, sentence=i, tokens=8 + i, cut=0, label=i % 2,
                 plain_label=(i + (i % 4 == 3)) % 2, mpc_label=(i + (i % 5 == 4)) % 2, batch=2,
                 offline_ns=40_000_000 * (i + 1), online_ns=10_000_000 * (i + 1), offline_bytes=4_000_000,
                 online_bytes=1_000_000, online_rounds=100, verdict="VALID", utc="2025-01-01T00:00:00Z")
            for i in range(sentences)]


def evaluation_row(sentences: int, **other: object) -> dict[str, object]:
    """Of 20 sentences as sentence_rows makes them, summed up by hand."""
    row = dict(system="pqbert", model="tiny", model_id="feedfacefeedface", layers=2, hidden=128, heads=2, ffn=512,
               weight_bits=1, trunc=6, labels=2, max_tokens=64, data="dev.tsv", data_id="0123", sentences=sentences,
               batch=2, parties=3, ranks_per_party=1, threads=1, protocol="preprocessed", max_variant="auto",
               tables="auto", net="none", kernel="avx2", transport="shared memory", mode="secure", evaluated=20, cut=0,
               plain_correct=15, mpc_correct=16, agreeing=13, plain_accuracy=0.75, plain_accuracy_low=0.5313,
               plain_accuracy_high=0.8881, mpc_accuracy=0.8, mpc_accuracy_low=0.5840, mpc_accuracy_high=0.9193,
               online_ns=52_500_000, offline_ns=210_000_000, online_bytes=500_000, offline_bytes=2_000_000,
               online_rounds=100, verdict="VALID", utc="2025-01-01T00:00:00Z")
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


def full_rows() -> list[dict[str, object]]:
    """Something for every figure: threads, ranks, networks, variants and another system besides a sweep."""
    rows = sample_rows()
    rows += [run_row(16, p, r, threads=t) for p in ("published", "preprocessed") for t in (2, 4) for r in range(5)]
    rows += [run_row(16, p, r, ranks_per_party=2) for p in ("published", "preprocessed") for r in range(5)]
    rows += [run_row(s, p, r, net=net, online_ns=10**9 * s) for p in ("published", "preprocessed") for s in (8, 16)
             for net in ("lan", "wan") for r in range(5)]
    rows += [run_row(16, p, r, max_variant="count") for p in ("published", "preprocessed") for r in range(5)]
    rows += [row for s in (8, 16) for row in
             [*(run_row(s, "preprocessed", r, together="alpha today") for r in range(6)),
              *(peer_row(s, r, together="alpha today") for r in range(3))]]
    return rows


def write(path: Path, rows: list[dict[str, object]], ops: list[dict[str, object]],
          evaluations: Sequence[dict[str, object]] = (), **environment: str) -> None:
    """Each evaluation with its sentences."""
    sentences = [row for i, e in enumerate(evaluations) for row in sentence_rows(int(e["evaluated"]), i)]
    pqwrite.write_file(path, rows, ops, [{**ENVIRONMENT, **environment}], evaluations, sentences)


if __name__ == "__main__":
    write(Path(sys.argv[1]), full_rows(), [op for p in (56, 63) for op in op_rows(p)], [evaluation_row(20)])
