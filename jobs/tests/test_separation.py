#!/usr/bin/env python3
"""Each process opens its own party's files and no others; secrets are wiped at the end, and get into no core dump.

    PQ_SHIM=libpq_shim.so test_separation.py PQBERT MPIEXEC

A preloaded library (shim.c) writes down every file that is opened, and looks through memory at the end. Needs Linux's
/proc and Python's standard library. Works in a temporary folder."""

import os
import pathlib
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import time
import unittest

from sweeps import InFolder, call, processes, programs

PQBERT = MPIEXEC = SHIM = None
WORDS = "[PAD] [UNK] [CLS] [SEP] a moving and funny film ##s bad ! not very long dull slow"
TEXT = "a moving and funny film not very long"
TOKENS = [9, 3, 17, 22, 8, 1, 29, 14, 5, 11, 26, 2]
CONFIG = "layers=1,hidden=24,heads=3,ffn=20,vocab=30,max_seq=20"
# What the system, MPI and its libraries open; everything else must be named below.
SYSTEM = re.compile(r"/$|/tmp$|/(proc|sys|dev|usr|lib|lib64|etc|bin|opt|run|var/lib)(/|$)|"
                    + re.escape(os.path.expanduser("~")) + r"/\.|.*/(ompi\.|openmpi|pmix)|"
                    r".*/\.(openmpi|pmix|config)(/|$)|.*/(mca-params\.conf|mca_.*|.*\.so(\.\d+)*|help-.*\.txt)$")


