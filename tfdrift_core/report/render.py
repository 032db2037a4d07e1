"""Rows as one self-contained HTML page, as JSON, CSV, Markdown and SARIF."""

import base64
import csv
import hashlib
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from importlib.resources import files

from tfdrift_core.output.alert import PRIORITIES
from tfdrift_core.report.about import UNKNOWN, About
from tfdrift_core.report.markdown import to_markdown
from tfdrift_core.report.rows import Row, Status, by_urgency
from tfdrift_core.report.sarif import to_sarif

# Spreadsheets run cells that start like this, and records are written by others.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def to_json(rows: Sequence[Row], about: About = UNKNOWN) -> str:
    return json.dumps([asdict(row) for row in rows], ensure_ascii=False, indent=2) + "\n"


def to_csv(rows: Sequence[Row], about: About = UNKNOWN) -> str:
    """One line a row; the elements of a list stand one below the other in their cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [field.name for field in fields(Row) if field.name != "parts"]
    writer.writerow(names)
    for row in rows:
        writer.writerow([_cell(getattr(row, name)) for name in names])
    return text.getvalue()


def _cell(value: str | tuple[str, ...]) -> str:
    text = value if isinstance(value, str) else "\n".join(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def to_html(rows: Sequence[Row], about: About = UNKNOWN) -> str:
    """A page that opens from disk and loads nothing: the browser is told to refuse whatever is not in it."""
    page = files(__package__).joinpath("page.html").read_text(encoding="utf-8")
    style, script = (files(__package__).joinpath(name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    columns = [field.name for field in fields(Row)]
    content = {
        "about": about.text,
        "priorities": PRIORITIES,
        "statuses": list(Status),
        "columns": columns,
        "rows": [[getattr(row, name) for name in columns] for row in by_urgency(rows)],
    }
    data = json.dumps(content, ensure_ascii=True, default=asdict)
    parts = {
        "policy": f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'",
        "style": style,
        "script": script,
        # Inside a script element only "</" and "<!--" mean anything to the HTML parser.
        "data": data.replace("<", "\\u003c"),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], page)


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


FORMATS: Mapping[str, Callable[[Sequence[Row], About], str]] = {
    "html": to_html,
    "json": to_json,
    "csv": to_csv,
    "markdown": to_markdown,
    "sarif": to_sarif,
}
SUFFIXES: Mapping[str, str] = {
    ".html": "html",
    ".htm": "html",
    ".json": "json",
    ".csv": "csv",
    ".md": "markdown",
    ".markdown": "markdown",
    ".sarif": "sarif",
}
"""What a file's name says of its format."""
