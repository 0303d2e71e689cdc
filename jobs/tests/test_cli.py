#!/usr/bin/env python3
"""The program as users meet it: every mistake ends with code 2 and one line that names it, before anything starts; and
what is right works, with the same numbers wherever they are shown.

    test_cli.py PQBERT MPIEXEC

Needs only Python's standard library. Works in a temporary folder."""

import csv
import io
import itertools
import os
import pathlib
import re
import shutil
import subprocess
import unittest

from sweeps import InFolder, programs

PQBERT = MPIEXEC = None
CONFIG = "layers=1,hidden=24,heads=3,ffn=20,vocab=30,max_seq=20"
COMMANDS = ("model", "plain", "cost", "run", "eval", "sweep", "offline", "kernels", "results")


class Outcome:
    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr
        # mpirun adds lines of its own behind ours
        self.ours = [line for line in done.stderr.splitlines() if line.startswith("pqbert")]

    def __str__(self):
        return f"code {self.code}\nstdout:\n{self.out}\nstderr:\n{self.err}"


def pqbert(line, ranks=0, typed="", launch=()):
    """`line` as typed, without quotes (~ is a blank in a word, ^ the end of a line); ranks 0: not under mpirun;
    typed: on standard input; launch: more options for mpirun."""
    launcher = [MPIEXEC, *launch, "-n", str(ranks)] if ranks else []
    words = [word.replace("~", " ").replace("^", "\n") for word in line.split()]
    return Outcome(subprocess.run(launcher + [PQBERT] + words, input=typed, capture_output=True, text=True,
                                  timeout=120, check=False))


