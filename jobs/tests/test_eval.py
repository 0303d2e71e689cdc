#!/usr/bin/env python3
"""Accuracy as a user measures it: twenty sentences in the clear and by private inference, verified, against decisions
found with `pqbert plain`; an evaluation that was killed goes on where it was; files that are none are refused.

    test_eval.py PQBERT MPIEXEC

Needs Linux's /proc and Python's standard library. Works in a temporary folder."""

import csv
import io
import math
import os
import pathlib
import random
import re
import signal
import subprocess
import time
import unittest

from sweeps import InFolder, call, processes, programs

PQBERT = MPIEXEC = None
WORDS = "a moving and funny film ##s bad ! not very long dull slow".split()
CONFIG = "layers=1,hidden=24,heads=3,ffn=20,vocab=30,max_seq=12"
SENTENCES, WRONG, CUT = 20, (2, 3, 5, 11), 6
HEADER = "sentence\tlabel\n"


def pqbert(line, ranks=0, **more):
    launcher = [MPIEXEC, "-n", str(ranks)] if ranks else []
    return subprocess.run(launcher + [PQBERT] + line.split(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=300, check=False, **more)


def rows(path, which):
    return list(csv.DictReader(io.StringIO(call(PQBERT, "results", "show", path, "--csv", "--rows", which))))


POSITIVE = ("a moving and funny film", "a gorgeous , heartfelt surprise", "smart , warm and very funny",
            "one of the best films of the year", "the acting is superb and the story is touching",
            "an entertaining and intelligent thriller", "beautifully shot and deeply satisfying", "a delightful comedy",
            "i loved every minute of it", "a powerful and fascinating documentary")
NEGATIVE = ("a dull and lifeless mess", "the plot is stupid and the jokes are flat", "tedious , clumsy and far too long",
            "a waste of time and money", "one of the worst films of the year", "boring from beginning to end",
            "an awful script and bad acting", "it is neither scary nor funny", "utterly forgettable",
            "a tiresome , pretentious failure")


def wilson(hits, n, z=1.959963984540054):
    p, shrink = hits / n, 1 / (1 + z * z / n)
    half = shrink * z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return shrink * (p + z * z / (2 * n)) - half, shrink * (p + z * z / (2 * n)) + half


class Eval(InFolder):
    @classmethod
    def setUpClass(cls):
        """Labels are what plain decides, but for four sentences."""
        super().setUpClass()
        pathlib.Path("vocab").write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]"] + WORDS) + "\n", "ascii")
        call(PQBERT, "model", "synth", "--config", CONFIG, "--vocab", "vocab", "--seed", "4", "--out", "m")
        draw = random.Random(1)
        whole = [w for w in WORDS if w[0] != "#"]
        texts = [" ".join(draw.choice(whole) for _ in range(11 if i < CUT else draw.randint(1, 9)))
                 for i in range(SENTENCES)]
        draw.shuffle(texts)
        cls.tokens = [min(12, len(t.split()) + 2) for t in texts]
        pathlib.Path("texts").write_text("\n".join(texts) + "\n", "ascii")
        logits = [[int(x) for x in line.split()[1:]] for line in
                  call(PQBERT, "plain", "--model", "m", "--text-file", "texts").splitlines()]
        cls.decided = [values.index(max(values)) for values in logits]
        assert len(set(cls.decided)) == 2, "the model always decides alike: this test would see little"
        cls.labels = [1 - d if i in WRONG else d for i, d in enumerate(cls.decided)]
        pathlib.Path("d.tsv").write_text(HEADER + "".join(f"{t}\t{n}\n" for t, n in zip(texts, cls.labels)), "ascii")

    def confusion(self, text, who):
        """The numbers behind `who decides`, [label][decision]."""
        found = re.search(rf"^  {who} decides +0 +1\n    label 0 +(\d+) +(\d+)\n    label 1 +(\d+) +(\d+)$", text, re.M)
        self.assertTrue(found, text)
        numbers = [int(n) for n in found.groups()]
        return [numbers[:2], numbers[2:]]

    def counted(self, decisions):
        table = [[0, 0], [0, 0]]
        for label, decision in zip(self.labels, decisions):
            table[label][decision] += 1
        return table

    def test_help(self):
        done = pqbert("eval --help")
        self.assertEqual(done.returncode, 0)
        for word in ("--data", "--limit", "--resume", "sentence<TAB>label", "mpirun -n 3 pqbert eval", "Wilson"):
            self.assertIn(word, done.stdout)

    def test_shipped_model(self):
        """The trained model that the build has beside the program; seeded, so that the same happens each time."""
        model = pathlib.Path(PQBERT).parent / "models" / "sentiment"
        lines = [f"{text}\t1\n" for text in POSITIVE] + [f"{text}\t0\n" for text in NEGATIVE]
        pathlib.Path("s.tsv").write_text(HEADER + "".join(lines), "ascii")
        done = pqbert(f"eval --model {model} --data s.tsv --batch 4 --seed 1", ranks=3)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("VALID: ", done.stdout)
        for who in ("plain", "MPC"):
            right = int(re.search(rf"^{who} +(\d+) of 20 correct", done.stdout, re.M).group(1))
            self.assertGreaterEqual(right, 19, done.stdout)
        self.assertGreaterEqual(int(re.search(r"^alike +(\d+) of 20", done.stdout, re.M).group(1)), 19, done.stdout)

    def test_in_the_clear(self):
        for batch in (1, 4):
            done = pqbert(f"eval --model m --data d.tsv --batch {batch}")
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn("m on d.tsv: 20 sentences of ", done.stdout)
            self.assertIn("; 6 had more than 12, the longest sequence of this model, and were cut", done.stdout)
            self.assertIn("16 of 20 correct: 80.0 % (95 % interval 58.4 to 91.9 %)", done.stdout)
            self.assertEqual(self.confusion(done.stdout, "plain"), self.counted(self.decided))
            self.assertNotIn("MPC", done.stdout)
        done = pqbert("eval --model m --data d.tsv --limit 5")
        self.assertIn("3 of 5 correct: 60.0 %", done.stdout)
        done = pqbert("eval --model m --data d.tsv --limit 500")
        self.assertIn("16 of 20 correct", done.stdout)

    def evaluated(self, ranks, more):
        pathlib.Path("r.h5").unlink(missing_ok=True)
        done = pqbert(f"eval --model m --data d.tsv --out r.h5 {more}", ranks)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("\nVALID: ", done.stdout)
        return done.stdout, rows("r.h5", "sentences"), rows("r.h5", "evaluations")

    def check_sentences(self, found):
        self.assertEqual(sorted(int(r["sentence"]) for r in found), list(range(SENTENCES)))
        for r in found:
            i = int(r["sentence"])
            self.assertEqual([int(r[n]) for n in ("label", "plain_label", "tokens", "evaluation")],
                             [self.labels[i], self.decided[i], self.tokens[i], 0])
            self.assertEqual(r["verdict"], "VALID")
        self.assertEqual(sum(int(r["cut"]) for r in found), CUT)

    def test_privately(self):
        text, found, (row,) = self.evaluated(3, "--batch 3")
        self.check_sentences(found)
        self.assertIn("P1 showed each batch's tokens, labels and logits to P0", text)
        sizes = [int(r["batch"]) for r in found if r["tokens"] == "12"]
        self.assertTrue(set(sizes) <= {1, 2, 3} and sizes.count(3) >= 6, sizes)
        mpc = {int(r["sentence"]): int(r["mpc_label"]) for r in found}
        right = sum(mpc[i] == self.labels[i] for i in range(SENTENCES))
        alike = sum(mpc[i] == self.decided[i] for i in range(SENTENCES))
        self.assertEqual([int(row[n]) for n in ("evaluated", "sentences", "plain_correct", "mpc_correct", "agreeing",
                                                "cut")], [20, 20, 16, right, alike, CUT])
        self.assertEqual((row["data"], row["verdict"], row["labels"]), ("d.tsv", "VALID", "2"))
        for name, hits in (("plain", 16), ("mpc", right)):
            self.assertAlmostEqual(float(row[f"{name}_accuracy"]), hits / 20)
            low, high = wilson(hits, 20)
            self.assertAlmostEqual(float(row[f"{name}_accuracy_low"]), low)
            self.assertAlmostEqual(float(row[f"{name}_accuracy_high"]), min(high, 1))
        self.assertIn(f"MPC      {right} of 20 correct: {5 * right}.0 %", text)
        self.assertIn(f"alike    {alike} of 20", text)
        self.assertEqual(self.confusion(text, "plain"), self.counted(self.decided))
        self.assertEqual(self.confusion(text, "MPC"), self.counted([mpc[i] for i in range(SENTENCES)]))
        each = sorted(int(r["online_bytes"]) // int(r["batch"]) for r in found)
        self.assertEqual(int(row["online_bytes"]), (each[9] + each[10]) // 2)
        shown = call(PQBERT, "results", "show", "r.h5")
        self.assertIn("1 evaluation, 20 sentences", shown)
        self.assertIn(" 80.0 [58.4, 91.9] ", shown)

    def test_ranks_decide_alike(self):
        """The same seed gives the same logits for every number of ranks, and so the same decisions."""
        one, two = (sorted((int(r["sentence"]), r["mpc_label"]) for r in self.evaluated(ranks, "--seed 9 --batch 2")[1])
                    for ranks in (3, 6))
        self.assertEqual(one, two)
        self.assertEqual(rows("r.h5", "evaluations")[0]["mode"], "INSECURE-BENCH")

    def test_killed_and_continued(self):
        """An emulated network makes a batch long enough to fall into the middle of the evaluation."""
        line = "eval --model m --data d.tsv --out k.h5 --net 100Mbit:8ms"
        mark = f"PQ_EVAL_TEST={os.getpid()}-{time.monotonic_ns()}"
        name, value = mark.split("=")
        job = subprocess.Popen([MPIEXEC, "-n", "3", PQBERT] + line.split(),  # pylint: disable=consider-using-with
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               env=os.environ | {name: value})
        until = time.monotonic() + 120
        while not pathlib.Path("k.h5").exists() or len(rows("k.h5", "sentences")) < 3:
            self.assertIsNone(job.poll(), "the evaluation ended by itself")
            self.assertLess(time.monotonic(), until, "no three sentences in two minutes")
            time.sleep(0.01)
        ranks = [pid for process, pid, parent, _ in processes(mark) if process == "pqbert" and parent != job.pid]
        os.kill(ranks[0], signal.SIGKILL)
        self.assertNotEqual(job.wait(60), 0)
        before = rows("k.h5", "sentences")
        self.assertTrue(3 <= len(before) < SENTENCES, f"{len(before)} sentences were done")
        self.assertEqual(rows("k.h5", "evaluations")[0]["evaluated"], str(len(before)))
        done = pqbert(line, 3)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("k.h5: exists already; continue it with --resume", done.stderr)
        done = pqbert(f"{line} --resume", 3)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"{len(before)} of 20 sentences are in the file already", done.stderr)
        self.assertIn("16 of 20 correct", done.stdout)
        after = rows("k.h5", "sentences")
        self.assertEqual(after[:len(before)], before)
        self.check_sentences(after)
        again = pqbert(f"{line} --resume", 3)
        self.assertEqual((again.returncode, again.stdout), (0, done.stdout))
        self.assertEqual(rows("k.h5", "sentences"), after)

    def mistake(self, line, *words, ranks=0):
        done = pqbert(line, ranks)
        ours = [said for said in done.stderr.splitlines() if said.startswith("pqbert")]
        self.assertEqual((done.returncode, len(ours), done.stdout), (2, 1, ""), f"{line}: {done}")
        for word in words:
            self.assertIn(word, ours[0])
        self.assertNotIn("hush", ours[0], "a sentence is quoted")

    def test_wrong_files(self):
        bad = {"": "it is empty", "hush\t1\n": "line 1 is not the header", HEADER: "ends behind its header",
               HEADER + "hush\t1\nhush\n": "line 3 has no tab", HEADER + "hush\t0\t1\n": "more than one tab",
               HEADER + "hush\t2\n": "line 2: its label is no number from 0 to 1",
               HEADER + "hush\t\n": "line 2: its label", HEADER + "hush\t1\n  \t1\n": "line 3 has an empty sentence"}
        for content, word in bad.items():
            pathlib.Path("bad.tsv").write_text(content, "ascii")
            self.mistake("eval --model m --data bad.tsv", "bad.tsv: ", word)
        pathlib.Path("bad.tsv").write_bytes(HEADER.encode() + b"hush\t1\nhu\xffsh\t0\n")
        for ranks in (0, 3):
            self.mistake("eval --model m --data bad.tsv", "line 3: byte 24 of the file is not UTF-8", ranks=ranks)
            self.mistake("eval --model m --data none.tsv", "none.tsv: cannot be read (No such file", ranks=ranks)
        self.mistake("eval --model m --data bad.tsv --out new.h5", "byte 24", ranks=3)
        self.assertFalse(pathlib.Path("new.h5").exists())

    def test_mistakes(self):
        call(PQBERT, "model", "synth", "--config", CONFIG, "--out", "wordless")
        self.mistake("eval --model m", "needs --data")
        self.mistake("eval --data d.tsv", "needs --model")
        self.mistake("eval --model m --data d.tsv --limit 0", "--limit 0")
        self.mistake("eval --model wordless --data d.tsv", "wordless.public.h5 has no vocabulary", "--vocab")
        for option in ("--out x.h5", "--resume", "--protocol published", "--net lan", "--seed 3"):
            self.mistake(f"eval --model m --data d.tsv {option}", option.split()[0], "mpirun -n 3")
        self.mistake("eval --model m --data d.tsv", "multiple of 3", ranks=2)
        self.mistake("eval --model m --data d.tsv --threads 1,2", "one value", ranks=3)
        self.mistake("eval --model m --data d.tsv --no-verify", "--no-verify", ranks=3)
        self.mistake("eval --model m --data d.tsv --seq 8", "--seq", ranks=3)


if __name__ == "__main__":
    PQBERT, MPIEXEC = programs(__doc__)
    unittest.main()
