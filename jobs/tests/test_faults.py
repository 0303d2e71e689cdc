#!/usr/bin/env python3
"""Disks that refuse, files that are replaced in the middle, ranks that stop, jobs that want one file, kills at random:
the job ends within a stated time with its code and one line that says who and where, and the result file opens with
every finished repetition.

    PQ_SHIM=libpq_shim.so test_faults.py PQBERT MPIEXEC

A preloaded library (shim.c) makes calls fail. PQ_EXTENDED=1: 50 kills instead of 5. Needs Linux's /proc and Python's
standard library; a full and a read-only disk need the right to mount, and are skipped elsewhere. Works in a temporary
folder."""

import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from sweeps import InFolder, call, processes, programs, rows

PQBERT = MPIEXEC = SHIM = None
CONFIG = "layers=1,hidden=24,heads=3,ffn=20,vocab=30,max_seq=20"
SWEEP = "sweep --model m --seq 4 --warmup 0"
SLOW = "--net 100Mbit:6ms"  # a repetition takes some 0.1 s, however fast the machine
LIMIT_S = 60
EXTENDED = os.environ.get("PQ_EXTENDED") == "1"
KILLS = 50 if EXTENDED else 5


class Done:
    """How a launch ended: code, and its lines that are ours."""

    def __init__(self, code, out, errors):
        self.code, self.out, self.errors = code, out, errors
        self.ours = [line for line in errors.splitlines() if line.startswith("pqbert: ")]

    def __repr__(self):
        return f"code {self.code}\n{self.out}\n{self.errors}"


def with_shim(fault, rank=None):
    pathlib.Path("fired").unlink(missing_ok=True)
    words = ["env", f"LD_PRELOAD={SHIM}", f"PQ_SHIM_FAULT={fault}", f"PQ_SHIM_FIRED={os.getcwd()}/fired"]
    return words + ([f"PQ_SHIM_RANK={rank}"] if rank is not None else [])


def fired():
    return pathlib.Path("fired").exists()


def launch(line, before=(), ranks=3):
    words = [MPIEXEC, "-n", str(ranks)] if ranks else []
    done = subprocess.run([*words, *before, PQBERT, *line.split()], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=LIMIT_S, check=False)
    return Done(done.returncode, done.stdout, done.stderr)


class Job:
    """A launch that goes on while the test does something to it."""

    def __init__(self, line, **environment):
        self.mark = f"PQ_FAULTS_TEST={os.getpid()}-{time.monotonic_ns()}"
        self.errors = tempfile.TemporaryFile("w+")  # pylint: disable=consider-using-with
        self.run = subprocess.Popen([MPIEXEC, "-n", "3", PQBERT, *line.split()], stdin=subprocess.DEVNULL,
                                    stdout=subprocess.DEVNULL, stderr=self.errors,
                                    env=os.environ | environment | dict([self.mark.split("=")]))

    def pids(self, kind):
        """Of the ranks ("pqbert") or their watchers ("pq-watch"), by rank."""
        found = {}
        for name, pid, parent, environment in processes(self.mark):
            rank = [e.partition("=")[2] for e in environment if e.startswith("OMPI_COMM_WORLD_RANK=")]
            if rank and name == kind and (name == "pq-watch" or parent != self.run.pid):
                found[int(rank[0])] = pid
        return found

    def end(self):
        code = self.run.wait(LIMIT_S)
        with self.errors:
            self.errors.seek(0)
            return Done(code, "", self.errors.read())

    def gone(self):
        """Waits until nothing of it is left; false if that takes too long."""
        until = time.monotonic() + LIMIT_S
        while list(processes(self.mark)) and time.monotonic() < until:
            time.sleep(0.05)
        return not list(processes(self.mark))


def repetitions(path):
    return [int(row["repetition"]) for row in rows(PQBERT, path)] if pathlib.Path(path).exists() else []


