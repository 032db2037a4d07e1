"""Rows as Markdown, for an issue or a pull request."""

from collections import Counter
from collections.abc import Sequence

from tfdrift_core.output.alert import PRIORITIES
from tfdrift_core.output.markdown import code, plain
from tfdrift_core.report.about import UNKNOWN, About
from tfdrift_core.report.rows import Row, Status, by_urgency

MAX_LENGTH = 60_000
"""Characters: GitHub takes 65,536 in an issue, a pull request or a comment."""

_HEAD = "| severity | resource | change | who | when (UTC) | where |\n|---|---|---|---|---|---|"


def to_markdown(rows: Sequence[Row], about: About = UNKNOWN) -> str:
    """A table, what is open and severe first.  What would make it too long for GitHub is counted at its end."""
    counts = Counter(row.priority for row in rows if row.status is Status.OPEN)
    severities = ", ".join(f"{counts[name]} {name}" for name in PRIORITIES if counts[name])
    ended = sum(row.status is Status.RESOLVED for row in rows)
    summary = f"{counts.total()} open{f' ({severities})' if severities else ''}, {ended} resolved."
    lines = ["## Changes outside Terraform", "", summary, "", _HEAD]
    end = f"\n{plain(about.text)}.\n"
    length = sum(map(len, lines)) + len(end) + 100
    ordered = by_urgency(rows)
    for number, row in enumerate(ordered):
        line = _line(row)
        length += len(line) + 1
        if length > MAX_LENGTH:
            lines += ["", f"… and {len(ordered) - number} more."]
            break
        lines.append(line)
    return "\n".join(lines) + "\n" + end


def _line(row: Row) -> str:
    severity = row.priority if row.status is Status.OPEN else f"{row.priority}, {row.status}"
    resource = [_cell(row.resource), _workspace(row)]
    when = [plain(row.time.replace("T", " ").removesuffix("Z")), _end(row)]
    cells = (
        severity,
        "<br>".join(filter(None, resource)),
        f"{plain(row.rule)}<br>{_what(row)}",
        _cell(row.user or "(unknown)") + (f"<br>{plain(row.call)}" if row.call else ""),
        "<br>".join(filter(None, when)),
        _cell(row.place) if row.place else "",
    )
    return f"| {' | '.join(cells)} |"


def _workspace(row: Row) -> str:
    place = ", ".join(filter(None, (row.account, row.region)))
    workspace = f"workspace {row.workspace}" if row.workspace not in ("", "default") else ""
    return plain(", ".join(filter(None, (place, workspace))))


def _what(row: Row) -> str:
    if row.kind in ("deleted", "unmanaged"):
        return "deleted" if row.kind == "deleted" else "created outside Terraform"
    return ": ".join(_cell(text) for text in (row.path, row.change) if text)


def _end(row: Row) -> str:
    if row.status is not Status.RESOLVED:
        return ""
    ended = f"{plain(row.resolution or 'resolved')} {plain(row.ended.replace('T', ' ').removesuffix('Z'))}"
    return f"{ended} after {row.duration}" if row.duration else ended


def _cell(text: str) -> str:
    """A code span in a table: the table looks for bars even there."""
    return code(text).replace("|", "\\|")
