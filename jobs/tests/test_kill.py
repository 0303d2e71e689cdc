#!/usr/bin/env python3
"""A rank that is lost in the middle of a sweep: one line names it and its phase, the whole job ends with code 1 well
within 30 s, nothing is left running, and the result file holds every repetition that had ended. Then it is continued.

    test_kill.py PQBERT MPIEXEC

Needs Linux's /proc and Python's standard library. Works in a temporary folder."""

import os
import pathlib
import re
import signal
import statistics
import subprocess
import tempfile
import time
import unittest

from sweeps import InFolder, processes, programs, rows

PQBERT = MPIEXEC = None
LIMIT_S = 30
MARK = "PQ_KILL_TEST"
LOST = re.compile(r"^pqbert: P(\d) rank (\d) \(\S+\), ([a-z ]+): this rank was lost: (.*)$", re.M)
# An emulated network makes the phases as long on a busy machine as on an idle one: offline 2 s, online 1.2 s.
MODEL = "layers=1,hidden=64,heads=4,ffn=128,vocab=30,max_seq=16"
SWEEP = "sweep --model m --protocol preprocessed --seq 8 --warmup 0 --ranks 2 --net 3Mbit:80ms"


class Job:
    """mpirun, and the processes under it, found by a mark in their environment."""

    def __init__(self, line, ranks=6):
        self.mark = f"{MARK}={os.getpid()}-{time.monotonic_ns()}"
        name, value = self.mark.split("=")
        self.errors = tempfile.TemporaryFile("w+")  # pylint: disable=consider-using-with
        self.run = subprocess.Popen([MPIEXEC, "-n", str(ranks), PQBERT] + line.split(), stdin=subprocess.DEVNULL,
                                    stdout=subprocess.DEVNULL, stderr=self.errors, env=os.environ | {name: value})

    def processes(self):
        """Rank to pid of those alive: the ranks themselves, and their watchers. (A watcher is called pqbert too for the
        moment until it has forked.)"""
        found = {"pqbert": {}, "pq-watch": {}}
        for name, pid, parent, environment in processes(self.mark):
            rank = [e.partition("=")[2] for e in environment if e.startswith("OMPI_COMM_WORLD_RANK=")]
            if rank and (name == "pq-watch" or parent != self.run.pid):
                found[name][int(rank[0])] = pid
        return found

    def end(self):
        """Exit code, standard error, seconds until then."""
        start = time.monotonic()
        try:
            code = self.run.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            code = "still running"
            self.run.kill()  # a launcher that hangs does not hear anything else
            self.run.wait()
        seconds = time.monotonic() - start
        with self.errors:
            self.errors.seek(0)
            return code, self.errors.read(), seconds


class Kill(InFolder):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        subprocess.run([PQBERT, "model", "synth", "--config", MODEL, "--out", "m"], check=True, capture_output=True)

    def wait_for_rows(self, job, path, more):
        """Until `more` repetitions more are in the file than now: each replaces it."""
        last = path.stat().st_ino if path.exists() else None
        until = time.monotonic() + 120
        while more:
            self.assertIsNone(job.run.poll(), "the sweep ended by itself")
            self.assertLess(time.monotonic(), until, "no repetition in two minutes")
            now = path.stat().st_ino if path.exists() else None
            more -= now != last
            last = now
            time.sleep(0.002)

    def lose(self, kind, world_rank, aim):
        """Kills one process; aim: the part of a repetition to hit, in units of (offline, online) time. Returns the
        phase in its line and what is said to have happened."""
        path = pathlib.Path("r.h5")
        path.unlink(missing_ok=True)
        job = Job(f"{SWEEP} --repeat 1000 --out r.h5")
        self.wait_for_rows(job, path, 1)
        before = rows(PQBERT, path)
        offline, online = (statistics.median(int(r[k]) / 1e9 for r in before) for k in ("offline_ns", "online_ns"))
        victim = job.processes()[kind][world_rank]
        self.wait_for_rows(job, path, 1)
        before = rows(PQBERT, path)
        time.sleep(offline * aim[0] + online * aim[1])
        os.kill(victim, signal.SIGKILL)
        code, errors, seconds = job.end()
        self.assertLess(seconds, LIMIT_S, errors)
        lines = LOST.findall(errors)
        self.assertEqual(len(lines), 1, f"not one line about a lost rank:\n{errors}")
        self.assertEqual(lines[0][:2], (str(world_rank // 2), str(world_rank % 2)), errors)
        if kind == "pqbert":
            self.assertEqual(code, 1, errors)
        else:
            self.assertNotEqual(code, 0, errors)
        until = time.monotonic() + LIMIT_S
        while any(job.processes().values()):
            self.assertLess(time.monotonic(), until, f"left running: {job.processes()}")
            time.sleep(0.1)
        after = rows(PQBERT, path)
        self.assertEqual(after[:len(before)], before)
        self.assertEqual([int(r["repetition"]) for r in after], list(range(len(after))))
        self.assertEqual({r["verdict"] for r in after}, {"VALID"})
        self.assertEqual(sorted(p.name for p in self.folder.glob("r.h5.tmp*")), [], "half a file")
        return lines[0][2:]

    def lose_in(self, phase, world_rank, aim):
        """Once more, and once more, if the machine was too busy for the blow to fall where it was aimed."""
        named = []
        while phase not in named:
            self.assertLess(len(named), 3, f"never in {phase}: {named}")
            where, how = self.lose("pqbert", world_rank, aim)
            self.assertIn("signal 9", how)
            named.append(where)

    def test_offline(self):
        self.lose_in("offline", 0, (0.4, 0))  # P0 rank 0, which also writes the file
        held = len(rows(PQBERT, "r.h5"))
        again = Job(f"{SWEEP} --repeat {held + 2} --out r.h5 --resume").end()
        self.assertEqual(again[0], 0, again[1])
        self.assertEqual([int(r["repetition"]) for r in rows(PQBERT, "r.h5")], list(range(held + 2)))

    def test_online(self):
        self.lose_in("online", 3, (1, 0.5))  # P1 rank 1

    def test_watcher(self):
        self.assertIn("watches it was killed", self.lose("pq-watch", 4, (0.3, 0))[1])

    def test_start(self):
        """Before there is a model: the phase says so, or that the model is being read."""
        job = Job(f"{SWEEP} --repeat 1000 --out s.h5")
        until = time.monotonic() + LIMIT_S
        while 5 not in job.processes()["pqbert"]:
            self.assertLess(time.monotonic(), until)
        os.kill(job.processes()["pqbert"][5], signal.SIGKILL)
        code, errors, _ = job.end()
        self.assertEqual(code, 1, errors)
        self.assertRegex(errors, r"(?m)^pqbert: .+, [a-z ]+: this rank was lost: signal 9")


if __name__ == "__main__":
    PQBERT, MPIEXEC = programs(__doc__)
    unittest.main()