class Faults(InFolder):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        call(PQBERT, "model", "synth", "--config", CONFIG, "--out", "m")

    def tearDown(self):
        for path in self.folder.glob("r*.h5*"):
            path.unlink()

    def said(self, done, code, *words):
        """The exit code, and one line with all the words."""
        self.assertEqual(done.code, code, done)
        self.assertEqual(len(done.ours), 1, done)
        for word in words:
            self.assertIn(word, done.ours[0])

    def wait_for(self, job, condition, what):
        until = time.monotonic() + LIMIT_S
        while not condition():
            self.assertIsNone(job.run.poll(), f"the job ended before {what}")
            self.assertLess(time.monotonic(), until, what)
            time.sleep(0.01)

    # --- calls that fail ---

    def test_model_write(self):
        """`model synth` at each of its calls: nothing or everything is there."""
        place = pathlib.Path("made")
        place.mkdir()
        tried = 0
        for action in ("open ENOSPC", "write ENOSPC", "write EIO", "fsync EIO", "rename EIO", "write half"):
            for k in range(1, 100):
                done = launch(f"model synth --config {CONFIG} --out made/m", with_shim(f"{action} {k} made/m"), ranks=0)
                left = sorted(path.name for path in place.iterdir())
                harmless = action == "write half" or (done.code == 0 and "open" in action)  # HDF5 only looks
                if not fired() or harmless:
                    self.assertEqual(done.code, 0, done)
                    self.assertEqual(left, ["m.public.h5", "m.secret.h5"])
                    call(PQBERT, "model", "info", "made/m")
                else:
                    self.said(done, 1, "made/m.")
                    if action != "rename EIO":
                        self.assertEqual(left, [])
                    self.assertFalse([name for name in left if "tmp" in name], left)
                    tried += 1
                for path in place.iterdir():
                    path.unlink()
                if not fired():
                    break
        self.assertGreaterEqual(tried, 10)

    def test_result_write(self):
        """One sweep, killed by a refusing disk again and again, and continued: nothing is lost or measured twice."""
        place = pathlib.Path("results-here")
        place.mkdir()
        have = []
        for fault, more in (("write ENOSPC 3", 2), ("fsync EIO 5", 2), ("rename EIO 2", 1), ("open EROFS 3", None),
                            ("fsync EIO 4", 2)) + (("write EDQUOT 2", 1), ("write EIO 1", 0)) * EXTENDED:
            line = f"{SWEEP} --repeat 20 --out results-here/r.h5" + (" --resume" if have else "")
            name = "r.h5.tmp" if fault.startswith("open") else "results-here"
            done = launch(line, with_shim(f"{fault} {name}", 0))
            self.assertTrue(fired(), fault)
            self.said(done, 1, "P0 rank 0 (", "writing results: ", "results-here/r.h5: cannot write")
            now = rows(PQBERT, place / "r.h5") if (place / "r.h5").exists() else []
            self.assertEqual(now[:len(have)], have, "what was there is not any more")
            # A failing fsync of the folder (every second one) comes when the row is there already.
            if more is not None:
                self.assertIn(len(now) - len(have), (more, more + 1), fault)
            have = now
            self.assertFalse(list(place.glob("*.tmp-*")), fault)
        done = launch(f"{SWEEP} --repeat 20 --out results-here/r.h5 --resume",
                      with_shim("write half 2 results-here", 0))
        self.assertEqual(done.code, 0, done)
        self.assertEqual(rows(PQBERT, place / "r.h5")[:len(have)], have)
        self.assertEqual(repetitions(place / "r.h5"), list(range(20)))

    def test_material_write(self):
        """offline: P2's disk refuses; no file of the set stays, and the next try works."""
        line = "offline --model m --seq 4 --count 3 --material stock"
        folder = pathlib.Path("stock/preprocessed-s4-b1-g1-tree-compact")
        for fault in ("size ENOSPC 1", "size ENOSPC 2", "write EIO 2", "write ENOSPC 6", "fsync EIO 1",
                      "rename EROFS 1"):
            done = launch(line, with_shim(f"{fault} P2.0.h5", 2))
            self.assertTrue(fired(), fault)
            self.said(done, 1, "P2 rank 0 (", "P2.0.h5")
            self.assertFalse(folder.exists() and list(folder.iterdir()), f"{fault}: {list(folder.parent.rglob('*'))}")
        self.assertEqual(launch(line).code, 0)
        self.assertEqual(len(list(folder.iterdir())), 3)
        for fault in ("write EIO 1", "fsync EIO 1"):  # an entry is marked as used
            done = launch("run --model m --seq 4 --material stock", with_shim(f"{fault} P2.0.h5", 2))
            self.said(done, 1, "P2 rank 0 (", "marking material", "P2.0.h5", "cannot be marked")
            self.assertNotIn("logits", done.out)
        done = launch("run --model m --seq 4 --material stock")
        self.assertEqual(done.code, 0, done)
        self.assertIn(" 0 left", done.out)  # each failed try has cost one

    # --- disks ---

    def mounted(self, name, options):
        place = self.folder / name
        place.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", place], capture_output=True, check=False)
        if done.returncode:
            self.skipTest(f"no right to mount a small disk: {done.stderr.decode().strip()}")
        self.addCleanup(subprocess.run, ["umount", place], check=True)
        return place

    def test_full_disk(self):
        place = self.mounted("small", "size=250k")
        done = launch(f"{SWEEP} --repeat 1000 --out small/r.h5")
        self.said(done, 1, "P0 rank 0 (", "writing results", "No space left", "is kept")
        held = repetitions(place / "r.h5")
        self.assertGreater(len(held), 0)
        self.assertEqual(held, list(range(len(held))))
        self.said(launch("offline --model m --seq 20 --count 9 --material small/d"), 1, "do not fit", "rank 0 (")
        larger = CONFIG.replace("=24", "=384")
        self.said(launch(f"model synth --config {larger} --out small/m", ranks=0), 1, "No space left")
        self.assertEqual(sorted(path.name for path in place.iterdir()), ["d", "r.h5", "r.h5.lock"])
        done = launch(f"{SWEEP} --repeat {len(held)} --out small/r.h5 --resume")
        self.assertEqual(done.code, 0, done)

    def test_read_only(self):
        if os.getuid() == 0:
            place = self.mounted("fixed", "size=400k,ro")
        else:
            place = self.folder / "fixed"
            place.mkdir(mode=0o555)
        for line, ranks in ((f"{SWEEP} --repeat 1 --out fixed/r.h5", 3),
                            ("offline --model m --seq 4 --count 1 --material fixed/d", 3),
                            (f"model synth --config {CONFIG} --out fixed/m", 0)):
            done = launch(line, ranks=ranks)
            self.said(done, 2, "fixed/", "written to")
            self.assertNotIn("VALID", done.out + done.errors)
        self.assertEqual(list(place.iterdir()), [])

    # --- files that are replaced in the middle ---

    def test_model_replaced(self):
        """Cut, changed, exchanged or unreadable at each read: refused with one line, or read before."""
        call(PQBERT, "model", "synth", "--config", CONFIG, "--seed", "2", "--out", "other")
        refused = 0
        for name in ("x.secret.h5", "x.public.h5"):
            for action in ("cut", "flip", "swap", "EIO") if EXTENDED or "secret" in name else ("cut",):
                for k in range(1, 400, 1 if EXTENDED else 3):
                    for kind in ("secret", "public"):
                        shutil.copy(f"m.{kind}.h5", f"x.{kind}.h5")
                    shutil.copy(name.replace("x.", "other."), f"{name}.other")
                    done = launch("model info x", with_shim(f"read {action} {k} {name}"), ranks=0)
                    if not fired():
                        break
                    self.assertIn(done.code, (0, 2), done)
                    if done.code:
                        self.said(done, 2, "x.")
                        refused += 1
                self.assertGreater(k, 3)
        self.assertGreater(refused, 8)

    def test_material_replaced(self):
        call(MPIEXEC, "-n", "3", PQBERT, *"offline --model m --seq 4 --count 6 --material taken".split())
        folder = pathlib.Path("taken/preprocessed-s4-b1-g1-tree-compact")
        path = folder / "P2.0.h5"
        whole = path.read_bytes()
        sweep = f"{SWEEP} --repeat 3 --material taken --out r.h5"
        for action, code, words in (
                ("swap", 1, ("P2 rank 0 (", "marking material", "removed or replaced")),
                ("cut", 1, ("P2 rank 0 (", "reading material", "shorter"))):
            path.write_bytes(whole)
            path.chmod(0o600)
            pathlib.Path("P2.0.h5.other").write_bytes(whole)
            pathlib.Path("P2.0.h5.other").chmod(0o600)
            with self.subTest(action):
                done = launch(sweep, with_shim(f"write {action} 2 P2.0.h5", 2))
                self.assertTrue(fired())
                self.said(done, code, *words)
                self.assertEqual(repetitions("r.h5"), [0])
                pathlib.Path("r.h5").unlink()

    def test_material_changed(self):
        """Changed after it was checked: the verdict sees it, and its owner says so."""
        call(MPIEXEC, "-n", "3", PQBERT, *"offline --model m --seq 4 --count 1 --material bent".split())
        done = launch("run --model m --seq 4 --material bent", with_shim("write flip 1 P2.0.h5", 2))
        self.said(done, 3, "P2 rank 0 (", "verification", "P2.0.h5", "entry 0 is damaged")
        self.assertIn("INVALID", done.out)

    # --- jobs ---

    def test_two_jobs(self):
        """The second is refused, with --resume too; and what is done to the file meanwhile loses no repetition."""
        path = pathlib.Path("r2.h5")
        line = f"{SWEEP} {SLOW} --repeat 100000 --out r2.h5"
        job = Job(line)
        self.addCleanup(job.end)
        self.addCleanup(job.run.terminate)
        for harm in (None, path.unlink, lambda: path.write_bytes(b"something else"), lambda: os.truncate(path, 1000)):
            self.wait_for(job, path.exists, "a repetition")
            if harm:
                harm()
            else:
                for more in ("", " --resume"):
                    self.said(launch(line + more), 2, "r2.h5", "another process is writing it")
            before = path.stat().st_ino if path.exists() else 0
            self.wait_for(job, lambda b=before: path.exists() and path.stat().st_ino != b, "another repetition")
        held = repetitions(path)
        self.assertEqual(held, list(range(len(held))))

    def test_stopped(self):
        """A rank that stands still is ended and named; one that goes on in time, or whose watcher stood still as long,
        is not."""
        job = Job(f"{SWEEP} {SLOW} --repeat 10000 --out r3.h5", PQ_STOPPED_S="2")
        path = pathlib.Path("r3.h5")
        self.wait_for(job, path.exists, "a repetition")
        ranks, watchers = job.pids("pqbert"), job.pids("pq-watch")
        for pids in ([ranks[2]], [watchers[1], ranks[1]]):
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            time.sleep(0.5 if len(pids) == 1 else 3.5)
            for pid in reversed(pids):
                os.kill(pid, signal.SIGCONT)
            before = path.stat().st_ino
            self.wait_for(job, lambda b=before: path.stat().st_ino != b, "another repetition")
        held = rows(PQBERT, path)
        os.kill(ranks[1], signal.SIGSTOP)
        start = time.monotonic()
        done = job.end()
        self.assertLess(time.monotonic() - start, 2 + 30)
        self.said(done, 1, "P1 rank 0 (", "this rank was lost: signal 19", "did not go on for 2 s")
        self.assertTrue(job.gone(), "something is left running")
        after = rows(PQBERT, path)
        self.assertEqual(after[:len(held)], held)
        self.assertEqual({row["verdict"] for row in after}, {"VALID"})

    def test_random_kills(self):
        """Any process at any moment, and on with --resume."""
        chance = random.Random(6)
        path = pathlib.Path("r4.h5")
        have, hits = [], 0
        while hits < KILLS:
            job = Job(f"{SWEEP} --repeat 100000 --out r4.h5" + (" --resume" if have else ""))
            if hits % 2:  # in the start, wherever that may be
                time.sleep(chance.uniform(0.1, 1.5))
            else:
                before = path.stat().st_ino if path.exists() else 0
                self.wait_for(job, lambda b=before: path.exists() and path.stat().st_ino != b, "a repetition")
                time.sleep(chance.uniform(0, 0.3))
            victims = [pid for kind in ("pqbert", "pq-watch") for pid in job.pids(kind).values()] + [job.run.pid]
            try:
                os.kill(chance.choice(victims), signal.SIGKILL)
            except ProcessLookupError:
                pass
            done = job.end()
            self.assertNotEqual(done.code, 0, done)
            self.assertTrue(job.gone(), "something is left running")
            hits += 1
            now = rows(PQBERT, path) if path.exists() else []
            self.assertEqual(now[:len(have)], have, f"kill {hits}: repetitions are lost or have changed")
            have = now
        self.assertGreater(len(have), 0)
        done = launch(f"{SWEEP} --repeat {len(have) + 3} --out r4.h5 --resume")
        self.assertEqual(done.code, 0, done)
        after = rows(PQBERT, path)
        self.assertEqual(after[:len(have)], have)
        self.assertEqual([int(row["repetition"]) for row in after], list(range(len(have) + 3)))
        self.assertEqual({row["verdict"] for row in after}, {"VALID"})
        self.assertFalse(list(self.folder.glob("r4.h5.tmp-*")), "half a file")
        print(f"{hits} kills, {len(after)} repetitions, 0 lost, 0 measured twice", file=sys.stderr)


if __name__ == "__main__":
    PQBERT, MPIEXEC = programs(__doc__)
    SHIM = os.environ.pop("PQ_SHIM")
    unittest.main()
