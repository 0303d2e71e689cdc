#!/usr/bin/env python3
"""Offline as its own job: material that one launch deals and others use up, once, whatever happens; and what does not
fit is refused with code 2 and one line.

    test_material.py PQBERT MPIEXEC

Needs Python's standard library. Works in a temporary folder."""

import csv
import fcntl
import io
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time
import unittest

from sweeps import InFolder, programs

PQBERT = MPIEXEC = None
CONFIG = "layers=1,hidden=24,heads=3,ffn=20,vocab=30,max_seq=40"
ONE = "preprocessed-s4-b1-g1-tree-compact"


def launch(*contexts):
    """Each context: ranks and the line as typed, of one launch."""
    command = [MPIEXEC]
    for i, (ranks, line) in enumerate(contexts):
        command += ([":"] if i else []) + ["-n", str(ranks), PQBERT] + line.split()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)
    done.ours = [line for line in done.stderr.splitlines() if line.startswith("pqbert:")]
    return done


def logits(done):
    return [line for line in done.stdout.splitlines() if line.startswith("P1: logits")]


def open_parts(path):
    """Where a material file's marks and its entries are, as its seal says: twice a place and a number of bytes."""
    with open(path, "rb") as file:
        return [tuple(map(int, part)) for part in re.findall(rb"^open (\d+) (\d+)$", file.read(512), flags=re.M)]


def marks(path):
    at, count = open_parts(path)[0]
    with open(path, "rb") as file:
        file.seek(at)
        return file.read(count)


def flipped(data, at):
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]


def used(path):
    return sum(mark != 0 for mark in marks(path))


