#!/usr/bin/env python3
"""Sweeps submitted through jobs/submit.sh to a real Slurm of three nodes: by srun and by mpirun, both protocols, cut
off after the first point and continued by the same line; a rank killed; an array, collected.

    slurm.sh test_slurm.py PQBERT [MPIEXEC]

Runs inside slurm.sh. Needs h5py. Works in a temporary folder."""

import collections
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time
import unittest

import h5py

from sweeps import InFolder, call, lost, processes, programs, rows

JOBS = pathlib.Path(__file__).resolve().parents[1]
PQBERT = None
MODEL = "layers=2,hidden=64,heads=4,ffn=64,vocab=30,max_seq=32"
REPEAT = 40
WAIT_S = 180
Job = collections.namedtuple("Job", "number state code")


def key(row):
    return (row["protocol"],) + tuple(int(row[k]) for k in ("seq_len", "ranks_per_party", "threads", "repetition"))


class Slurm(InFolder):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        call(PQBERT, "model", "synth", "--config", MODEL, "--out", "m")

    def setUp(self):
        self.addCleanup(lambda: subprocess.run(["scancel", "--user=root"], check=False))

    def submit(self, line):
        """The job's number."""
        said = call(str(JOBS / "submit.sh"), "--program", PQBERT, *line.split())
        return re.match(r"job (\d+): ", said).group(1)

    def until(self, what, holds, log="r.log"):
        end = time.monotonic() + WAIT_S
        while not holds():
            if time.monotonic() > end:
                text = pathlib.Path(log).read_text(encoding="utf-8") if pathlib.Path(log).exists() else "none"
                self.fail(f"not {what} in {WAIT_S} s; queue:\n{call('squeue')}\nlog:\n{text}")
            time.sleep(0.1)

    @staticmethod
    def job(number):
        """State and exit code, one for each task of an array."""
        said = call("scontrol", "show", "job", number, "--oneliner")
        return [Job(*found) for found in re.findall(r"JobId=(\d+) .*? JobState=(\w+) .*? ExitCode=(\d+):", said)]

    def finish(self, number, log="r.log"):
        """Waits for the end; the jobs, one for each task."""
        running = {"PENDING", "RUNNING", "COMPLETING", "CONFIGURING"}
        self.until(f"the end of job {number}", lambda: not running & {j.state for j in self.job(number)}, log)
        return self.job(number)

    def cut_and_continue(self, launcher):
        line = (f"--model m --out r.h5 --ranks-per-node 2 --launcher {launcher} -- --seq 8,16 "
                f"--protocol published,preprocessed --repeat {REPEAT} --warmup 1")
        path, log = pathlib.Path("r.h5"), pathlib.Path("r.log")
        path.unlink(missing_ok=True)
        log.unlink(missing_ok=True)
        first = self.submit(line)
        self.until("the first point", lambda: path.exists() and len(rows(PQBERT, "r.h5")) > REPEAT)
        call("scancel", first)
        self.assertEqual(self.finish(first)[0].state, "CANCELLED")
        before = rows(PQBERT, "r.h5")
        self.assertLess(len(before), 4 * REPEAT, "it had finished before it was cut off")

        again = [self.submit(line), self.submit(line)]  # the second waits for the first, and has nothing to do
        for number in again:
            self.assertEqual(self.finish(number), [Job(number, "COMPLETED", "0")], log.read_text(encoding="utf-8"))
        after = rows(PQBERT, "r.h5")
        self.assertEqual(after[:len(before)], before)
        self.assertEqual(sorted(map(key, after)),
                         sorted((p, s, 2, 1, i) for p in ("published", "preprocessed") for s in (8, 16)
                                for i in range(REPEAT)), "a point measured twice, or missing")
        self.assertEqual({(r["verdict"], r["transport"]) for r in after}, {("VALID", after[0]["transport"])})
        self.assertNotIn("shared memory", after[0]["transport"])
        text = log.read_text(encoding="utf-8")
        self.assertRegex(text, r"in the file already(.|\n)*(\[./4\] .*in the file already\n){4}")
        with h5py.File("r.h5") as file:
            place = {name: file["environment"][name].asstr()[()] for name in ("host_names", "hosts", "slurm_job")}
            self.assertEqual(place, {"host_names": "n0 n1 n2", "hosts": "3", "slurm_job": first})
            self.assertEqual(file["resumed/1/slurm_job"].asstr()[()], again[0])
        self.assertEqual(list(self.folder.glob("r.h5.*")), [])

    def test_srun(self):
        self.cut_and_continue("srun")

    def test_mpirun(self):
        self.cut_and_continue("mpirun")

    def test_lost_rank(self):
        """Ranks 2 and 3 are P1's, on its own node."""
        path = pathlib.Path("k.h5")
        number = self.submit("--model m --out k.h5 --ranks-per-node 2 -- --seq 16 --repeat 100000 --warmup 0")
        self.until("a repetition", path.exists, "k.log")
        victim, = (pid for name, pid, _, _ in processes("SLURM_PROCID=3") if name == "pqbert")
        os.kill(victim, signal.SIGKILL)
        start = time.monotonic()
        ended = self.finish(number, "k.log")
        log = pathlib.Path("k.log").read_text(encoding="utf-8")
        self.assertLess(time.monotonic() - start, 30)
        self.assertEqual(ended, [Job(number, "FAILED", "1")], log)
        self.assertRegex(log, lost(1, 1, "n1"))
        self.assertEqual(log.count("this rank was lost"), 1, log)
        kept = rows(PQBERT, "k.h5")
        self.assertEqual([int(r["repetition"]) for r in kept], list(range(len(kept))))
        self.assertEqual({r["verdict"] for r in kept}, {"VALID"})

    def test_mistake_in_the_job(self):
        """A model that changed between submission and start: one line in the log, code 2."""
        shutil.copy("m.public.h5", "n.public.h5")
        pathlib.Path("n.secret.h5").write_bytes(pathlib.Path("m.secret.h5").read_bytes()[:999])
        pathlib.Path("n.secret.h5").chmod(0o600)
        number = self.submit("--model n --out n.h5 -- --seq 8")
        ended = self.finish(number, "n.log")
        log = pathlib.Path("n.log").read_text(encoding="utf-8")
        self.assertEqual(ended, [Job(number, "FAILED", "2")], log)
        self.assertEqual(len(re.findall("(?m)^pqbert: .*n.secret.h5", log)), 1, log)

    def test_array(self):
        number = self.submit("--model m --out a.h5 --ranks-per-node 1,2 --threads-per-rank 1,2 -- --seq 8 --repeat 2")
        ended = [(j.state, j.code) for j in self.finish(number)]
        logs = "".join(path.read_text(encoding="utf-8") for path in sorted(self.folder.glob("a*.log")))
        self.assertEqual(ended, [("COMPLETED", "0")] * 4, logs)
        shown = call("env", f"PQ_PROGRAM={PQBERT}", str(JOBS / "collect.sh"), "all.h5",
                     *sorted(map(str, self.folder.glob("a-*.h5"))))
        self.assertIn("4 points, 8 repetitions", shown)
        self.assertEqual(sorted(map(key, rows(PQBERT, "all.h5"))), sorted(
            ("preprocessed", 8, g, t, i) for g in (1, 2) for t in (1, 2) for i in (0, 1)))


if __name__ == "__main__":
    PQBERT, _ = programs(__doc__)
    unittest.main()
