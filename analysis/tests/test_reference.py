"""The file of published figures is complete and well-formed."""
from __future__ import annotations

import csv
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import reference  # noqa: E402
import tables_accuracy  # noqa: E402

COLUMNS = ["system", "variant", "paper", "venue", "year", "source_table", "model", "seq_len", "parties", "security",
           "hardware", "threads", "network", "setting", "quantity", "versus", "value", "value_high", "unit", "how_read",
           "url"]
SYSTEMS = {"CrypTen", "Sigma", "Lu et al. quantized BERT", "Ditto", "PUMA", "MPCFormer", "BumbleBee", "BOLT", "Iron",
           "CipherPrune", "FuseFSS", "Nimbus"}
QUANTITIES = {"s": ("time",), "ms": ("time",), "min": ("time",), "MB": ("communication", "key size"),
              "GB": ("communication", "key size"), "x": ("speed-up", "reduction"), "%": ("reduction",),
              "ratio": ("relative",), "score": ("accuracy",)}


class ReferenceTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        with open(reference.FILE, newline="", encoding="utf-8") as f:
            cls.header, *cls.cells = list(csv.reader(f, strict=True))
        cls.rows = [dict(zip(cls.header, c)) for c in cls.cells]

    def test_shape(self) -> None:
        self.assertEqual(self.header, COLUMNS)
        for number, cells in enumerate(self.cells, 2):
            self.assertEqual(len(cells), len(COLUMNS), f"line {number}")
            self.assertEqual([c.strip() for c in cells], cells, f"line {number}")
        self.assertEqual(len({tuple(c) for c in self.cells}), len(self.cells), "a row stands twice")

    def test_every_system_is_there(self) -> None:
        self.assertLessEqual(SYSTEMS, {r["system"] for r in self.rows})
        # NDSS 25 reports no figure for BERT itself; the quantised BERT's paper compares with it.
        self.assertIn("Lu et al. NDSS 25", {r["versus"] for r in self.rows})

    def test_every_figure_has_value_unit_and_source(self) -> None:
        for r in self.rows:
            with self.subTest(system=r["system"], quantity=r["quantity"], value=r["value"]):
                self.assertGreater(float(r["value"]), 0)
                if r["value_high"]:
                    self.assertGreater(float(r["value_high"]), float(r["value"]))
                self.assertIn(r["unit"], QUANTITIES)
                self.assertTrue(any(q in r["quantity"] for q in QUANTITIES[r["unit"]]), r["quantity"])
                self.assertEqual(r["unit"] in reference.RATIOS, bool(r["versus"]))
                for name in ("paper", "venue", "source_table", "model", "how_read"):
                    self.assertTrue(r[name], name)
                self.assertTrue(r["seq_len"] == "" or 1 <= int(r["seq_len"]) <= 512)
                if r["venue"] != reference.UNPUBLISHED:
                    self.assertTrue(2021 <= int(r["year"]) <= 2026)
                if r["url"]:
                    self.assertRegex(r["url"], r"^https://(arxiv\.org/abs/\d{4}\.\d{5}|eprint\.iacr\.org/20\d\d/\d+)$")
                else:
                    self.assertTrue(r["venue"] == reference.UNPUBLISHED or r["system"] == "SHAFT")

    def test_every_number_that_others_quote_is_named_so(self) -> None:
        for r in self.rows:
            words = ("read in", "quoted by", "read off", "approximate", "stated as", "measured by hand", "extrapolated",
                     "DISPUTED")
            self.assertTrue(any(w in r["how_read"] for w in words), r["how_read"])

    def test_every_score_says_what_differs(self) -> None:
        scores = [r for r in self.rows if r["unit"] == "score"]
        self.assertEqual({r["system"] for r in scores}, set(tables_accuracy.DIFFERS))
        for r in scores:
            self.assertTrue(r["setting"].startswith("GLUE "), r["setting"])

    def test_known_figures(self) -> None:
        """Some that must not change by accident."""
        def value(**wanted: str) -> str:
            found = [r for r in self.rows if all(r[k] == v for k, v in wanted.items())]
            self.assertEqual(len(found), 1, wanted)
            return f"{found[0]['value']} {found[0]['unit']}"

        self.assertEqual(value(system="PUMA", model="BERT-base", seq_len="128", quantity="end-to-end time"), "33.913 s")
        self.assertEqual(value(system="Lu et al. quantized BERT", quantity="online time"), "16.5 ms")
        self.assertEqual(value(system="FuseFSS", model="BERT-base", seq_len="128", quantity="online time"), "1149.5 ms")
        self.assertEqual(value(system="Iron", variant="", quantity="end-to-end time"), "475 s")

    def test_loaded(self) -> None:
        figures = reference.load()
        self.assertEqual(len(figures), len(self.rows))
        self.assertEqual(reference.times(figures, "CrypTen"), {8: 10.7, 16: 14.7, 32: 19.4, 64: 27.1, 128: 55.6})
        ditto = figures[(figures.system == "Ditto") & (figures.versus == "MPCFormer")].iloc[0]
        self.assertEqual(reference.printed(ditto), "3.14 to 4.4 x")


if __name__ == "__main__":
    unittest.main()