class Separation(InFolder):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        pathlib.Path("vocab").write_text("\n".join(WORDS.split()) + "\n", encoding="ascii")
        call(PQBERT, "model", "synth", "--config", CONFIG, "--vocab", "vocab", "--out", "m")
        pathlib.Path("tokens").write_text(" ".join(map(str, TOKENS)), encoding="ascii")
        pathlib.Path("labelled").write_text(f"sentence\tlabel\n{TEXT}\t1\nbad film\t0\n", encoding="ascii")
        pathlib.Path("lines").write_text(f"{TEXT}\nbad film\n", encoding="ascii")

    def opened(self, line, ranks):
        """For each rank the set of "r path" and "w path" that it opened beyond the system's."""
        log = pathlib.Path("log")
        shutil.rmtree(log, ignore_errors=True)
        log.mkdir()
        call(MPIEXEC, "-n", str(ranks), "env", f"LD_PRELOAD={SHIM}", f"PQ_SHIM_LOG={self.folder / log}", PQBERT,
             *line.split())
        found = []
        for rank in range(ranks):
            lines = (log / str(rank)).read_text().splitlines()
            self.assertTrue(any("/proc/" in path or "/sys/" in path for path in lines), "the log does not hear")
            named = set()
            for how, path in (entry.split(" ", 1) for entry in lines):
                path = os.path.normpath(self.folder / path.replace("//", "/"))
                if path.startswith(str(self.folder)):
                    path = re.sub(r"\.tmp-\d+$", ".tmp", os.path.relpath(path, self.folder))
                    named.add(f"{how} {path}")
                elif not SYSTEM.match(path):
                    named.add(f"{how} {path}")
            found.append(named)
        return found

    def check(self, line, ranks, p0, p1, p2, first=(), reader=()):
        """The sets of all ranks of a party ({} stands for the rank's number); of P0's and of P1's first rank."""
        each = ranks // 3
        found = self.opened(line, ranks)
        for rank, named in enumerate(found):
            party, number = divmod(rank, each)
            expected = {entry.replace("{}", str(number)) for entry in (p0, p1, p2)[party]}
            expected |= set(first) if rank == 0 else set()
            expected |= set(reader) if rank == each else set()
            self.assertEqual(named, expected, f"P{party} rank {number}: {line}")

    def test_run(self):
        secret, public = {"r m.secret.h5"}, {"r m.public.h5"}
        self.check("run --model m --seq 4", 6, secret, public, public, first=public)
        self.check("run --model m --seq 4 --protocol published --no-verify", 3, secret, public, public)
        self.check("run --model m --tokens tokens --no-verify", 6, secret, public, public, reader={"r tokens"})
        self.check("run --model m --text-file lines --no-verify", 6, secret, public, public, reader={"r lines"})
        self.check("run --model m --text film --no-verify", 3, secret, public, public)

    def test_eval(self):
        secret, public = {"r m.secret.h5"}, {"r m.public.h5"}
        file = {"w e.h5.lock", "w e.h5.tmp", "r ."}
        line = "eval --model m --data labelled"
        self.check(line, 6, secret, public, public, first=public, reader={"r labelled"})
        self.check(f"{line} --batch 2 --out e.h5", 3, secret, public, public, first=public | file,
                   reader={"r labelled"})

    def test_sweep(self):
        secret, public = {"r m.secret.h5"}, {"r m.public.h5"}
        file = {"w r.h5.lock", "w r.h5.tmp", "r ."}  # the folder, to be flushed
        line = "sweep --model m --seq 4 --warmup 0 --ranks 1,2 --out r.h5"
        self.check(f"{line} --repeat 1", 6, secret, public, public, first=public | file)
        self.check(f"{line} --repeat 2 --resume", 6, secret, public, public, first=public | file | {"r r.h5"})

    def test_material(self):
        secret, public = {"r m.secret.h5"}, {"r m.public.h5"}
        entry = "material/preprocessed-s4-b1-g2-tree-compact"
        line = "--model m --seq 4 --ranks 2 --material material"
        made = [{f"w {entry}/P{p}.{{}}.h5.part", f"r {entry}"} for p in range(3)]  # the folder, to be flushed
        used = [{f"w {entry}/P{p}.{{}}.h5", f"r {entry}/P{p}.{{}}.h5"} for p in range(3)]
        self.check(f"offline {line} --count 3", 6, secret | made[0], public | made[1], public | made[2])
        self.check(f"run {line}", 6, secret | used[0], public | used[1], public | used[2], first=public)
        self.check(f"sweep {line} --warmup 0 --repeat 2 --no-verify --out f.h5", 6, secret | used[0], public | used[1],
                   public | used[2], first={"w f.h5.lock", "w f.h5.tmp", "r ."})

    # --- memory ---

    def left(self, line, *given, sessions=1, planted=False):
        """How often each secret is in the memory of a process that ends: (rank, "given" or "key", times)."""
        pathlib.Path("s").write_text("".join(f"{text.hex()}\n" for text in given), encoding="ascii")
        pathlib.Path("s.found").unlink(missing_ok=True)
        plant = ["PQ_SHIM_PLANT=1"] if planted else []
        call(MPIEXEC, "-n", "3", "env", f"LD_PRELOAD={SHIM}", "PQ_SHIM_SECRETS=s", *plant, PQBERT, *line.split())
        found = [entry.split() for entry in pathlib.Path("s.found").read_text().splitlines()]
        keys = sorted(int(rank) for rank, kind, _ in found if kind == "key")
        self.assertEqual(keys, sorted([0, 0, 1] * sessions), "the seeds: two of P0, one of P1")
        self.assertEqual(sum(kind == "given" for _, kind, _ in found), 3 * len(given))
        return sorted((int(rank), kind) for rank, kind, times in found if int(times))

    def test_wiped(self):
        ids = struct.pack(f"<{len(TOKENS)}I", *TOKENS), " ".join(map(str, TOKENS[2:])).encode()
        for protocol in ("published", "preprocessed"):
            line = f"run --model m --protocol {protocol} --threads 2 --no-verify"
            self.assertEqual(self.left(f"{line} --tokens tokens", *ids), [])
            self.assertEqual(self.left(f"{line} --text-file lines", TEXT[2:].encode(), sessions=2), [])
        # With verification P0 is shown the tokens in a message; MPI's own copy of that is not ours to wipe.
        self.assertLessEqual(set(self.left("run --model m --tokens tokens", *ids)), {(0, "given")})

    def test_wiping_is_seen(self):
        found = self.left("run --model m --seq 4 --no-verify", planted=True)
        self.assertEqual(found, [(0, "key"), (0, "key"), (1, "key")])

    def test_no_core(self):
        """Neither rank nor watcher may leave one, whatever the user's limit is."""
        _, hard = resource.getrlimit(resource.RLIMIT_CORE)
        job = subprocess.Popen([MPIEXEC, "-n", "3", PQBERT] +  # pylint: disable=consider-using-with
                               "sweep --model m --seq 4 --repeat 100000 --warmup 0 --out crash.h5".split(),
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               env=os.environ | {"PQ_CORE_TEST": str(os.getpid())},
                               preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (hard, hard)))
        until = time.monotonic() + 60
        while not pathlib.Path("crash.h5").exists():
            self.assertIsNone(job.poll())
            self.assertLess(time.monotonic(), until)
            time.sleep(0.01)
        found = list(processes(f"PQ_CORE_TEST={os.getpid()}"))
        self.assertEqual(sorted(name for name, *_ in found), ["pq-watch"] * 3 + ["pqbert"] * 3)
        for name, pid, *_ in found:
            limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
            soft, most = map(int, re.search(r"Max core file size +(\d+) +(\d+)", limits).groups())
            self.assertLessEqual(max(soft, most), 1, name)
        os.kill(next(pid for name, pid, *_ in found if name == "pqbert"), signal.SIGSEGV)
        self.assertNotEqual(job.wait(60), 0)
        self.assertEqual(list(self.folder.glob("core*")), [])

    def test_a_core_would_be(self):
        """That the line before shows something: without the limit a process here leaves a core, or this is skipped."""
        program = "import os, resource as r; r.setrlimit(r.RLIMIT_CORE, r.getrlimit(r.RLIMIT_CORE)[1:] * 2); os.abort()"
        pid = os.fork()
        if pid == 0:
            os.execvp(sys.executable, [sys.executable, "-c", program])
        _, status = os.waitpid(pid, 0)
        for path in self.folder.glob("core*"):
            path.unlink()
        if not os.WCOREDUMP(status):
            self.skipTest("this system dumps no cores")


if __name__ == "__main__":
    PQBERT, MPIEXEC = programs(__doc__)
    SHIM = os.environ.pop("PQ_SHIM")
    unittest.main()
