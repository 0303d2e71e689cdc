"""Peers: the plain model, the rows they write, and that a wrong result is not called VALID. With --live also CrypTen
itself, on a model of two small layers; 77 (skipped) where its environment cannot be made."""
from __future__ import annotations

import contextlib
import io
import subprocess
import sys
import tempfile
import unittest
from collections.abc import Iterator
from pathlib import Path

import numpy as np

PEERS = Path(__file__).resolve().parents[1] / "peers"
sys.path.insert(0, str(PEERS))

import bert  # noqa: E402
import peer  # noqa: E402

import pqresults  # noqa: E402
import pqwrite  # noqa: E402

SMALL = bert.Shape("small", 2, 8, 2, 12)


def slow_logits(shape: bert.Shape, w: bert.Weights, x: np.ndarray) -> np.ndarray:
    """The same model, an element at a time, from the definitions of BERT."""
    size = shape.head_dim

    def normalise(v: np.ndarray, gamma: np.ndarray, beta: np.ndarray) -> np.ndarray:
        mean = sum(v) / len(v)
        variance = sum((a - mean) ** 2 for a in v) / len(v)
        return np.array([(a - mean) / np.sqrt(variance + 1e-5) * g + b for a, g, b in zip(v, gamma, beta)])

    rows = [row.astype(float) for row in x]
    for i in range(shape.layers):
        qkv = [row @ w[f"{i}.qkv"] + w[f"{i}.qkv_bias"] for row in rows]
        context = [np.zeros(shape.hidden) for _ in rows]
        for h in range(shape.heads):
            q, k, v = ([r[part * shape.hidden + h * size:][:size] for r in qkv] for part in range(3))
            for a in range(len(rows)):
                scores = np.exp([sum(q[a] * other) for other in k])
                for b, p in enumerate(scores / sum(scores)):
                    context[a][h * size:(h + 1) * size] += p * v[b]
        rows = [normalise(r + c @ w[f"{i}.out"] + w[f"{i}.out_bias"], w[f"{i}.gamma1"], w[f"{i}.beta1"])
                for r, c in zip(rows, context)]
        inner = [r @ w[f"{i}.ffn1"] + w[f"{i}.ffn1_bias"] for r in rows]
        inner = [0.5 * u * (1 + np.tanh(np.sqrt(2 / np.pi) * (u + 0.044715 * u**3))) for u in inner]
        rows = [normalise(r + u @ w[f"{i}.ffn2"] + w[f"{i}.ffn2_bias"], w[f"{i}.gamma2"], w[f"{i}.beta2"])
                for r, u in zip(rows, inner)]
    return np.tanh(rows[0] @ w["pooler"] + w["pooler_bias"]) @ w["classifier"] + w["classifier_bias"]


class PeersTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "r.h5"

    def test_plain_model(self) -> None:
        weights = bert.make_weights(SMALL, 3)
        big = {n: v * (1 if "gamma" in n else 20) for n, v in weights.items()}  # far from linear
        x = bert.make_input(SMALL, 5, 4)
        np.testing.assert_allclose(bert.plain_logits(SMALL, big, x), slow_logits(SMALL, big, x), rtol=1e-9)
        np.testing.assert_array_equal(bert.make_input(SMALL, 5, 4), x)
        self.assertFalse(np.array_equal(bert.make_input(SMALL, 5, 5), x))
        self.assertEqual(sum(v.size for n, v in bert.make_weights(bert.SHAPES["bert-base"], 1).items() if "." in n),
                         85_054_464)  # BERT-base's encoder

    def test_verdict(self) -> None:
        wanted = np.array([1.0, -2.0])
        for found, verdict in (([1.1, -2.0], "VALID"), ([1.0, -2.3], "INVALID"), ([2.0, -1.0], "INVALID"),
                               ([np.nan, -2.0], "INVALID"), ([0.0, 0.0], "INVALID")):
            self.assertEqual(peer.verdict(bert.relative_error(found, wanted)), verdict, found)

    def measure(self, errors: list[float], started: list[bool]) -> Iterator[peer.Measured]:
        started.append(True)
        for error in errors:
            yield peer.Measured(online_ns=10**9, offline_ns=5, online_bytes=[3, 4], peak_memory=[1, 2], error=error)

    def record(self, repeat: int, errors: list[float]) -> tuple[bool, bool]:
        """Whether all were VALID, and whether anything was measured."""
        fixed = peer.point(SMALL, "Other 1.0", "its own", 2, "numpy", "none", "secure", 5, 4)
        started: list[bool] = []
        with pqwrite.Recorder(self.path, peer.environment({"other": "1.0"})) as recorder, \
                contextlib.redirect_stdout(io.StringIO()):
            return peer.record(recorder, fixed, repeat, self.measure(errors, started)), bool(started)

    def test_rows(self) -> None:
        self.assertEqual(self.record(2, [0.01, 0.02]), (True, True))
        self.assertEqual(self.record(2, []), (True, False))  # nothing is missing
        self.assertEqual(self.record(3, [0.5]), (False, True))
        runs = pqresults.load(self.path)
        self.assertEqual(list(runs.verdict), ["VALID", "VALID", "INVALID"])
        self.assertEqual(list(runs.repetition), [0, 1, 2])
        last = runs.iloc[2]
        self.assertEqual((last.system, last.seq_len, last.parties, last.online_bytes, last.online_bytes_p1),
                         ("Other 1.0", 5, 2, 7, 4))
        self.assertEqual((last.hidden, last.relative_error, last.peak_memory_p0), (8, 0.5, 1))
        self.assertEqual(runs.attrs["environment"]["hosts"], "1")


class CrypTenTest(unittest.TestCase):
    def test_small_model(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "r.h5"
            for tuples in ("ahead", "inline"):
                done = subprocess.run([sys.executable, PEERS / "crypten_bert.py", "--config", "bert-tiny", "--seq", "3",
                                       "--repeat", "2", "--tuples", tuples, "--out", out], capture_output=True,
                                      text=True, timeout=240, check=False)
                if "cannot install" in done.stderr:
                    print(done.stderr.strip())
                    sys.exit(77)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            runs = pqresults.load(out)
            self.assertEqual(list(runs.verdict), ["VALID"] * 4)
            self.assertTrue(((runs.relative_error > 0) & (runs.relative_error < 0.1)).all())
            self.assertEqual(list(runs.protocol), ["Beaver tuples ahead"] * 2 + ["Beaver tuples inline"] * 2)
            self.assertTrue((runs.offline_ns[:2] > 0).all() and (runs.offline_ns[2:] == 0).all())
            self.assertEqual(set(runs["mode"]), {"INSECURE-BENCH"})
            # Every inference opens masked weights: 8 bytes of each from either party, and as much for the text.
            opened = sum(v.size for n, v in bert.make_weights(bert.SHAPES["bert-tiny"], 1).items()
                         if n.split(".")[-1] in ("qkv", "out", "ffn1", "ffn2", "pooler", "classifier"))
            self.assertTrue((runs.online_bytes > 16 * opened).all() and (runs.online_bytes < 32 * opened).all())
            self.assertEqual(runs.online_bytes.nunique(), 1)


if __name__ == "__main__":
    live = "--live" in sys.argv
    sys.argv = [a for a in sys.argv if a != "--live"]
    unittest.main(defaultTest="CrypTenTest" if live else "PeersTest")
