#!/usr/bin/env python3
"""Wrong numbers as a user meets them: one bit of P2's share of the logits flipped on its way makes run and sweep say
INVALID, end with code 3 and print no time; values that leave their range are said by layer, and are in the file.

    test_wrong.py PQBERT MPIEXEC

PQ_FLIP: the shim that flips (flip_message.c). Needs Python's standard library. Works in a temporary folder."""

import json
import os
import re
import subprocess
import tempfile
import unittest

from sweeps import programs

PQBERT = MPIEXEC = None
LABELS = 29  # 58 bytes of logits: no other message has this size


def pqbert(line, ranks=0, flip=False):
    command = ([MPIEXEC, "-n", str(ranks)] if ranks else []) + [PQBERT] + line.split()
    env = dict(os.environ)
    if flip:
        env |= {"LD_PRELOAD": os.environ["PQ_FLIP"], "PQ_FLIP_RANK": "2", "PQ_FLIP_BYTES": str(2 * LABELS)}
        command[1:1] = ["-x", "LD_PRELOAD", "-x", "PQ_FLIP_RANK", "-x", "PQ_FLIP_BYTES"]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
                          env=env)


def rows(path):
    return [json.loads(line.rstrip(",")) for line in pqbert(f"results show {path} --json").stdout.splitlines()
            if line.startswith("{")]


class Wrong(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(os.chdir, os.getcwd())
        self.addCleanup(folder.cleanup)
        os.chdir(folder.name)
        with open("vocab", "w", encoding="ascii") as file:
            file.write("[UNK]\n[CLS]\n[SEP]\nfilm\n")
        made = pqbert(f"model synth --config layers=2,hidden=60,heads=5,ffn=98,vocab=50,max_seq=40,labels={LABELS},"
                      "trunc=4,score_trunc=4 --seed 1 --vocab vocab --out m")
        self.assertEqual(made.returncode, 0, made.stderr)

    def test_a_flipped_bit(self):
        for protocol in "published", "preprocessed":
            line = f"--model m --seq 9 --protocol {protocol}"
            done = pqbert(f"run {line}", 3, flip=True)
            self.assertEqual(done.returncode, 3, done.stdout + done.stderr)
            self.assertIn("INVALID", done.stdout)
            self.assertNotRegex(done.stdout, r"\d ms|sequences/s|logits -?\d")
            done = pqbert(f"sweep {line} --repeat 2 --warmup 1 --out {protocol}.h5", 3, flip=True)
            self.assertEqual(done.returncode, 3, done.stdout + done.stderr)
            self.assertNotRegex(done.stdout + done.stderr, r"\d ms")
            self.assertEqual([row["verdict"] for row in rows(f"{protocol}.h5")], ["INVALID"] * 2)
            self.assertEqual([row["sequences_per_second"] for row in rows(f"{protocol}.h5")], [0, 0])
            table = pqbert(f"results show {protocol}.h5").stdout.splitlines()[-1]
            self.assertIn("INVALID", table)
            self.assertNotRegex(table, r"\[")
            self.assertEqual(pqbert(f"run {line}", 3).returncode, 0)

    def test_a_flipped_bit_of_an_evaluation(self):
        with open("d.tsv", "w", encoding="ascii") as file:
            file.write("sentence\tlabel\nfilm\t1\nfilm film\t28\n")
        line = "eval --model m --data d.tsv --out r.h5"
        done = pqbert(line, 3, flip=True)
        self.assertEqual(done.returncode, 3, done.stdout + done.stderr)
        self.assertNotRegex(done.stdout + done.stderr, r"\d ms|\d %")
        self.assertRegex(done.stderr, "(?m)^pqbert: the opened logits of a batch of 1 sentences of 3 tokens differ")
        table = pqbert("results show r.h5").stdout.splitlines()[-1]
        self.assertIn("1 of 2 ", table)
        self.assertIn(" INVALID", table)
        self.assertEqual(table.count("["), 1, "the plain model's accuracy alone")
        again = pqbert(f"{line} --resume", 3)
        self.assertEqual(again.returncode, 2, again.stdout + again.stderr)
        self.assertIn("is INVALID there already", again.stderr)

    def test_values_that_leave_their_range(self):
        done = pqbert("run --model m --seq 33 --batch 4 --seed 1", 3)
        self.assertEqual(done.returncode, 0, done.stderr)
        total = int(re.search(r"warning: (\d+) values left", done.stdout)[1])
        layers = re.findall(r"^  (?:layer \d+|head), (\w+): (\d+) of (\d+)$", done.stdout, flags=re.M)
        self.assertEqual(sum(int(wrapped) for _, wrapped, _ in layers), total)
        self.assertGreater(total, 0)
        done = pqbert("sweep --model m --seq 33 --batch 4 --seed 1 --repeat 1 --warmup 0 --out r.h5", 3)
        self.assertEqual(done.returncode, 0, done.stderr)
        row, = rows("r.h5")
        self.assertEqual(row["range_wrapped"], total)
        self.assertEqual(sum(int(n) for n in re.findall(r"=(\d+)", row["range_where"])), total)
        self.assertEqual(row["clock_off_ns"], 0)


if __name__ == "__main__":
    PQBERT, MPIEXEC = programs(__doc__)
    unittest.main()
