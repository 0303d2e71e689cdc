"""Reads a report back: tables of the markdown and of the page, by the names of their columns. No code of the report."""
from __future__ import annotations

import re
from html.parser import HTMLParser

Row = dict[str, str]


class Page(HTMLParser):
    """Tables by id; pictures; and every address in an attribute."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tables: dict[str, list[Row]] = {}
        self.pictures: dict[str, str] = {}
        self.addresses: list[str] = []
        self.table = self.figure = ""
        self.header: list[str] = []
        self.in_head = False
        self.cells: list[str] | None = None
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {k: v or "" for k, v in attributes}
        self.addresses += [given[k] for k in ("src", "href", "action", "data") if k in given]
        if tag == "table":
            self.table = given["id"]
            self.tables[self.table] = []
        elif tag == "thead":
            self.in_head = True
        elif tag == "figure":
            self.figure = given["id"]
        elif tag == "img":
            self.pictures[self.figure] = given["src"]
        elif tag == "tr":
            self.cells = []
        elif tag in ("td", "th"):
            self.text = ""

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th") and self.cells is not None:
            self.cells.append(self.text.strip())
        elif tag == "thead":
            self.header = self.cells or []
            self.in_head = False
        elif tag == "tr" and not self.in_head:
            self.tables[self.table].append(dict(zip(self.header, self.cells or [])))


def markdown_tables(text: str) -> list[list[Row]]:
    tables: list[list[Row]] = []
    header: list[str] = []
    for line in text.splitlines():
        if not line.startswith("| "):
            header = []
            continue
        cells = [c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]]
        if not header:
            header = cells
            tables.append([])
        elif not set(line) <= set("|-: "):
            tables[-1].append(dict(zip(header, cells)))
    return tables


def number(cell: str) -> float:
    return float(cell.replace(",", "").rstrip(" %*"))


def spread(cell: str) -> list[float]:
    """median [q1, q3] as q1, median, q3"""
    middle, low, high = (float(x.replace(",", "")) for x in re.findall(r"[\d.,]+\d|\d", cell))
    return [low, middle, high]


def rows(table: list[Row], **wanted: str) -> list[Row]:
    """Of the rows that have these cells; names with underscores for blanks."""
    return [r for r in table if all(r[k.replace("_", " ")] == v for k, v in wanted.items())]


def one(table: list[Row], **wanted: str) -> Row:
    found = rows(table, **wanted)
    if len(found) != 1:
        raise AssertionError(f"{len(found)} rows with {wanted}")
    return found[0]