class Material(InFolder):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for name, seed in (("m", 1), ("other", 2)):
            subprocess.run([PQBERT, "model", "synth", "--config", CONFIG, "--seed", str(seed), "--out", name],
                           check=True, capture_output=True)

    def right(self, ranks, line, *words):
        done = launch((ranks, line))
        self.assertEqual(done.returncode, 0, f"{line}: {done}")
        for word in words:
            self.assertIn(word, done.stdout)
        return done

    def wrong(self, ranks, line, *words, code=2):
        with self.subTest(line=line, words=words):
            done = launch((ranks, line))
            self.assertEqual(done.returncode, code, done)
            self.assertEqual(len(done.ours), 1, f"not one line of ours: {done}")
            for word in words:
                self.assertIn(word, done.ours[0])
            self.assertNotIn("VALID", done.stdout, "something was started")
        return done

    def rows(self, path):
        return list(csv.DictReader(io.StringIO(subprocess.run([PQBERT, "results", "show", path, "--csv"], check=True,
                                                              capture_output=True, text=True).stdout)))

    def offline(self, folder, count=1, ranks=3, more=""):
        self.right(ranks, f"offline --model m --seq 4 --count {count} --material {folder} {more}",
                   "counts equal the predicted ones")
        return pathlib.Path(folder) / ONE

    # --- what is right ---

    def test_once(self):
        for protocol in ("published", "preprocessed"):
            place = f"once-{protocol}"
            options = f"--model m --seq 6 --ranks 2 --protocol {protocol} --material {place}"
            self.right(6, f"offline {options} --count 2", "2 entries")
            folder = pathlib.Path(place) / f"{protocol}-s6-b1-g2-tree-compact"
            files = sorted(folder.iterdir())
            self.assertEqual([f.name for f in files], [f"P{p}.{j}.h5" for p in range(3) for j in range(2)])
            for path in files:
                self.assertEqual(path.stat().st_mode & 0o777, 0o600)
            for left in (1, 0):
                done = self.right(6, f"run {options}", "VALID: logits equal", f"{left} left", "P1: logits")
                self.assertEqual(done.stdout.count("sent offline            0 bytes"), 3)
                self.assertNotIn("INSECURE", done.stdout)
                for path in files:
                    self.assertEqual(used(path), 2 - left)
            self.wrong(6, f"run {options}", "all 2 entries are used", "pqbert offline")
            self.wrong(6, f"offline {options} --count 2", "exists already")

    def test_seed(self):
        """Material under a fixed seed is that of a run with this seed: the same logits, entry by entry."""
        self.offline("seeded", 2, more="--seed 3")
        line = "run --model m --seq 4 --seed 3"
        here = self.right(3, line)
        there = self.right(3, f"{line} --material seeded", "INSECURE-BENCH")
        self.assertEqual(logits(here), logits(there))
        self.right(3, "run --model m --seq 4 --material seeded", "INSECURE-BENCH", "VALID: logits equal")

    def test_sweep(self):
        points = "--model m --seq 3,5 --protocol published,preprocessed --ranks 1,2 --material swept"
        line = f"sweep {points} --threads 1,2 --warmup 1 --repeat 2 --out s.h5"
        done = self.right(6, f"offline {points} --count 6")
        self.assertEqual(done.stdout.count(" 6 entries"), 8, done.stdout)
        self.right(6, line)
        rows = self.rows("s.h5")
        self.assertEqual(len(rows), 32)
        for row in rows:
            self.assertEqual((row["verdict"], row["material"], row["mode"]), ("VALID", "file", "secure"))
            self.assertEqual((row["offline_bytes"], row["offline_bytes_predicted"]), ("0", "0"))
            self.assertGreater(int(row["material_ns"]), 0)
        self.wrong(6, line.replace("s.h5", "s2.h5"), "all 6 entries are used")
        self.assertFalse(pathlib.Path("s2.h5").exists())
        again = self.right(6, f"{line} --resume")  # nothing is measured, so nothing is needed
        self.assertEqual(again.stderr.count("in the file already"), 16)
        self.right(6, line.replace(" --material swept", "").replace("--seq 3,5", "--seq 3") + " --resume")
        self.assertEqual([r["material"] for r in self.rows("s.h5")].count("fresh"), 16)  # other points

    def test_overlapped(self):
        """Material made beside the inference before: points of their own, with a time from one start to the next."""
        line = "sweep --model m --seq 3,5 --ranks 1,2 --warmup 1 --repeat 3 --out v.h5"
        done = self.right(6, f"{line} --overlap-offline")
        self.assertEqual(done.stderr.count("sequences/s with dealing beside it, VALID"), 4, done.stderr)
        self.right(6, f"{line} --resume")
        rows = self.rows("v.h5")
        self.assertEqual([r["material"] for r in rows], ["overlapped"] * 12 + ["fresh"] * 12)
        for row in rows:
            cycle, sent = int(row["cycle_ns"]), int(row["offline_bytes"])
            self.assertEqual((row["verdict"], sent), ("VALID", int(row["offline_bytes_predicted"])))
            self.assertEqual(cycle >= int(row["online_ns"]), row["material"] == "overlapped")
        line = "sweep --model m --seq 3 --out w.h5 --overlap-offline"
        for more, word in (("--protocol published", "published"), ("--net lan", "--net"), ("--material d", "--material")):
            self.wrong(3, f"{line} {more}", word)
        self.assertFalse(pathlib.Path("w.h5").exists())

    def test_unchecked(self):
        self.offline("unchecked")
        done = self.right(3, "run --model m --seq 4 --no-verify --material unchecked", "UNCHECKED", "0 left")
        self.assertNotRegex(done.stdout, r"\bVALID")

    def test_own_files_only(self):
        """Each party finds its files where only its files are: it asks for no others."""
        folder = self.offline("whole", 2)
        for party in range(3):
            (pathlib.Path(f"only{party}") / ONE).mkdir(parents=True)
            shutil.move(folder / f"P{party}.0.h5", pathlib.Path(f"only{party}") / ONE)
        done = launch(*((1, f"run --model m --seq 4 --material only{party}") for party in range(3)))
        self.assertEqual(done.returncode, 0, done)
        self.assertIn("VALID: logits equal", done.stdout)
        done = launch(*((1, f"offline --model m --seq 4 --count 1 --material own{party}") for party in range(3)))
        self.assertEqual(done.returncode, 0, done)
        for party in range(3):
            self.assertEqual(os.listdir(pathlib.Path(f"own{party}") / ONE), [f"P{party}.0.h5"])

    # --- what goes wrong on the way ---

    @staticmethod
    def ranks_of(mark):
        """pids of the ranks that have this in their environment."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and (entry / "comm").read_text() == "pqbert\n":
                    if mark.encode() in (entry / "environ").read_bytes().split(b"\0"):
                        found.append(int(entry.name))
            except OSError:
                pass  # it has ended
        return found

    def test_kill(self):
        """A sweep that is killed, and continued: no entry is used twice, and none is lost but those in progress."""
        folder = self.offline("killed", 310)
        line = "sweep --model m --seq 4 --repeat 300 --warmup 0 --material killed --out k.h5".split()
        mark = ("PQ_MATERIAL_TEST", f"{os.getpid()}-{time.monotonic_ns()}")
        with subprocess.Popen([MPIEXEC, "-n", "3", PQBERT] + line, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, env=os.environ | dict([mark])) as job:
            deadline = time.monotonic() + 60
            while used(folder / "P1.0.h5") < 3 and time.monotonic() < deadline:
                time.sleep(0.001)
            ranks = self.ranks_of("=".join(mark))
            self.assertEqual(len(ranks), 3)
            os.kill(ranks[1], signal.SIGKILL)
            self.assertNotEqual(job.wait(60), 0)
        before = [marks(folder / f"P{party}.0.h5") for party in range(3)]
        rows = self.rows("k.h5") if pathlib.Path("k.h5").exists() else []
        spent = sum(any(entry) for entry in zip(*before))
        self.assertLess(spent, 300)
        self.assertGreaterEqual(spent, max(3, len(rows)))
        self.assertLessEqual(spent, len(rows) + 1)
        self.right(3, " ".join(line) + " --resume")
        self.assertEqual([row["verdict"] for row in self.rows("k.h5")], ["VALID"] * 300)
        for party in range(3):
            after = marks(folder / f"P{party}.0.h5")
            self.assertEqual(sum(map(bool, after)), 300 - len(rows) + sum(map(bool, before[party])))
            self.assertTrue(all(now for was, now in zip(before[party], after) if was))

    def test_marks_differ(self):
        """A job that died between two marks: what one rank has marked is used for all."""
        for party in range(3):
            folder = self.offline(f"between{party}")
            path = folder / f"P{party}.0.h5"
            for other in folder.iterdir():
                if other != path:
                    shutil.copy(other, f"{other}.unused")
            self.right(3, f"run --model m --seq 4 --material between{party}", "VALID: logits equal")
            for other in folder.glob("*.unused"):
                other.rename(str(other).removesuffix(".unused"))
            self.assertEqual([used(f) for f in sorted(folder.iterdir())], [int(p == party) for p in range(3)])
            self.wrong(3, f"run --model m --seq 4 --material between{party}", "all 1 entries are used")

    def test_two_jobs(self):
        folder = self.offline("shared")
        with open(folder / "P2.0.h5", "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self.wrong(3, "run --model m --seq 4 --material shared", "P2.0.h5", "another job")
        self.right(3, "run --model m --seq 4 --material shared", "VALID: logits equal")

    def test_killed_offline(self):
        """Half-written files have another name; they do not stand in the way of the next try."""
        folder = pathlib.Path("half") / ONE
        folder.mkdir(parents=True)
        for name in ("P0.0.h5.part", "P1.0.h5.part", "P2.0.h5.part"):
            (folder / name).write_bytes(b"half a file")
        self.wrong(3, "run --model m --seq 4 --material half", "P0.0.h5", "cannot be opened")
        self.offline("half")
        self.assertEqual(len(list(folder.iterdir())), 3)
        self.right(3, "run --model m --seq 4 --material half", "VALID: logits equal")

    def test_no_room(self):
        self.wrong(3, "offline --model m --seq 40 --count 1000000 --batch 64 --material full", "do not fit", code=1)
        self.assertEqual(list(pathlib.Path("full").iterdir()), [])

    # --- mistakes ---

    def test_misfits(self):
        folder = self.offline("misfit", 2)
        run = "run --model m --seq 4 --material misfit"
        self.wrong(3, run.replace("--model m", "--model other"), "another model")
        for other in ("--seq 5", "--seq 4 --batch 2", "--seq 4 --max count", "--seq 4 --tables direct",
                      "--seq 4 --protocol published"):
            self.wrong(3, run.replace("--seq 4", other), "no such material", "pqbert offline")
        self.wrong(6, run, "no such material")  # G = 2
        self.wrong(3, run.replace("misfit", "nowhere"), "nowhere", "no such material")
        for name, other, word in (("preprocessed-s5-b1-g1-tree-compact", "--seq 5", "another length"),
                                  ("preprocessed-s4-b2-g1-tree-compact", "--seq 4 --batch 2", "another batch"),
                                  ("published-s4-b1-g1-tree-compact", "--seq 4 --protocol published", "protocol"),
                                  ("preprocessed-s4-b1-g1-count-compact", "--seq 4 --max count", "another maximum"),
                                  ("preprocessed-s4-b1-g1-tree-direct", "--seq 4 --tables direct", "another tables")):
            shutil.copytree(folder, folder.parent / name)
            self.wrong(3, run.replace("--seq 4", other), word)
        shutil.copytree(folder, folder.parent / "preprocessed-s4-b1-g2-tree-compact")
        self.wrong(6, run, "another ranks per party")
        self.wrong(3, "sweep --model m --seq 4 --repeat 2 --warmup 1 --material misfit --out few.h5",
                   "2 of 2 entries are left", "3 are needed")
        self.assertFalse(pathlib.Path("few.h5").exists())
        self.right(3, run, "VALID: logits equal", "1 left")  # all that spent nothing

    def test_damage(self):
        folder = self.offline("damaged", 2)
        run = "run --model m --seq 4 --material damaged"
        foreign = self.offline("foreign", 2)
        for name in ("P0.0.h5", "P1.0.h5", "P2.0.h5"):
            path = folder / name
            whole = path.read_bytes()

            spoilt = [(whole[:len(whole) // 2], "truncated"),
                      ((foreign / name).read_bytes(), "not of the set of P0.0.h5")]
            if name == "P1.0.h5":
                at, entries = open_parts(path)[1]
                spoilt += [(b"", "empty"), (b"not one of ours, " * 99, "not a pqbert file"),
                           (flipped(whole, 700), "damaged"), (flipped(whole, at + entries // 4), "entry 0 is damaged"),
                           (pathlib.Path("m.secret.h5").read_bytes(), "kind 'model-secret'")]
            for content, words in spoilt:
                path.write_bytes(content)
                self.wrong(3, run, name, words)
            path.write_bytes(whole)
            path.chmod(0o640)
            self.wrong(3, run, name, "chmod 600")
            path.chmod(0o600)
            path.rename("away")
            self.wrong(3, run, name, "cannot be opened")
            shutil.move("away", path)
        self.right(3, run, "VALID: logits equal", "1 left")

    def test_options(self):
        base = "offline --model m --seq 4 --count 1 --material o"
        self.wrong(3, "offline --model m --seq 4 --count 1", "--material")
        self.wrong(3, "offline --model m --seq 4 --material o", "--count")
        self.wrong(3, "offline --model m --count 1 --material o", "--seq")
        self.wrong(3, base.replace("--count 1", "--count 0"), "--count 0")
        self.wrong(3, f"{base} --threads 1,2", "--threads")
        self.wrong(3, f"{base} --input-seed 3", "--input-seed")
        self.wrong(3, f"{base} --no-verify", "--no-verify")
        self.wrong(3, f"{base} --ranks 2", "--ranks 2")
        self.wrong(3, base.replace("--material o", "--material missing/o"), "missing/o")
        self.wrong(3, "run --model m --seq 4 --count 1 --material o", "--count")
        self.assertFalse(pathlib.Path("o").exists())


if __name__ == "__main__":
    PQBERT, MPIEXEC = programs(__doc__)
    unittest.main()
