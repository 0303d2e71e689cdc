"""The report's numbers against the result file, read back from the page and the markdown; wrong files give one line and
exit code 2."""
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
from reading import Page, markdown_tables, number, one, rows, spread

REPORT = Path(__file__).resolve().parents[1] / "report.py"
OLD = Path(__file__).resolve().parents[2] / "results" / "tests" / "schema1.h5"


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, REPORT, *map(str, arguments)], capture_output=True, text=True, check=False)


class ReportTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.out = self.folder / "deep" / "out"

    def made(self, *files: Path) -> tuple[Page, str]:
        done = run(*files, "--out", self.out)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout.split(), [str(self.out / "report.html"), str(self.out / "report.md")])
        return (Page((self.out / "report.html").read_text(encoding="utf-8")),
                (self.out / "report.md").read_text(encoding="utf-8"))

    def report(self, rows: list[dict], ops: list[dict] | None = None, evaluations: list[dict] | None = None,
               **environment: str) -> tuple[Page, str]:
        make.write(self.folder / "r.h5", rows, ops or [], evaluations or [], **environment)
        return self.made(self.folder / "r.h5")

    def test_numbers_of_the_file(self) -> None:
        """Every point of the page against the file as h5py alone reads it."""
        page, _ = self.report(make.sample_rows(), make.op_rows(56))
        with h5py.File(self.folder / "r.h5") as f:
            runs = f["runs"][:]
        points = {(int(r["seq_len"]), r["protocol"].decode()) for r in runs}
        self.assertEqual(len(page.tables["points"]), len(points))
        for seq, protocol in points:
            mine = runs[(runs["seq_len"] == seq) & (runs["protocol"] == protocol.encode())]
            row = one(page.tables["points"], tokens=str(seq), protocol=protocol)
            n = f"{mine['online_bytes'][0]:,}"
            self.assertEqual(row["online bytes"], f"{n} / {n}")
            self.assertEqual(row["rounds"], "289 / 289")
            self.assertEqual(row["repetitions"], str(len(mine)))
            if seq == 256:
                self.assertEqual(row["verdict"], "INVALID")
                continue
            self.assertEqual(row["verdict"], "VALID")
            for phase in ("online", "offline"):
                wanted = np.percentile(mine[f"{phase}_ns"] / 1e6, [25, 50, 75])
                np.testing.assert_allclose(spread(row[f"{phase} ms, median [q1, q3]"]), wanted, rtol=1e-3)
            share = 100 * mine["floor_ns"][0] / np.median(mine["online_ns"])
            self.assertAlmostEqual(number(row["of floor"]), share, delta=0.051)
            head = one(page.tables["headline"], tokens=str(seq), protocol=protocol)
            self.assertEqual(head["online ms"], row["online ms, median [q1, q3]"])
            self.assertAlmostEqual(number(head["offline MB"]), 9.0 * seq, delta=0.51)

    def test_markdown_says_the_same(self) -> None:
        page, text = self.report(make.full_rows(), make.op_rows(56) + make.op_rows(63))
        tables = markdown_tables(text)
        self.assertEqual(len(tables), len(page.tables))
        for ours, theirs in zip(tables, page.tables.values()):
            self.assertEqual([list(r.values()) for r in theirs],
                             [[c.replace("`", "").replace("\\|", "|") for c in r.values()] for r in ours])
        for name in page.pictures:
            self.assertIn(f"](figures/{name}.svg)", text)
            self.assertIn(b"<svg", (self.out / "figures" / f"{name}.svg").read_bytes())
            self.assertEqual((self.out / "figures" / f"{name}.pdf").read_bytes()[:5], b"%PDF-")

    def test_everything_has_its_figure(self) -> None:
        page, text = self.report(make.full_rows(), make.op_rows(56) + make.op_rows(63), [make.evaluation_row(20)])
        self.assertEqual(set(page.pictures), {
            "online_time", "bytes", "offline_online", "scaling_threads", "scaling_ranks_per_party", "networks",
            "ablation", "operations_online", "operations_offline"})
        self.assertNotIn("Not measured in these files", text)
        for address in page.addresses:
            self.assertTrue(address.startswith(("#", "data:")), address[:60])
        html = (self.out / "report.html").read_text(encoding="utf-8")
        for fetching in ("url(", "@import", "<script", "<link rel=\"stylesheet"):
            self.assertNotIn(fetching, html)

    def test_invalid_points_have_no_time(self) -> None:
        page, text = self.report(make.sample_rows())
        row = one(page.tables["points"], tokens="256")
        self.assertEqual([row[n] for n in row if " ms" in n or n == "of floor"], ["-", "-", "-"])
        self.assertEqual(rows(page.tables["headline"], tokens="256"), [])
        self.assertIn("1 point of 11: INVALID, left out", text)

    def test_only_invalid(self) -> None:
        page, _ = self.report([make.run_row(8, "published", 0, verdict="INVALID")])
        self.assertEqual(page.pictures, {})

    def test_ratios_of_what_was_measured_together(self) -> None:
        page, _ = self.report(make.full_rows())
        other = one(page.tables["compared"], tokens="16", system="Other 1.0")
        ours = [r["online_ns"] for r in (make.run_row(16, "preprocessed", i) for i in range(6))]
        theirs = [r["online_ns"] for r in (make.peer_row(16, i) for i in range(3))]
        pairs = np.percentile(np.divide.outer(np.array(theirs), np.array(ours)), [25, 50, 75])
        np.testing.assert_allclose(spread(other["online ratio"]), pairs, rtol=6e-3)
        total = (np.median(theirs) + 1e9) / (np.median(ours) + 48e6)
        self.assertAlmostEqual(spread(other["total ratio"])[1] / total, 1, delta=0.05)
        sent = one(page.tables["compared_bytes"], tokens="16", system="Other 1.0")
        self.assertAlmostEqual(number(sent["online ratio"]), 12_500_000 / (12_345 * 8), delta=0.6)
        # Points of the sweep, which bear no `together`, are not in the comparison.
        self.assertEqual({r["tokens"] for r in page.tables["compared"]}, {"8", "16"})
        self.assertEqual({r["system"] for r in page.tables["compared"]}, {"pqbert", "Other 1.0"})

    def test_no_ratios_otherwise(self) -> None:
        apart = [*(make.run_row(8, "preprocessed", r) for r in range(5)), *(make.peer_row(8, r) for r in range(5))]
        page, text = self.report(apart)
        self.assertNotIn("compared", page.tables)
        days = [*(make.run_row(8, "preprocessed", r, together="a monday") for r in range(5)),
                *(make.peer_row(8, r, together="a tuesday") for r in range(5))]
        page, text = self.report(days)
        self.assertNotIn("compared", page.tables)

    def test_operations(self) -> None:
        twice = make.op_rows(0) + make.op_rows(0)  # as after --resume: not to be added up
        page, _ = self.report([make.run_row(8, "published", r) for r in range(5)], twice)
        table = page.tables["operations_online_published"]
        # P2 computes longest: 9 ms and 1.5 ms waiting; 3000 bytes from each party
        row = one(table, operation="gelu")
        median = sorted(make.run_row(8, "published", r)["online_ns"] for r in range(5))[2] / 1e6
        share = f"{100 * 10.5 / median:.1f} %"
        self.assertEqual(list(row.values())[1:], ["9.000", "1.500", "0.000", share, "9,000", "3"])
        rest = one(table, operation="not in an operation")
        self.assertEqual(rest["of online time"], f"{100 * (median - 21) / median:.1f} %")

    def test_scaling(self) -> None:
        page, _ = self.report([make.run_row(8, "published", r, threads=t, online_ns=12_000_000 // t)
                               for t in (1, 2, 4) for r in range(5)], cores="6")
        table = page.tables["scaling_threads_table"]
        row = one(table, threads_per_rank="4")
        self.assertEqual([row[n] for n in ("speed-up", "efficiency", "more threads than cores")],
                         ["4.000", "100.0 %", "yes"])
        self.assertEqual(one(table, threads_per_rank="2")["more threads than cores"], "no")
        self.assertEqual(page.tables["latency"][0]["1 x 4"], "3.000*")

    def test_ablation(self) -> None:
        variants = [("published", "tree"), ("published", "count"), ("preprocessed", "tree"), ("preprocessed", "count")]
        rows = [make.run_row(16, p, r, max_variant=m, online_ns=1_000_000 * (8 - 2 * i)) for r in range(5)
                for i, (p, m) in reversed(list(enumerate(variants)))]
        page, _ = self.report(rows)
        self.assertEqual([(r["variant"], r["faster"]) for r in page.tables["ablation_table"]],
                         [("published, tree maximum", "1"), ("published, count maximum", "1.33"),
                          ("preprocessed, tree maximum", "2"), ("preprocessed, count maximum", "4")])

    def test_warnings(self) -> None:
        rows = [make.run_row(8, "published", r, mode="INSECURE-BENCH", online_rounds=300) for r in range(4)]
        rows += [make.run_row(16, "published", r, verdict="UNCHECKED", clock_off_ns=r, range_wrapped=r // 4)
                 for r in range(5)]
        page, text = self.report(rows, build_type="Debug", governor="powersave", commit="abc-dirty", cores="2")
        for line in ("build type Debug", "governor powersave", "INSECURE-BENCH: the randomness",
                     "changed sources (abc-dirty)", "1 point of 2: UNCHECKED",
                     "1 point of 2: measured bytes or rounds differ from the predicted",
                     "4 repetitions of 9: clocks disagreed", "1 repetition of 9: values left their declared range",
                     "1 point of 2: fewer than 5 repetitions", "2 points of 2: oversubscribed"):
            self.assertIn(line, text)
        self.assertEqual(one(page.tables["points"], tokens="8")["rounds"], "300 / 289 (differs)")
        clean = [make.run_row(8, "published", r) for r in range(5)]
        self.assertNotIn("## Warnings", self.report(clean)[1])

    def test_several_launches(self) -> None:
        """What another launch changed is said once; a peer's launch is a program of its own."""
        rows = [make.run_row(8, "published", r) for r in range(5)]
        launches = [make.ENVIRONMENT, {"peer": "other", "cpu": "not seen"}, {"cpu": "Second CPU", "utc": "later"},
                    {"cpu": "Second CPU"}]
        make.pqwrite.write_file(self.folder / "r.h5", rows, [], launches)
        _, text = self.made(self.folder / "r.h5")
        self.assertEqual(text.count("launches that differ: cpu Example CPU, then Second CPU"), 1)
        self.assertNotIn("then not seen", text)

    def test_several_files(self) -> None:
        for name in ("a", "b"):
            make.write(self.folder / f"{name}.h5", [make.run_row(8, "published", r) for r in range(5)], [])
        page, _ = self.made(self.folder / "a.h5", self.folder / "b.h5")
        a, b = (one(page.tables["points"], file=name) for name in "ab")
        self.assertEqual({**a, "file": ""}, {**b, "file": ""})

    def test_emulated_networks_are_said(self) -> None:
        _, text = self.report([make.run_row(8, "published", r, net=n) for n in ("none", "wan") for r in range(5)])
        self.assertIn("**emulated**: wan", text)

    def test_quoted_figures_are_apart(self) -> None:
        page, text = self.report([make.run_row(16, "published", r) for r in range(5)])
        row = rows(page.tables["quoted"], tokens="16", system="Lu et al. quantized BERT")[0]
        self.assertEqual(row["time"], "16.5 ms online")
        source = re.match(r"\[\d+\]", row["source"])[0]
        found = [r for r in page.tables["sources"] if r[""] == source][0]
        self.assertIn("2508.01636", found["paper"])
        self.assertIn("quoted by a summary", found["how it was read"])
        self.assertIn("Quoted. BERT-base", text)

    def test_accuracy(self) -> None:
        """Beside a sweep, and of a file without one."""
        lan = make.evaluation_row(30, net="lan", layers=1, weight_bits=4, mode="INSECURE-BENCH", range_wrapped=3)
        bad = make.evaluation_row(20, data="bad.tsv", verdict="INVALID", cut=2)
        for runs in (make.sample_rows(), []):
            page, text = self.report(runs, None, [make.evaluation_row(20), lan, bad])
            first, second, third = page.tables["accuracy"]
            self.assertEqual(list(first.values()), ["tiny: 2 layers, hidden 128, weights of 1 bit", "dev.tsv", "20",
                                                    "75.0 [53.1, 88.8]", "80.0 [58.4, 91.9]", "65.0 %", "VALID"])
            costs = page.tables["accuracy_cost"]
            self.assertEqual(list(costs[0].values()), ["tiny", "dev.tsv", "preprocessed, 1 x 1, up to 2 at once",
                                                       "52.50", "210.0", "0.500", "2.000", "100"])
            self.assertIn("network lan (emulated), INSECURE-BENCH", costs[1]["setting"])
            self.assertEqual([costs[2][n] for n in ("online ms", "offline ms", "online MB")], ["-", "-", "0.500"])
            self.assertEqual(second["model"], "tiny: 1 layer, hidden 128, weights of 4 bits")
            self.assertEqual(second["sentences"], "20 of 30")
            self.assertEqual([third[n] for n in ("plain %", "MPC %", "alike", "verdict")],
                             ["75.0 [53.1, 88.8]", "-", "-", "INVALID"])
            for line in ("tiny on dev.tsv: 20 of 30 sentences, the shortest first", "tiny on bad.tsv: INVALID, left",
                         "INSECURE-BENCH: the randomness", "batches of 3 sentences", "2 sentences of 20 cut to 64",
                         "**80.0 %** by private inference [58.4, 91.9], 75.0 % in the clear"):
                self.assertIn(line, text)
            self.assertNotIn("INVALID by private", text)
            self.assertEqual(text.count("Accuracy of tiny on"), 2)
            self.assertEqual("points" in page.tables, bool(runs))
        self.assertIn("## Not measured in these files", self.report(make.sample_rows())[1])

    def test_quoted_accuracy(self) -> None:
        """Beside ours, each with its source, what differs, and a loss only within one source."""
        page, _ = self.report([], None, [make.evaluation_row(20)])
        row = one(page.tables["accuracy_quoted"], task="GLUE avg", system="Lu et al. quantized BERT")
        self.assertEqual([row[n] for n in ("private or quantised", "full precision", "loss")], ["82.9", "87.2", "4.3"])
        row = one(page.tables["accuracy_quoted"], task="GLUE SST-2", system="MPCFormer (Quad+2ReLU)")
        self.assertEqual([row["full precision"], row["loss"]], ["93.1", "1.1"])
        row = one(page.tables["accuracy_quoted"], task="GLUE SST-2", system="CipherPrune")
        self.assertEqual([row["full precision"], row["loss"]], ["-", "-"])
        cited = {number for r in page.tables["accuracy_quoted"] for number in re.findall(r"\[\d+\]", r["source"])}
        self.assertLessEqual(cited, {r[""] for r in page.tables["sources"]})
        for row in page.tables["accuracy_quoted"]:
            self.assertTrue(all(row.values()), row)

    def test_older_schema(self) -> None:
        page, _ = self.made(OLD)
        self.assertEqual(len(page.tables["points"]), 4)
        row = one(page.tables["points"], tokens="3", protocol="published")
        self.assertEqual(row["online bytes"], "4,904 / 4,904")

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
        self.refused(path, "schema 9, this program reads schema 1 to 5")
        make.write(path, [], [])
        self.refused(path, "no repetitions")
        make.write(path, make.sample_rows(), [])
        path.write_bytes(path.read_bytes()[:-5000])
        self.refused(path, "not a whole result file")


if __name__ == "__main__":
    unittest.main()
