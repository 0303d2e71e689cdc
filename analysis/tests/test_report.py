"""The report's numbers against a result file made here; wrong files give one line and exit code 2."""
from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import h5py
import numpy as np

import make_results as make

REPORT = Path(__file__).resolve().parents[1] / "report.py"
PNG = b"\x89PNG\r\n\x1a\n"


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, REPORT, *map(str, arguments)], capture_output=True, text=True, check=False)


def cells(report: str, *starts: str) -> list[str]:
    """The cells of the one table line that begins with these."""
    found = [line for line in report.splitlines() if line.startswith("| " + " | ".join(starts) + " |")]
    if len(found) != 1:
        raise AssertionError(f"{len(found)} lines start with {starts}")
    return [cell.strip() for cell in found[0].strip("|").split(" | ")]


class ReportTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.out = self.folder / "deep" / "out"

    def report(self, rows: list[dict], ops: list[dict] | None = None, **environment: str) -> str:
        make.write(self.folder / "r.h5", rows, ops or [], **environment)
        done = run(self.folder / "r.h5", "--out", self.out)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return (self.out / "report.md").read_text(encoding="utf-8")

    def test_numbers(self) -> None:
        report = self.report(make.sample_rows(), make.op_rows(56))
        for seq in (8, 128):
            for protocol in ("published", "preprocessed"):
                mine = [r for r in make.sample_rows() if (r["seq_len"], r["protocol"]) == (seq, protocol)]
                online = sorted(r["online_ns"] / 1e6 for r in mine)
                row = cells(report, str(seq), protocol)
                shown = [float(x) for x in re.findall(r"[\d.]+", row[3])]
                # 7 repetitions: quartiles lie half-way between the 2nd and 3rd, and between the 5th and 6th
                wanted = [online[3], (online[1] + online[2]) / 2, (online[4] + online[5]) / 2]
                np.testing.assert_allclose(shown, wanted, rtol=1e-3)
                self.assertAlmostEqual(float(row[2]), 3 * seq, delta=0.06)
                n = f"{mine[0]['online_bytes']:,}"
                self.assertEqual(row[4], f"{n} / {n}")
                self.assertEqual(row[5], f"{9_000_000 * seq:,} / {9_000_000 * seq:,}")
                self.assertEqual(row[6], "289 / 289")
                self.assertEqual(row[7], f"{100 * seq / 2 / online[3]:.1f} %")
                self.assertEqual(row[8:], ["7", "VALID"])
        for picture in ("online_time.png", "online_bytes.png"):
            self.assertIn(picture, report)
            self.assertEqual((self.out / picture).read_bytes()[:8], PNG)

    def test_invalid_points_have_no_time(self) -> None:
        report = self.report(make.sample_rows())
        row = cells(report, "256", "published")
        self.assertEqual((row[2], row[3], row[7], row[9]), ("-", "-", "-", "INVALID"))
        self.assertIn("1 of 11 points: INVALID, left out", report)
        self.assertIn("1 of 11 points: fewer than 5 repetitions", report)

    def test_only_invalid(self) -> None:
        report = self.report([make.run_row(8, "published", 0, verdict="INVALID")])
        self.assertNotIn(".png", report)

    def test_operations(self) -> None:
        twice = make.op_rows(0) + make.op_rows(0)  # as after --resume: not to be added up
        report = self.report([make.run_row(8, "published", r) for r in range(5)], twice)
        online = report.split("### online")[1].split("### offline")[0]
        row = cells(online, "gelu")
        # P2 is the busiest: 9 ms computing and 1.5 ms waiting; 3000 bytes from each party
        self.assertEqual(row[1:4] + row[5:], ["9.000", "1.500", "0.000", "9,000", "3"])
        median = sorted(make.run_row(8, "published", r)["online_ns"] for r in range(5))[2] / 1e6
        self.assertEqual(row[4], f"{100 * 10.5 / median:.1f} %")
        self.assertEqual(cells(online, "not in an operation")[4], f"{100 * (median - 21) / median:.1f} %")

    def test_settings_that_vary_become_columns(self) -> None:
        rows = [make.run_row(8, "published", r, threads=t) for t in (1, 2) for r in range(5)]
        report = self.report(rows, cores="3")
        self.assertIn("| seq_len | threads | protocol |", report)
        self.assertIn("1 of 2 points: oversubscribed", report)

    def test_warnings(self) -> None:
        rows = [make.run_row(8, "published", r, mode="INSECURE-BENCH", online_rounds=300) for r in range(5)]
        report = self.report(rows, build_type="Debug", governor="powersave")
        for line in ("build type Debug", "governor powersave", "INSECURE-BENCH: ", "differ from the predicted"):
            self.assertIn(line, report)
        self.assertIn("300 / 289 (differs)", report)
        rows = [make.run_row(8, "published", r) for r in range(5)]
        self.assertNotIn("## Warnings", self.report(rows))

    def test_several_files(self) -> None:
        for name in ("a", "b"):
            make.write(self.folder / f"{name}.h5", [make.run_row(8, "published", r) for r in range(5)], [])
        done = run(self.folder / "a.h5", self.folder / "b.h5", "--out", self.out)
        self.assertEqual(done.returncode, 0, done.stderr)
        report = (self.out / "report.md").read_text(encoding="utf-8")
        self.assertEqual(cells(report, "a", "8")[3:], cells(report, "b", "8")[3:])

    def refused(self, path: Path, word: str) -> None:
        done = run(path, "--out", self.out)
        self.assertEqual(done.returncode, 2)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertIn(str(path), done.stderr)
        self.assertIn(word, done.stderr)
        self.assertFalse(self.out.exists())

    def test_wrong_files(self) -> None:
        path = self.folder / "x.h5"
        self.refused(path, "does not exist")
        path.write_text("notes")
        self.refused(path, "not a whole result file")
        with h5py.File(path, "w"):
            pass
        self.refused(path, "not a result file")
        with h5py.File(path, "w") as f:
            f.attrs["format"], f.attrs["schema"] = "pqbert-results", 9
        self.refused(path, "schema 9, this program reads schema 1")
        make.write(path, [], [])
        self.refused(path, "no repetitions")
        make.write(path, make.sample_rows(), [])
        path.write_bytes(path.read_bytes()[:-5000])
        self.refused(path, "not a whole result file")


if __name__ == "__main__":
    unittest.main()
