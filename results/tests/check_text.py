"""Reads what test_record_text.c wrote as CSV and as JSON, and compares both with it. Standard library alone."""
import csv
import json
import sys


def main(csv_path: str, json_path: str) -> None:
    with open(csv_path, newline="", encoding="utf-8", errors="replace") as f:
        table = list(csv.reader(f, strict=True))
    with open(json_path, encoding="utf-8", errors="strict") as f:
        objects = json.load(f)

    names, rows = table[0], table[1:]
    assert len(rows) == len(objects) == 3, (len(rows), len(objects))
    assert len(set(names)) == len(names)
    for row, entry in zip(rows, objects):
        assert len(row) == len(names), row
        assert list(entry) == names, entry
        for name, text in zip(names, row):
            if not text.startswith("not UTF-8"):
                assert str(entry[name]) == text, (name, entry[name], text)

    first, second, third = objects
    assert first["model"] == "model" and first["seq_len"] == 8 and first["online_ns"] == 8000000
    assert first["hidden"] == 2**53 + 1000 + names.index("hidden")
    assert second["model"] == 'comma, "quote"\nline\\end\ttab \x01'
    assert second["net"] == "grüß € \U0001f600"
    assert second["input_seed"] == 2**64 - 1
    assert third["model"].startswith("not UTF-8: \ufffd \ufffd\ufffd ")


main(*sys.argv[1:])