class Cli(InFolder):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for name, seed in (("m", 1), ("other", 2)):
            made = pqbert(f"model synth --config {CONFIG} --seed {seed} --out {name}")
            assert made.code == 0, str(made)
        cls.sweep = "sweep --model m --seq 3,5 --repeat 2 --warmup 1 --out r.h5"
        cls.swept = pqbert(cls.sweep, 3)

    def mistake(self, line, *words, ranks=0):
        with self.subTest(line=line, ranks=ranks):
            done = pqbert(line, ranks)
            self.assertEqual(done.code, 2, done)
            self.assertEqual(len(done.ours), 1, f"not one line of ours: {done}")
            if not ranks:
                self.assertEqual(done.err.count("\n"), 1, f"more than one line: {done}")
            for word in words:
                self.assertIn(word, done.ours[0])
            self.assertNotIn("VALID", done.out, "something was started")

    def right(self, line, *words, ranks=0):
        done = pqbert(line, ranks)
        self.assertEqual(done.code, 0, f"{line}: {done}")
        for word in words:
            self.assertIn(word, done.out)
        return done

    def rows(self, path):
        return list(csv.DictReader(io.StringIO(self.right(f"results show {path} --csv").out)))

    @staticmethod
    def copy_model(name, secret=None, public=None):
        """A model made of these bytes, where they are not m's."""
        for kind, content in (("secret", secret), ("public", public)):
            path = pathlib.Path(f"{name}.{kind}.h5")
            path.write_bytes(pathlib.Path(f"m.{kind}.h5").read_bytes() if content is None else content)
            path.chmod(0o600)

    # --- mistakes ---

    def test_commands(self):
        self.mistake("frobnicate", "frobnicate", "--help")
        for line in ("frob^nicate", "results sh^ow", "results merge --fo^rce", "cost --fr^ob"):
            self.mistake(line, "?")
        self.mistake("model", "synth", "info")
        for line in ("model frob", "model sy^nth"):
            self.mistake(line, "synth", "info")
        self.mistake("model info", "PREFIX")
        self.mistake("results", "command")
        self.mistake("results show", "FILE")
        self.mistake("results list r.h5", "list")
        done = pqbert("")
        self.assertEqual((done.code, done.out), (2, ""))
        self.assertIn("Usage", done.err)

    def test_launch(self):
        for ranks in (1, 2, 4):
            self.mistake("run --model m --seq 4", "multiple of 3", str(ranks), ranks=ranks)
        self.mistake("run --model m --seq 4", "multiple of 3")  # without mpirun
        self.mistake("run --model m --seq 4", "4 ranks per party", "3 attention heads", ranks=12)
        self.mistake("run --model m --seq 4 --ranks 2", "--ranks 2", "launch 6", ranks=3)
        self.mistake("sweep --model m --seq 4 --ranks 1,3 --out x.h5", "--ranks 3", "launch 9", ranks=6)
        self.mistake("cost --model m --seq 4 --ranks 4", "4 ranks per party", "3 attention heads")

    def test_lengths(self):
        for ranks, command in ((0, "plain --model m"), (0, "cost --model m"), (3, "run --model m"),
                               (3, "sweep --model m --out x.h5")):
            self.mistake(f"{command} --seq 0", "--seq 0", "1 to 512", ranks=ranks)
            self.mistake(f"{command} --seq 21", "length 21", "20 tokens", ranks=ranks)
        for value, *words in (("513", "1 to 512"), ("-4", "number"), ("four", "number"), ("4,4", "twice"),
                              ("4,", "number")):
            self.mistake(f"cost --model m --seq {value}", "--seq", *words)
        self.mistake("run --model m", "--seq", "--tokens", ranks=3)
        self.mistake("plain --model m", "--seq", "--tokens")
        self.mistake("sweep --model m --out x.h5", "--seq", ranks=3)
        self.mistake("cost --model m", "--seq")

    def test_options(self):
        for ranks, command in ((0, "cost --model m --seq 4"), (3, "run --model m --seq 4")):
            self.mistake(f"{command} --protocol fancy", "--protocol", "fancy", "published", "preprocessed", ranks=ranks)
            self.mistake(f"{command} --max most", "--max", "most", "tree", "count", ranks=ranks)
            self.mistake(f"{command} --tables round", "--tables", "round", "direct", "compact", ranks=ranks)
            self.mistake(f"{command} --colour red", "--colour", ranks=ranks)
            self.mistake(f"{command} --seq 5", "--seq", "twice", ranks=ranks)
            self.mistake(f"{command} stray", "stray", ranks=ranks)
        self.mistake("cost --model m --seq 4 --batch 0", "--batch 0", "1 to 1024")
        self.mistake("cost --model m --seq 4 --batch", "--batch")
        self.mistake("run --model m --seq 4 --kernel abacus", "--kernel", "abacus", ranks=3)
        self.mistake("plain --model m --seq 4 --kernel abacus", "--kernel")
        self.mistake("run --model m --seq 4 --net carrier-pigeon", "--net", "carrier-pigeon", ranks=3)
        self.mistake("run --model m --seq 4 --threads 0", "--threads 0", ranks=3)
        self.mistake("run --model m --seq 4 --bind sometimes", "--bind", "sometimes", "auto", "none", ranks=3)
        for net in ("1Gbit", "1Gbit:", "0Gbit:2ms", "1Gbit:-2ms", "1Gbit:2", "fast:2ms", "none,"):
            self.mistake(f"cost --model m --seq 4 --net {net}", "--net", "RATE:RTT", "lan, wan")
        self.mistake("run --model m --seq 4 --net 1Gbit:11s", "--net", "1Gbit:11s", "10s", ranks=3)
        self.mistake("sweep --model m --seq 4 --out x.h5 --net lan,1Mbit", "--net", "'1Mbit'", ranks=3)
        self.mistake("cost --model m --seq 4 --net lan,5Gbit:400us", "--net", "5Gbit:400us", "twice")
        self.mistake("run --model m --seq 4 --seed minus", "--seed", "minus", ranks=3)
        self.mistake("run --model m --seq 4 --repeat 2", "--repeat", ranks=3)  # sweep's
        for lists in ("--seq 4,5", "--seq 4 --protocol published,preprocessed", "--seq 4 --threads 1,2",
                      "--seq 4 --ranks 1,2", "--seq 4 --net lan,wan"):
            self.mistake(f"run --model m {lists}", "run does one inference", "sweep", ranks=3)
        self.mistake("sweep --model m --seq 4 --repeat 0 --out x.h5", "--repeat 0", ranks=3)
        self.mistake("sweep --model m --seq 4", "--out", ranks=3)
        self.mistake("run --seq 4", "--model", ranks=3)
        self.mistake("model synth --config bert-huge --out x", "bert-huge", "bert-tiny")
        self.mistake("model synth --config layers=1,hidden=25,heads=3,ffn=8 --out x", "hidden 25", "heads 3")
        self.mistake("model synth --out x", "--config")
        self.assertFalse(pathlib.Path("x.h5").exists() or pathlib.Path("x.secret.h5").exists())

    def test_models(self):
        secret, public = pathlib.Path("m.secret.h5").read_bytes(), pathlib.Path("m.public.h5").read_bytes()
        changed = bytearray(secret)
        changed[len(changed) // 2] ^= 16
        self.copy_model("short_secret", secret=secret[:len(secret) * 2 // 3])
        self.copy_model("short_public", public=public[:len(public) * 2 // 3])
        self.copy_model("empty_secret", secret=b"")
        self.copy_model("damaged", secret=bytes(changed))
        self.copy_model("mixed", public=pathlib.Path("other.public.h5").read_bytes())
        self.copy_model("swapped", secret=public, public=secret)
        self.copy_model("open")
        pathlib.Path("open.secret.h5").chmod(0o644)
        for name, word, on_cost in (("none", "none.", True), ("short_secret", "short_secret.secret.h5", False),
                                    ("short_public", "short_public.public.h5", True),
                                    ("empty_secret", "empty_secret.secret.h5", False),
                                    ("damaged", "damaged.secret.h5", False), ("mixed", "written together", False),
                                    ("swapped", "swapped.", True), ("open", "open.secret.h5", False)):
            self.mistake(f"run --model {name} --seq 4", word, ranks=3)
            self.mistake(f"plain --model {name} --seq 4", word)
            self.mistake(f"model info {name}", word)
            if on_cost:
                self.mistake(f"cost --model {name} --seq 4", word)
        self.mistake("run --model mixed --seq 4 --no-verify", "written together", ranks=3)

    def test_tokens(self):
        for name, text in (("outside", "1 2 30\n"), ("empty", "# nothing\n"), ("words", "1 two 3\n"), ("minus", "-1"),
                           ("long", "1 " * 21), ("second", "3\n4\n31\n")):
            pathlib.Path(name).write_text(text, encoding="ascii")
        for file, *words in (("outside", "token id 30", "vocabulary", "0 to 29"), ("absent", "absent", "opened"),
                             ("empty", "without a token id"), ("words", "'two'", "not a token id"),
                             ("minus", "'-1'", "not a token id"), ("long", "20", "longest"),
                             ("second", "line 3", "31")):
            self.mistake(f"run --model m --tokens {file}", file, *words, ranks=3)
            self.mistake(f"plain --model m --tokens {file}", file, *words)
        self.mistake("run --model m --tokens words --seq 4", "--tokens", "--seq", "exclude", ranks=3)
        self.mistake("run --model m --tokens words --input-seed 4", "--tokens", "--input-seed", "exclude", ranks=3)
        self.mistake("run --model m --tokens words --batch 2", "--batch", ranks=3)
        self.mistake("sweep --model m --tokens words --out x.h5", "--tokens", ranks=3)

    def test_outputs(self):
        os.mkdir("folder")
        pathlib.Path("text.h5").write_text("not a result file, but long enough to be one\n" * 99, encoding="ascii")
        pathlib.Path("cut.h5").write_bytes(pathlib.Path("r.h5").read_bytes()[:3000])
        before = pathlib.Path("r.h5").read_bytes()
        sweep = "sweep --model m --seq 3 --repeat 1 --warmup 0"
        self.mistake(f"{sweep} --out missing/r.h5", "missing/r.h5", "folder", ranks=3)
        self.mistake(f"{sweep} --out folder", "folder", ranks=3)
        self.mistake(f"{sweep} --out r.h5", "r.h5", "--resume", ranks=3)
        for file in ("text.h5", "cut.h5", "m.public.h5", "folder"):
            self.mistake(f"{sweep} --out {file} --resume", file, ranks=3)
            self.mistake(f"results show {file}", file)
        self.mistake("results show absent.h5", "absent.h5")
        self.mistake("results show r.h5 --csv --json", "exclude")
        self.mistake(f"model synth --config {CONFIG} --out missing/m", "missing")
        self.assertEqual(pathlib.Path("r.h5").read_bytes(), before)

    def test_another_schema(self):
        try:
            import h5py  # pylint: disable=import-outside-toplevel
        except ImportError:
            self.skipTest("no h5py to make a file of another schema; results/tests has the same case in C")
        shutil.copy("r.h5", "newer.h5")
        with h5py.File("newer.h5", "r+") as file:
            file.attrs.modify("schema", 7)
        self.mistake("results show newer.h5", "newer.h5", "schema 7")
        self.mistake("sweep --model m --seq 3 --out newer.h5 --resume", "newer.h5", "schema 7", ranks=3)

    # --- what is right ---

    def test_help(self):
        self.right("--help", *COMMANDS)
        self.right("help", *COMMANDS)
        for command in COMMANDS + ("model synth", "model info", "results show"):
            self.assertIn("Usage", self.right(f"{command} --help").out)
        for command in ("run", "sweep", "offline"):
            helped = self.right(f"{command} --help", "--model", "--seq", ranks=3)
            self.assertEqual(helped.out.count("Usage"), 1, "each rank printed the help")

    def test_sweep(self):
        self.assertEqual(self.swept.code, 0, self.swept)
        rows = self.rows("r.h5")
        self.assertEqual([r["seq_len"] + " " + r["repetition"] for r in rows], ["3 0", "3 1", "5 0", "5 1"])
        for row in rows:
            self.assertEqual(row["verdict"], "VALID")
            self.assertEqual(row["online_bytes"], row["online_bytes_predicted"])
            self.assertEqual(row["mode"], "secure")
        again = self.right(self.sweep + " --resume", ranks=3)
        self.assertEqual(again.err.count("in the file already"), 2, again)
        self.assertEqual(self.rows("r.h5"), rows)
        shutil.copy("r.h5", "more.h5")
        self.right("sweep --model m --seq 3,5,7 --repeat 3 --warmup 0 --out more.h5 --resume", ranks=3)
        more = self.rows("more.h5")
        self.assertEqual(sorted(int(r["seq_len"]) for r in more), [3, 3, 3, 5, 5, 5, 7, 7, 7])
        self.assertEqual(more[:4], rows)

    def test_cost_total(self):
        """What a batch job asks for: the sum over a sweep's points, from the sweep's own options."""
        def total(line):
            return {k: float(v) for k, v in (t.split() for t in self.right(f"cost --model m {line}").out.splitlines())}
        sweep = "--seq 3,20 --protocol published,preprocessed --threads 1,2 --out x.h5 --resume --total 2"
        little, much = total(sweep + " --repeat 3 --warmup 0"), total(sweep + " --repeat 3000 --warmup 1")
        self.assertEqual((little["points"], little["repetitions"], much["repetitions"]), (8, 24, 24008))
        self.assertGreater(much["seconds"], little["seconds"])
        memory = re.findall(r"memory +P0 (\d+) MB .*?, P1 (\d+) MB, P2 (\d+) MB",
                            self.right("cost --model m --seq 3,20 --protocol published,preprocessed --ranks 2").out)
        for party in range(3):
            self.assertEqual(little[f"memory_p{party}_mb"], max(int(m[party]) for m in memory))
        self.mistake("cost --model m --seq 3 --total 0", "--total 0")
        self.mistake("cost --model m --seq 3 --total 2 --ranks 3", "--ranks 3", "launch 9")
        self.mistake("cost --model m --seq 3 --total 4", "4 ranks per party", "3 attention heads")
        self.mistake("sweep --model m --seq 3 --out x.h5 --total 1", "--total", ranks=3)

    def test_one_launch(self):
        """Length, threads, ranks and protocol from one launch; each a row, a line of the table, and in its columns."""
        self.right("sweep --model m --seq 3,5 --threads 1,2 --ranks 1,2 --protocol published,preprocessed --batch 2 "
                   "--repeat 2 --warmup 0 --out g.h5", ranks=6)
        rows = self.rows("g.h5")
        points = [tuple(r[k] for k in ("protocol", "ranks_per_party", "threads", "seq_len")) for r in rows]
        self.assertEqual(sorted(points[::2]),
                         sorted(itertools.product(("published", "preprocessed"), "12", "12", "35")))
        self.assertEqual(points[::2], points[1::2])
        for row in rows:
            self.assertEqual((row["verdict"], row["batch"], row["net"]), ("VALID", "2", "none"))
            self.assertAlmostEqual(float(row["sequences_per_second"]) * int(row["online_ns"]) / 2e9, 1, places=6)
        table = self.right("results show g.h5").out.splitlines()
        head = next(i for i, line in enumerate(table) if line.startswith("seq_len"))
        self.assertEqual(table[head].split()[:4], ["seq_len", "ranks_per_party", "threads", "protocol"])
        self.assertIn("sequences/s", table[head])
        self.assertEqual(sorted(tuple(line.split()[i] for i in (3, 1, 2, 0)) for line in table[head + 1:]),
                         sorted(points[::2]))
        self.assertRegex(self.right("run --model m --seq 3 --batch 2", ranks=3).out, r"rounds, [\d.e+]+ sequences/s")

    def test_continue_unchecked(self):
        line = "sweep --model m --seq 3 --no-verify --warmup 0 --out u.h5 --resume"
        self.right(line + " --repeat 2", ranks=3)
        self.right(line + " --repeat 3", ranks=3)
        self.assertEqual([r["verdict"] + r["repetition"] for r in self.rows("u.h5")],
                         ["UNCHECKED0", "UNCHECKED1", "UNCHECKED2"])
        self.right("sweep --model m --seq 3 --warmup 0 --out u.h5 --resume --repeat 1", ranks=3)
        self.assertEqual(self.rows("u.h5")[3]["verdict"], "VALID")

    def test_cost_predicts(self):
        options = "--model m --seq 3,5 --protocol published,preprocessed --max count --tables direct --ranks 1,2"
        self.right(f"sweep {options} --repeat 1 --warmup 0 --out c.h5", ranks=6)
        predicted = {}
        for text in re.split(r"^(?=\S)", self.right(f"cost {options}").out, flags=re.M)[1:]:
            at = re.match(r"(\w+), (\d+) tokens, batch 1, (\d+) rank", text).groups()
            sums = {phase: (sent, messages) for phase, sent, messages in
                    re.findall(r"^  (\w+) +sent (\d+) bytes by all parties .*?(\d+) messages", text, flags=re.M)}
            rounds = re.search(r"^  online .* (\d+) rounds", text, flags=re.M).group(1)
            predicted[at] = sums["offline"] + sums["online"] + (rounds,)
        rows = self.rows("c.h5")
        self.assertEqual(len(rows), 8)
        for row in rows:
            measured = tuple(row[k] for k in ("offline_bytes", "offline_messages", "online_bytes", "online_messages",
                                              "online_rounds"))
            self.assertEqual(measured, predicted[row["protocol"], row["seq_len"], row["ranks_per_party"]])

    def test_networks(self):
        options = "--model m --seq 3 --net none,lan,200Mbit:3ms --protocol published,preprocessed"
        cost = self.right(f"cost {options}").out
        least = [float(ms) for ms in re.findall(r"^  network .* online ([\d.]+) ms$", cost, flags=re.M)]
        self.right(f"sweep {options} --repeat 1 --warmup 0 --out n.h5", ranks=3)
        rows = self.rows("n.h5")
        self.assertEqual([r["net"] for r in rows], ["none", "lan", "200Mbit:3ms"] * 2)
        emulated = [r for r in rows if r["net"] != "none"]
        self.assertEqual(len(emulated), len(least))
        for row, ms in zip(emulated, least):
            self.assertGreater(ms, 1)
            self.assertGreaterEqual(int(row["online_ns"]), ms * 1e6 - 1e5, "faster than its network")
            self.assertGreaterEqual(int(row["floor_ns"]), ms * 1e6 - 1e5, "a floor without the network")
            self.assertEqual(row["online_rounds"], row["online_rounds_predicted"])
            self.assertLessEqual(int(row["online_rounds"]), int(rows[0]["online_rounds"]), "auto chose more rounds")
            self.assertEqual(row["verdict"], "VALID")
        for row in rows:
            self.assertRegex(row["transport"], "^(shared memory|loopback), one host")
        # what auto chose can be asked for, and so can the rest
        self.assertIn("maximum tree, tables direct", cost)
        self.assertIn("maximum tree, tables compact", cost)
        self.assertIn("maximum count, tables direct", self.right("cost --model m --seq 9 --net wan").out)
        forced = self.right("cost --model m --seq 3 --net wan --max tree --tables compact").out
        self.assertIn("maximum tree, tables compact", forced)
        self.right("run --model m --seq 4 --net 1Gbit:1ms", "VALID", "emulated: 1Gbit:1ms", ranks=3)
        self.right("run --model m --seq 4", "VALID", "network as it is", ranks=3)

    def test_binding(self):
        done = self.right("run --model m --seq 4 --seed 5", ranks=3)
        none = self.right("run --model m --seq 4 --seed 5 --bind none", ranks=3)
        self.assertIn("G=1 threads=1: left to the launcher", none.err)
        self.assertNotIn("left to the launcher", done.err)
        self.assertRegex(done.err, r"G=1 threads=1: (nothing is bound|a core|a hardware thread|cores online)")
        self.assertEqual(done.out.splitlines()[-1], none.out.splitlines()[-1], "binding changed the logits")

    def test_more_ranks_than_cores(self):
        """Twelve ranks with two threads each: on a small machine they share cores and must not stall for it."""
        self.right(f"model synth --config {CONFIG.replace('heads=3', 'heads=4')} --out four")
        waiting = os.environ.pop("OMP_WAIT_POLICY", None)
        try:
            done = self.right("sweep --model four --seq 3,6 --ranks 2,4 --threads 1,2 --protocol published,preprocessed"
                              " --repeat 2 --warmup 1 --out o.h5", ranks=12)
        finally:
            if waiting is not None:
                os.environ["OMP_WAIT_POLICY"] = waiting
        self.assertEqual([r["verdict"] for r in self.rows("o.h5")], ["VALID"] * 32)
        if len(os.sched_getaffinity(0)) < 12:
            self.assertIn("G=4 threads=2: nothing is bound; oversubscribed: 24 threads on", done.err)
            self.assertIn("OMP_WAIT_POLICY=passive", done.err)

    def test_runs(self):
        pathlib.Path("ids").write_text("# five\n0 29 4 4\n17\n", encoding="ascii")
        done = self.right("run --model m --tokens ids", "VALID", "5 tokens", "P1: logits", ranks=3)
        self.assertNotIn("INSECURE", done.out)
        done = self.right("run --model m --tokens ids --no-verify", "UNCHECKED", "P1: logits", ranks=3)
        self.assertNotRegex(done.out, r"\bVALID")
        line = "run --model m --seq 6 --seed 3 --batch 2"
        fixed = [self.right(f"{line} {more}", "VALID", "INSECURE-BENCH", ranks=ranks).out for more, ranks in
                 (("", 3), ("--kernel ref", 3), ("--threads 2", 6), ("--ranks 1", 6), ("", 9))]
        logits = {tuple(line for line in out.splitlines() if line.startswith("P1: logits")) for out in fixed}
        self.assertEqual(len(logits), 1, "the same seed gave different logits")
        self.assertEqual(len(logits.pop()), 2, "one line for each sequence")
        plain = [self.right("plain --model m --seq 6 --input-seed 3" + more).out for more in ("", " --threads 2")]
        self.assertEqual(plain[0], plain[1])
        self.assertRegex(plain[0], r"^logits( -?\d+){2}\n$")

    def test_text(self):
        words = "[PAD] [UNK] [CLS] [SEP] a moving and funny film ##s bad !"
        pathlib.Path("vocab.txt").write_text("\n".join(words.split()) + "\n", encoding="ascii")
        self.right(f"model synth --config {CONFIG} --seed 1 --vocab vocab.txt --out words", "wrote")
        self.right("model info words", "takes text")
        pathlib.Path("ids").write_text("2 4 5 6 7 8 3", encoding="ascii")
        plain = self.right("plain --model words --tokens ids").out
        self.assertEqual(self.right("plain --model words --text a~moving~and~FUNNY~film").out, plain)
        done = self.right("run --model words --text a~moving~and~funny~film", "VALID", "7 tokens", "note", ranks=3)
        self.assertEqual(done.out.count("P1: logits"), 1)

        lines = "a moving and funny film\n\nbad films!" + " film" * 30 + "\n"
        pathlib.Path("lines").write_text(lines, encoding="ascii")
        for done in (self.right("run --model words --text-file lines --seed 5", ranks=6),
                     pqbert("run --model words --text - --seed 5", 6, lines, ("--stdin", "2"))):
            self.assertEqual(done.code, 0, done)
            self.assertEqual(re.findall(r"text (\d) of 3: .*?(\d+) tokens", done.out),
                             [("1", "7"), ("2", "2"), ("3", "20")])
            self.assertEqual((done.out.count("\nVALID"), done.out.count("P1: logits")), (3, 3))
            self.assertIn("1 of 3 texts had more than 20 tokens", done.out)
        lost = pqbert("run --model words --text -", 6, lines)  # at P0
        self.assertEqual((lost.code, len(lost.ours)), (2, 1), lost)
        self.assertIn("--stdin 2", lost.ours[0])

        pathlib.Path("broken").write_bytes(b"film\na \xff\n")
        pathlib.Path("empty_text").write_bytes(b"")
        for ranks, command in ((0, "plain"), (3, "run")):
            self.mistake(f"{command} --model words --text-file broken", "broken", "line 2", "byte 2", ranks=ranks)
            self.mistake(f"{command} --model words --text-file absent", "absent", "opened", ranks=ranks)
            self.mistake(f"{command} --model words --text-file empty_text", "empty_text", "no line", ranks=ranks)
            self.mistake(f"{command} --model m --text film", "no vocabulary", "--vocab", ranks=ranks)
            self.mistake(f"{command} --model words --text film --seq 4", "--text", "--seq", ranks=ranks)
            self.mistake(f"{command} --model words --text film --tokens ids", "--text", "--tokens", ranks=ranks)
        self.mistake("run --model words --text film --batch 2", "--batch", ranks=3)
        synth = f"model synth --config {CONFIG} --out none"
        self.mistake(f"{synth} --vocab absent", "absent", "opened")
        self.mistake(f"{synth} --vocab lines", "lines", "line 2")
        pathlib.Path("many").write_text("\n".join(map(str, range(31))), encoding="ascii")
        self.mistake(f"{synth} --vocab many", "many", "31 tokens", "30")

    def test_model(self):
        self.right("model info m", "checksum", "hidden         24")
        pathlib.Path("again").mkdir()
        self.right(f"model synth --config {CONFIG} --seed 1 --out again/m", "wrote again/m.secret.h5")
        for kind in ("secret", "public"):
            self.assertEqual(pathlib.Path(f"again/m.{kind}.h5").read_bytes(), pathlib.Path(f"m.{kind}.h5").read_bytes())
        self.assertEqual(pathlib.Path("m.secret.h5").stat().st_mode & 0o777, 0o600)


if __name__ == "__main__":
    PQBERT, MPIEXEC = programs(__doc__)
    unittest.main()
