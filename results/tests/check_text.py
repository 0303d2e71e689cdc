"""Reads what test_record_text.c wrote as CSV and as JSON, and compares both with it. Standard library alone."""
import csv
import json
import sys


def same(text: str, value: object) -> bool:
    if value is None:
        return text == ""
    return float(text) == value if isinstance(value, float) else text == str(value)


def read(csv_path: str, json_path: str) -> list[dict[str, object]]:
    """The JSON objects, after comparing them with the CSV rows."""
    with open(csv_path, newline="", encoding="utf-8", errors="replace") as f:
        table = list(csv.reader(f, strict=True))
    with open(json_path, encoding="utf-8", errors="strict") as f:
        objects = json.load(f)
    names, rows = table[0], table[1:]
    assert len(rows) == len(objects), (len(rows), len(objects))
    assert len(set(names)) == len(names)
    for row, entry in zip(rows, objects):
        assert len(row) == len(names), row
        assert list(entry) == names, entry
        for name, text in zip(names, row):
            if not text.startswith("not UTF-8"):
                assert same(text, entry[name]), (name, entry[name], text)
    return objects


def check_repetitions(objects: list[dict[str, object]]) -> None:
    first, second, third = objects
    assert first["model"] == "model" and first["seq_len"] == 8 and first["online_ns"] == 8000000
    assert first["hidden"] == 2**53 + 1000 + list(first).index("hidden")
    assert abs(first["sequences_per_second"] - first["batch"] / 0.008) < 1e-3 * first["batch"]
    assert second["model"] == 'comma, "quote"\nline\\end\ttab \x01'
    assert second["net"] == "grüß € \U0001f600"
    assert second["input_seed"] == 2**64 - 1
    assert third["model"].startswith("not UTF-8: \ufffd \ufffd\ufffd ")


def check_medians(objects: list[dict[str, object]]) -> None:
    point, invalid = objects
    assert "repetition" not in point and point["repetitions"] == 4
    # of 64, 65, 66, 67 ms
    assert [point[n] for n in ("online_ns_q1", "online_ns", "online_ns_q3")] == [64.75e6, 65.5e6, 66.25e6]
    assert point["online_bytes"] == 64e6 and point["seq_len"] == 64 and point["verdict"] == "VALID"
    assert abs(point["sequences_per_second"] - point["batch"] / 0.0655) < 1e-3 * point["batch"]
    assert invalid["sequences_per_second"] == 0
    assert invalid["verdict"] == "INVALID" and invalid["online_rounds"] == 289
    assert invalid["online_ns"] is None and invalid["offline_ns_q3"] is None


if __name__ == "__main__":
    read_back = read(*sys.argv[1:3])
    check_medians(read_back) if sys.argv[3:] == ["medians"] else check_repetitions(read_back)
