"""A report as data: sections of texts, lists, tables and figures, and the same as markdown. page.py makes HTML of it.

Texts may hold `code` and **bold**; nothing else is markup.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Text:
    words: str
    block = "text"


@dataclass
class Bullets:
    items: list[str]
    warning: bool = False
    block = "bullets"


@dataclass
class Table:
    """The first `left` columns hold words, the others numbers."""

    name: str
    caption: str
    header: list[str]
    rows: list[list[str]]
    left: int = 1
    quoted: bool = False  # not measured here
    block = "table"


@dataclass
class Figure:
    name: str
    caption: str
    svg: bytes
    pdf: bytes
    block = "figure"


Block = Text | Bullets | Table | Figure


@dataclass
class Section:
    name: str
    title: str
    blocks: list[Block] = field(default_factory=list)


@dataclass
class Document:
    title: str
    lead: list[str]
    sections: list[Section]

    def figures(self) -> list[Figure]:
        return [b for s in self.sections for b in s.blocks if isinstance(b, Figure)]


def table_markdown(table: Table) -> list[str]:
    marks = ["---"] * table.left + ["---:"] * (len(table.header) - table.left)
    lines = [table.header, marks, *table.rows]
    body = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines]
    return [("Quoted. " if table.quoted else "") + table.caption, "", *body, ""]


def block_markdown(block: Block, folder: str) -> list[str]:
    if isinstance(block, Text):
        return [block.words, ""]
    if isinstance(block, Bullets):
        return [*(f"- **{item}**" if block.warning else f"- {item}" for item in block.items), ""]
    if isinstance(block, Figure):
        alt = block.caption.replace("[", "(").replace("]", ")")
        return [f"![{alt}]({folder}/{block.name}.svg)", "", f"*{block.caption}*", ""]
    return table_markdown(block)


def markdown(document: Document, folder: str) -> str:
    """`folder`: where the figures lie, seen from the markdown file."""
    lines = [f"# {document.title}", ""]
    for words in document.lead:
        lines += [words, ""]
    for section in document.sections:
        lines += [f"## {section.title}", ""]
        for block in section.blocks:
            lines += block_markdown(block, folder)
    return "\n".join(lines)


def write_figures(document: Document, folder: Path) -> None:
    """As SVG for the markdown, as PDF for a paper."""
    folder.mkdir(parents=True, exist_ok=True)
    for figure in document.figures():
        (folder / f"{figure.name}.svg").write_bytes(figure.svg)
        (folder / f"{figure.name}.pdf").write_bytes(figure.pdf)
