"""What the tests of jobs share: their folder and programs, the rows of a result file, and the processes of a job."""
import csv
import io
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest


def programs(usage):
    """The two words of the command line, paths of pqbert and mpiexec; the rest is left to unittest."""
    if len(sys.argv) < 3:
        sys.exit(usage)
    found = [os.path.abspath(shutil.which(name) or name) for name in sys.argv[1:3]]
    del sys.argv[1:3]
    return found


class InFolder(unittest.TestCase):
    """Tests that work in a temporary folder of their own."""

    @classmethod
    def setUpClass(cls):
        cls.home, cls.folder = os.getcwd(), pathlib.Path(tempfile.mkdtemp(prefix="pqbert-test-")).resolve()
        os.chdir(cls.folder)

    @classmethod
    def tearDownClass(cls):
        os.chdir(cls.home)
        shutil.rmtree(cls.folder)


def call(*words):
    """Standard output of a command that must succeed."""
    done = subprocess.run(words, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=300)
    if done.returncode:
        raise AssertionError(f"{words}: code {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def rows(pqbert, path):
    """The repetitions in a result file, as dictionaries of texts."""
    return list(csv.DictReader(io.StringIO(call(pqbert, "results", "show", str(path), "--csv"))))


def processes(*entries):
    """(name, pid, parent, environment) of the live pqbert and pq-watch processes with these environment entries."""
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes().decode(errors="replace").split("\0")
            name, state, parent = re.search(r"\((.*)\) (\w) (\d+)", (folder / "stat").read_text()).groups()
        except (OSError, AttributeError):
            continue
        if name in ("pqbert", "pq-watch") and state != "Z" and set(entries) <= set(environment):
            yield name, int(folder.name), int(parent), environment


def lost(party, rank, host):
    """The line about a rank that kill -9 ended."""
    return re.compile(rf"(?m)^pqbert: P{party} rank {rank} \({host}\), [a-z ]+: this rank was lost: signal 9")
