"""Exact hand-over: `pqbert plain` equals the trainer's integer forward, logit for logit.

    test_handover.py PQBERT FOLDER MODEL

On 1,000 sentences with MODEL (the shipped one), then on synthetic models of every precision the format has. PQ_SST2: a
folder with glue_dev.tsv and dev.tsv, whose first 1,000 sentences are taken instead of sentences of our own.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).parents[1])]
import files
import integer
import sentences
from wordpiece import Tokenizer

SHAPES = [
    "layers=1,hidden=64,heads=4,ffn=96,weight_bits=2,trunc=4,score_trunc=4,norm_trunc=6,var_trunc=8",
    "layers=2,hidden=48,heads=3,ffn=100,weight_bits=3,trunc=5,score_trunc=6,norm_trunc=8,var_trunc=9",
    "layers=1,hidden=72,heads=2,ffn=130,weight_bits=5,trunc=8,score_trunc=4,norm_trunc=8,var_trunc=10",
    "layers=2,hidden=128,heads=2,ffn=512,weight_bits=8,trunc=6,score_trunc=6,norm_trunc=6,var_trunc=10",
]


def plain(pqbert, prefix, *arguments):
    out = subprocess.run([pqbert, "plain", "--model", prefix, *arguments], capture_output=True, text=True, check=False)
    assert out.returncode == 0, out.stderr
    return np.array([[int(v) for v in line.split()[1:]] for line in out.stdout.splitlines()])


def compare(expected, found, inputs):
    assert found.shape == expected.shape, f"{found.shape} logits, not {expected.shape}"
    for one, other, what in zip(expected, found, inputs):
        assert (one == other).all(), f"{what}: the integer forward says {one}, plain {other}"


def on_texts(pqbert, folder, prefix, texts):
    shape, values, words = files.read(prefix)
    tokenizer, model = Tokenizer(words.splitlines()), integer.Integer(shape, values)
    path = folder / "texts"
    path.write_text("".join(text + "\n" for text in texts), encoding="utf-8")
    expected = np.concatenate([model.forward(np.array([tokenizer.encode(text, shape["max_seq"])])) for text in texts])
    compare(expected, plain(pqbert, prefix, "--text-file", path), texts)
    assert len(np.unique(expected, axis=0)) > len(texts) // 4, "the model hardly tells texts apart"
    return len(texts)


def on_tokens(pqbert, folder, config, seed):
    prefix = folder / "synthetic"
    subprocess.run([pqbert, "model", "synth", "--config", config + ",vocab=500,max_seq=300", "--seed", str(seed),
                    "--out", prefix], check=True, capture_output=True)
    shape, values, _ = files.read(prefix)
    model, draw = integer.Integer(shape, values), np.random.default_rng(seed)
    inputs = [draw.integers(0, 500, (1, seq)) for seq in (1, 2, 7, 32, 33, 64, 65, 257, 258, 300)]
    path = folder / "tokens"
    files.write(folder / "again", shape, values)  # what Python wrote is read, and means the same
    for ids in inputs:
        path.write_text(" ".join(map(str, ids[0])) + "\n")
        for written in (prefix, folder / "again"):
            compare(model.forward(ids), plain(pqbert, written, "--tokens", path), [f"{config}, {ids.shape[1]} tokens"])


def main(pqbert, folder, model):
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    os.umask(0o022)
    texts = sentences.real(1000) or sentences.made(1000)
    print(f"{on_texts(pqbert, folder, model, texts)} texts: equal, logit for logit")
    for seed, config in enumerate(SHAPES, 1):
        on_tokens(pqbert, folder, config, seed)
        print(f"{config}: equal")


if __name__ == "__main__":
    main(*sys.argv[1:])
