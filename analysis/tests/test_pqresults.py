"""load(), points() and operations() against rows that are known; what pqwrite writes, both read; SCHEMA.md and the code
agree on older schemas."""
from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np

import make_results as make
import pqresults
import pqwrite

ROOT = Path(__file__).resolve().parents[2]
OLD = ROOT / "results" / "tests" / "schema1.h5"
PQBERT = sys.argv.pop(1) if len(sys.argv) > 1 and not sys.argv[1].startswith("-") else ""


class ResultsTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = Path(folder.name) / "r.h5"

    def test_load(self) -> None:
        make.write(self.path, make.sample_rows(), make.op_rows(0), cpu="Example")
        runs = pqresults.load(self.path)
        self.assertEqual(len(runs), len(make.sample_rows()))
        for name, value in make.sample_rows()[12].items():
            self.assertEqual(runs[name].iloc[12], value, name)
        self.assertEqual(runs.attrs["units"]["online_ns"], "ns")
        self.assertEqual(runs.attrs["units"]["online_bytes"], "byte")
        self.assertIn("barrier", runs.attrs["meanings"]["online_ns"])
        self.assertEqual(runs.attrs["environment"]["cpu"], "Example")
        self.assertIn("seq_len", runs.attrs["point_fields"])
        self.assertNotIn("online_ns", runs.attrs["point_fields"])
        medians = runs[runs.verdict == "VALID"].groupby(["protocol", "seq_len"]).online_ns.median()
        self.assertEqual(medians["published", 8], 45_000_000 + 9 * 600_000)

    def test_points(self) -> None:
        make.write(self.path, make.sample_rows(), [])
        points = pqresults.points(pqresults.load(self.path))
        self.assertEqual(len(points), 11)
        point = points[(points.seq_len == 16) & (points.protocol == "published")].iloc[0]
        times = [r["online_ns"] for r in make.sample_rows() if (r["seq_len"], r["protocol"]) == (16, "published")]
        self.assertEqual([point.online_ns_q1, point.online_ns, point.online_ns_q3],
                         list(np.percentile(times, [25, 50, 75])))
        self.assertEqual((point.repetitions, point.verdict, point.online_bytes), (7, "VALID", 12_345 * 40 * 16))
        invalid = points[points.verdict == "INVALID"].iloc[0]
        self.assertTrue(np.isnan(invalid.online_ns) and np.isnan(invalid.offline_ns_q3))
        self.assertEqual((invalid.seq_len, invalid.online_rounds, invalid.repetitions), (256, 289, 2))

    def test_operations_of_a_resumed_point(self) -> None:
        """Written again at the second launch, under the row of its first repetition: the last counts."""
        rows = [make.run_row(8, "published", 0), make.run_row(16, "published", 0), make.run_row(8, "published", 1)]
        again = [dict(op, compute_ns=7) for op in make.op_rows(2)]
        make.write(self.path, rows, make.op_rows(0) + make.op_rows(1) + again)
        ops = pqresults.operations(self.path)
        self.assertEqual(len(ops), 2 * len(make.op_rows(0)))
        self.assertTrue((ops[ops.point == 0].compute_ns == 7).all())
        self.assertFalse((ops[ops.point == 1].compute_ns == 7).any())

    def test_evaluations(self) -> None:
        make.write(self.path, [], [], [make.evaluation_row(20), make.evaluation_row(30)])
        evaluations, sentences = pqresults.evaluations(self.path), pqresults.sentences(self.path)
        self.assertEqual(len(pqresults.load(self.path)), 0)
        for name, value in make.evaluation_row(30).items():
            self.assertEqual(evaluations[name].iloc[1], value, name)
        self.assertEqual((len(sentences), set(sentences.evaluation)), (40, {0, 1}))
        mine = sentences[sentences.evaluation == 0]
        each = mine.online_ns / mine.batch
        e = evaluations.iloc[0]
        self.assertEqual([(mine.plain_label == mine.label).sum(), (mine.mpc_label == mine.label).sum(),
                          (mine.plain_label == mine.mpc_label).sum(), each.median()],
                         [e.plain_correct, e.mpc_correct, e.agreeing, e.online_ns])
        self.assertEqual(evaluations.attrs["units"]["online_ns"], "ns")
        with pqwrite.Recorder(self.path, {}) as recorder:
            recorder.add(make.peer_row(8, 0))  # other rows keep them
        self.assertEqual((len(pqresults.evaluations(self.path)), len(pqresults.sentences(self.path))), (2, 40))

    def test_older_schema(self) -> None:
        self.assertTrue(pqresults.evaluations(OLD).empty and pqresults.sentences(OLD).empty)
        runs = pqresults.load(OLD)
        self.assertEqual(runs.attrs["schema"], 1)
        self.assertEqual(set(runs.system), {"pqbert"})
        self.assertEqual(set(runs.parties), {3})
        self.assertEqual(set(runs.together), {""})
        self.assertTrue(runs.relative_error.isna().all())
        self.assertEqual(len(pqresults.points(runs)), 4)
        described = {n for n, _, _, _ in pqwrite.fields("runs")}
        self.assertEqual(set(runs.columns), described)
        self.assertEqual(set(runs.attrs["point_fields"]),
                         {n for n, _, _, m in pqwrite.fields("runs") if m.startswith("point:")})

    def test_additions_are_those_of_the_specification(self) -> None:
        text = (ROOT / "results" / "SCHEMA.md").read_text(encoding="utf-8")
        said = dict(re.findall(r"^\| `(\w+/\w+)` \| (\d+) \|", text, re.MULTILINE))
        here = {f"{t}/{n}": str(since) for t, added in pqresults.ADDITIONS.items() for n, (since, _) in added.items()}
        self.assertEqual(here, said)
        self.assertIn(f"`schema` = {pqresults.SCHEMA}", text)

    def test_recorder(self) -> None:
        first, later = {"cpu": "one", "utc": "a"}, {"cpu": "one", "utc": "b", "peer": "other"}
        with pqwrite.Recorder(self.path, first) as recorder:
            recorder.add(make.run_row(8, "published", 0))
        with pqwrite.Recorder(self.path, later) as recorder:
            self.assertEqual(recorder.count(make.run_row(8, "published", 5)), 1)
            self.assertEqual(recorder.count(make.run_row(16, "published", 0)), 0)
            recorder.add({"system": "x", "seq_len": 3, "verdict": "VALID"})
            with self.assertRaisesRegex(pqresults.ResultFileError, "another process is writing it"):
                pqwrite.Recorder(self.path, {})
            with self.assertRaises(KeyError):
                recorder.add({"colour": 1})
            with self.assertRaises(ValueError):
                recorder.add({"system": "x" * 48})
        runs = pqresults.load(self.path)
        self.assertEqual(list(runs.system), ["pqbert", "x"])
        self.assertEqual(runs.attrs["environment"], first)
        self.assertEqual(runs.attrs["resumed"], [{"utc": "b", "peer": "other"}])
        self.assertEqual([p.name for p in self.path.parent.iterdir()], ["r.h5"])

    def test_old_file_continued(self) -> None:
        self.path.write_bytes(OLD.read_bytes())
        with pqwrite.Recorder(self.path, {"cpu": "two"}) as recorder:
            recorder.add(make.peer_row(8, 0))
        runs, ops = pqresults.load(self.path), pqresults.operations(self.path)
        self.assertEqual((len(runs), runs.attrs["schema"]), (13, pqresults.SCHEMA))
        self.assertEqual(runs.online_bytes.iloc[0], 4904)
        self.assertEqual(len(ops), len(pqresults.operations(OLD)))

    @unittest.skipUnless(PQBERT, "the program was not given")
    def test_program_reads_what_is_written(self) -> None:
        make.write(self.path, make.full_rows(), make.op_rows(3), [make.evaluation_row(20)])
        table = subprocess.run([PQBERT, "results", "show", str(self.path)], capture_output=True, text=True, check=True)
        self.assertRegex(table.stdout, r"(?m)^tiny +dev.tsv .* 80\.0 \[58\.4, 91\.9\] +65\.0 +52\.50 ")
        done = subprocess.run([PQBERT, "results", "show", "--csv", "--system", "Other 1.0", str(self.path)],
                              capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(len(done.stdout.splitlines()), 1 + 6)
        self.assertIn("Other 1.0,bert-base,", done.stdout)


if __name__ == "__main__":
    unittest.main()
