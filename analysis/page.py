"""The report as one HTML page that needs nothing else: style and pictures are inside, nothing is fetched."""
from __future__ import annotations

import base64
import re
from pathlib import Path

import jinja2
from markupsafe import Markup, escape

from document import Document

TEMPLATE = Path(__file__).resolve().parent / "page.html.j2"


def rich(words: str) -> Markup:
    """`code` and **bold** of a text; all else is shown as it is."""
    safe = str(escape(words))
    safe = re.sub(r"`([^`]+)`", r"<code>\1</code>", safe)
    return Markup(re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", safe))


def data_uri(svg: bytes) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg).decode("ascii")


def html(document: Document) -> str:
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True,
                                     undefined=jinja2.StrictUndefined)
    environment.filters["rich"] = rich
    environment.filters["data_uri"] = data_uri
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(document=document)
