#!/usr/bin/env python3
"""Files cut off at every structure of HDF5, through the program: code 2 and one line, before anything starts. The tests
of model_io and results cut at every multiple of 8 bytes, inside one process.

    test_bad_files.py PQBERT MPIEXEC

PQ_EXTENDED=1: at every structure; otherwise at some 25 of a file, spread evenly. Needs h5py.
Works in a temporary folder."""

import os
import pathlib
import re
import subprocess
import sys
import unittest

import h5py

from sweeps import InFolder, programs

PQBERT = MPIEXEC = None
CONFIG = "layers=1,hidden=8,heads=2,ffn=9,vocab=8,max_seq=8,trunc=4,var_trunc=8"
SIGNATURES = rb"\x89HDF\r\n\x1a\n|TREE|SNOD|HEAP|OHDR|OCHK|FRHP|FHDB|FHIB|FAHD|FADB|EAHD|EAIB|EADB|BTHD|BTLF|BTIN|SMTB"


def run(*words, ranks=0):
    launcher = [MPIEXEC, "-n", str(ranks)] if ranks else []
    return subprocess.run(launcher + [PQBERT, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=120, check=False)


def boundaries(path):
    """Where parts of an HDF5 file start and end: superblock, object headers, trees, heaps, values."""
    data = path.read_bytes()
    places = {0, 1, 511, 512, len(data) - 1} | {m.start() for m in re.finditer(SIGNATURES, data)}
    with h5py.File(path, "r") as file:
        base = file.userblock_size

        def visit(_, what):
            places.add(base + h5py.h5o.get_info(what.id).addr)
            if not isinstance(what, h5py.Dataset):
                return
            if what.chunks and what.id.get_num_chunks():
                for i in range(what.id.get_num_chunks()):
                    chunk = what.id.get_chunk_info(i)
                    places.update((base + chunk.byte_offset, base + chunk.byte_offset + chunk.size))
            elif what.id.get_offset() is not None:
                places.update((what.id.get_offset(), what.id.get_offset() + what.id.get_storage_size()))

        file.visititems(visit)
    return sorted(p for p in places if p < len(data))


class BadFiles(InFolder):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for words, ranks in ((f"model synth --config {CONFIG} --out m", 0),
                             ("sweep --model m --seq 3 --repeat 1 --warmup 0 --out r.h5", 3),
                             ("offline --model m --seq 3 --count 1 --material d", 3)):
            done = run(*words.split(), ranks=ranks)
            assert done.returncode == 0, done

    def refused(self, words, ranks=0):
        done = run(*words, ranks=ranks)
        ours = [line for line in done.stderr.splitlines() if line.startswith("pqbert")]
        self.assertEqual((done.returncode, len(ours)), (2, 1), f"{words}: {done}")
        if not ranks:
            self.assertEqual(done.stderr.count("\n"), 1, done)
        return ours[0]

    def every_cut(self, path, words, ranks=0, most=25):
        whole = path.read_bytes()
        places = boundaries(path)
        self.assertGreater(len(places), 10)
        if os.environ.get("PQ_EXTENDED") != "1":
            places = places[::max(1, len(places) // most)]
        for keep in places:
            with self.subTest(path=path.name, keep=keep):
                os.truncate(path, keep)
                self.refused(words, ranks)
                path.write_bytes(whole)
        print(f"{path.name}: cut at {len(places)} places, refused", file=sys.stderr)

    def test_models(self):
        for name in ("m.secret.h5", "m.public.h5"):
            self.every_cut(self.folder / name, ["model", "info", "m"])
        self.assertEqual(run("model", "info", "m").returncode, 0)

    def test_results(self):
        self.every_cut(self.folder / "r.h5", ["results", "show", "r.h5"])
        self.assertEqual(run("results", "show", "r.h5").returncode, 0)

    def test_material(self):
        for path in sorted((self.folder / "d").glob("*/P*.h5")):
            self.every_cut(path, "run --model m --seq 3 --material d".split(), ranks=3, most=3)
        done = run(*"run --model m --seq 3 --material d".split(), ranks=3)
        self.assertEqual(done.returncode, 0, done)

    def test_tokens(self):
        """A text cut between words is another text; what cannot be one is refused."""
        for text in (b"", b" \n", b"# none", b"1 2 -", b"8", b"99999999999999999999", b"1 " * 9, b"\0", b"\xff\xfe1",
                     b"1,2", b"0x1", b"1\x1b[31m2"):
            pathlib.Path("t").write_bytes(text)
            with self.subTest(text=text):
                self.assertIn("t: line", self.refused("plain --model m --tokens t".split()))
        for text in (b"", b"1 2 -"):
            pathlib.Path("t").write_bytes(text)
            self.refused("run --model m --tokens t".split(), ranks=3)

    def test_vocabularies(self):
        words = b"[PAD]\n[UNK]\n[CLS]\n[SEP]\nm\xc3\xb6v\n##e\n"
        right = []
        for keep in range(len(words) + 1):
            pathlib.Path("v.txt").write_bytes(words[:keep])
            line = f"model synth --config {CONFIG} --out v --vocab v.txt".split()
            if words[:keep].startswith(b"[PAD]\n[UNK]\n[CLS]\n[SEP]") and not words[:keep].endswith(b"\xc3"):
                right.append(keep)
                continue
            with self.subTest(keep=keep):
                self.assertIn("v.txt", self.refused(line))
        self.assertLess(len(right), 14)

    def test_one_line(self):
        """What stands in names and values cannot make a message two lines."""
        for line in (["run", "--model", "no\nsuch"], ["results", "show", "no\nsuch.h5"], ["cost", "--seq", "1\n2"],
                     ["run", "--model", "m", "--seed", " -1"]):
            self.refused(line)


if __name__ == "__main__":
    PQBERT, MPIEXEC = programs(__doc__)
    unittest.main()
