#!/usr/bin/env python3
"""Three machines without Slurm, as the README says: a host file and one mpirun. Every party is on its own, what the
records count crosses the wire and little else does, and a rank that is lost far away is named.

    three_hosts.sh test_three_hosts.py PQBERT MPIEXEC

Runs inside three_hosts.sh, on host a. Needs h5py. Works in a temporary folder."""

import os
import pathlib
import signal
import subprocess
import time
import unittest

import h5py

from sweeps import InFolder, call, lost, processes, programs, rows

PQBERT = MPIEXEC = None
MODEL = "layers=2,hidden=128,heads=4,ffn=256,vocab=30,max_seq=64"
HOSTS = "abc"
RANKS = 2


def sent():
    """Bytes that have left each host."""
    count = {}
    for host in HOSTS:
        line = next(l for l in call(os.environ["PQ_ON"], host, "cat", "/proc/net/dev").splitlines() if "eth0:" in l)
        count[host] = int(line.split(":")[1].split()[8])
    return count


class ThreeHosts(InFolder):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        call(PQBERT, "model", "synth", "--config", MODEL, "--out", "m")
        pathlib.Path("hosts").write_text("".join(f"{host} slots={RANKS}\n" for host in HOSTS), encoding="ascii")
        cls.launch = [MPIEXEC, "-n", str(3 * RANKS), "--hostfile", "hosts", "--map-by", f"ppr:{RANKS}:node",
                      "--bind-to", "none"]

    def test_parties_on_their_own(self):
        told = call(*self.launch, "bash", "-c", "echo $OMPI_COMM_WORLD_RANK $(hostname)")
        self.assertEqual(sorted(told.split("\n")[:-1]), ["0 a", "1 a", "2 b", "3 b", "4 c", "5 c"])

    def test_one_line(self):
        """One rank per party: the recipe's shortest form."""
        told = call(MPIEXEC, "-n", "3", "--host", "a,b,c", PQBERT, "run", "--model", "m", "--seq", "8")
        self.assertRegex(told, r"(?m)^VALID")
        self.assertNotIn("shared memory", told)
        self.assertIn("P1: logits", told)

    def test_sweep(self):
        before = sent()
        sweep = "sweep --model m --seq 32,64 --protocol published,preprocessed --repeat 2 --warmup 0 --out r.h5"
        call(*self.launch, PQBERT, *sweep.split())
        wire = {host: count - before[host] for host, count in sent().items()}
        done = rows(PQBERT, "r.h5")
        self.assertEqual(len(done), 8)
        self.assertEqual({r["verdict"] for r in done}, {"VALID"})
        self.assertFalse([r for r in done if "shared memory" in r["transport"]])
        with h5py.File("r.h5") as file:
            self.assertEqual(file["environment/host_names"].asstr()[()], "a b c")
            self.assertEqual(file["environment/hosts"].asstr()[()], "3")

        counted = {host: sum(int(r[f"online_bytes_p{party}"]) for r in done) for party, host in enumerate(HOSTS)}
        counted["a"] += sum(int(r["offline_bytes"]) for r in done)  # P0 alone deals, and shares, but for P1's seeds
        counted["a"] += sum(int(r["setup_bytes"]) - 16 * RANKS for r in done if r["repetition"] == "0")
        for host in HOSTS:
            self.assertGreaterEqual(wire[host], counted[host], f"host {host}: {wire}, {counted}")
        # Headers, acknowledgements, barriers, the launch; traffic inside a party stays on its host.
        self.assertLess(sum(wire.values()), 1.5 * sum(counted.values()) + 2e6)

    def test_lost_far_away(self):
        path = pathlib.Path("k.h5")
        with open("errors", "w+", encoding="utf-8") as errors, subprocess.Popen(
                self.launch + [PQBERT] + "sweep --model m --seq 64 --repeat 100000 --warmup 0 --out k.h5".split(),
                stdout=subprocess.DEVNULL, stderr=errors, stdin=subprocess.DEVNULL) as job:
            until = time.monotonic() + 120
            while not path.exists():
                self.assertIsNone(job.poll())
                self.assertLess(time.monotonic(), until)
                time.sleep(0.05)
            victim, = (pid for name, pid, _, _ in processes("OMPI_COMM_WORLD_RANK=5") if name == "pqbert")
            os.kill(victim, signal.SIGKILL)
            self.assertEqual(job.wait(30), 1)
            errors.seek(0)
            said = errors.read()
        self.assertRegex(said, lost(2, 1, "c"))
        self.assertEqual(said.count("this rank was lost"), 1, said)
        self.assertEqual({r["verdict"] for r in rows(PQBERT, "k.h5")}, {"VALID"})


if __name__ == "__main__":
    PQBERT, MPIEXEC = programs(__doc__)
    unittest.main()
