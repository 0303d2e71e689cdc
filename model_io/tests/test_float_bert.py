#!/usr/bin/env python3
"""Checkpoints read by the program and computed in float32 against numpy in double precision: every layer, every dtype,
every activation, names old and new. Equal up to float32's rounding alone: sums of some 50 products, 6 of them one
behind the other, each relative to values of about 1, leave less than 1e-4; values stored in 16 bits are the same on
both sides.

    test_float_bert.py FLOAT_FORWARD"""

import pathlib
import subprocess
import sys
import tempfile
import unittest

import numpy

import make_checkpoint

PROGRAM = None
TOLERANCE = 1e-4


class FloatBert(unittest.TestCase):
    def compare(self, **how):
        lengths = (1, 7, 7, 12)
        with self.subTest(**how), tempfile.TemporaryDirectory() as folder:
            checkpoint = make_checkpoint.write(pathlib.Path(folder), **how)
            random = numpy.random.default_rng(5)
            texts = [random.integers(0, checkpoint.config["vocab_size"], n) for n in lengths]
            done = subprocess.run([PROGRAM, folder, *map(str, lengths)], capture_output=True, text=True, check=False,
                                  input=" ".join(str(i) for text in texts for i in text), timeout=60)
            self.assertEqual(done.returncode, 0, done.stderr)
            rows = [numpy.array(line.split(), "f8") for line in done.stdout.splitlines()]
            forward = [checkpoint.forward(text) for text in texts]
            hidden, labels = checkpoint.config["hidden_size"], len(forward[0][1])
            states = checkpoint.config["num_hidden_layers"] + 1
            self.assertEqual(len(rows), hidden * states + labels)
            for state in range(states):
                want = numpy.concatenate([f[0][state] for f in forward]).T
                got = numpy.array(rows[state * hidden:(state + 1) * hidden])
                self.assertLess(abs(got - want).max(), TOLERANCE, f"state {state}")
            logits = numpy.array(rows[states * hidden:])
            self.assertLess(abs(logits - numpy.array([f[1] for f in forward]).T).max(), TOLERANCE)

    def test_layouts(self):
        self.compare()
        self.compare(prefix="")
        self.compare(old_names=True, labels=1)

    def test_dtypes(self):
        for dtype in ("F64", "F16", "BF16"):
            self.compare(dtype=dtype)

    def test_activations(self):
        for name in ("gelu_new", "gelu_pytorch_tanh", "relu", "silu", "swish", "tanh"):
            self.compare(hidden_act=name)

    def test_sizes(self):
        self.compare(hidden_size=10, num_attention_heads=5, intermediate_size=9, num_hidden_layers=1, labels=64)
        self.compare(hidden_size=33, num_attention_heads=1, intermediate_size=130, max_position_embeddings=12)
        self.compare(layer_norm_eps=1e-3, type_vocab_size=1, vocab_size=6, max_position_embeddings=600)


if __name__ == "__main__":
    PROGRAM = sys.argv.pop(1)
    unittest.main()
