"""Rows as SARIF 2.1.0: code scanning shows what is open at the file and line that declare the resource.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from tfdrift_core import __version__
from tfdrift_core.report.about import UNKNOWN, About
from tfdrift_core.report.rows import Row, Status
from tfdrift_core.text import counted, one_line

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"

_LEVELS = {"Emergency": "error", "Alert": "error", "Critical": "error", "Error": "error", "Warning": "warning"}
_SCORES = {"Emergency": "10.0", "Alert": "9.5", "Critical": "9.0", "Error": "7.0", "Warning": "5.0", "Notice": "3.0"}
"""What code scanning ranks by: above 9 critical, from 7 high, from 4 medium, else low."""


def to_sarif(rows: Sequence[Row], about: About = UNKNOWN) -> str:
    """One result for each open drift whose resource has a file and a line; the others are counted in a notification."""
    placed = [row for row in rows if row.status is Status.OPEN and _place(row) is not None]
    by_rule = {row.rule: row for row in reversed(placed)}
    names = sorted(by_rule)
    document = {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "TFDrift",
                        "semanticVersion": __version__,
                        "rules": [_rule(by_rule[name]) for name in names],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "invocations": [_invocation(len(unplaced(rows)), about)],
                "results": [_result(row, names, about) for row in placed],
            }
        ],
    }
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def unplaced(rows: Sequence[Row]) -> Sequence[Row]:
    """What is open and has no place in a file, so that code scanning cannot show it."""
    return [row for row in rows if row.status is Status.OPEN and _place(row) is None]


def _invocation(missing: int, about: About) -> dict[str, Any]:
    invocation: dict[str, Any] = {"executionSuccessful": True}
    if about.generated:
        invocation["endTimeUtc"] = about.generated
    if missing:
        left_out = f"{counted(missing, 'change')} left out: no file declares the resource"
        text = f"{left_out}. tfdrift report -f markdown shows all."
        invocation["toolExecutionNotifications"] = [{"level": "warning", "message": {"text": text}}]
    return invocation


def _rule(row: Row) -> dict[str, Any]:
    properties: dict[str, Any] = {"tags": list(dict.fromkeys(("security", *row.tags)))}
    if row.priority in _SCORES:
        properties["security-severity"] = _SCORES[row.priority]
    return {
        "id": row.rule,
        "shortDescription": {"text": row.rule},
        "defaultConfiguration": {"level": _LEVELS.get(row.priority, "note")},
        "properties": properties,
    }


def _result(row: Row, names: Sequence[str], about: About) -> dict[str, Any]:
    file, line = _place(row) or ("", 1)
    identity = "\0".join((row.state, row.workspace, row.account, row.resource, row.path, row.rule))
    return {
        "ruleId": row.rule,
        "ruleIndex": names.index(row.rule),
        "level": _LEVELS.get(row.priority, "note"),
        "message": {"text": _message(row)},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": _artifact(file, about.root), "region": {"startLine": line}},
                "logicalLocations": [{"fullyQualifiedName": row.resource, "kind": "resource"}],
            }
        ],
        "partialFingerprints": {
            "drift/v1": hashlib.sha256(identity.encode("utf-8", "replace")).hexdigest()[:32],
        },
        "properties": {
            "id": row.id,
            "time": row.time,
            "state": row.state,
            "workspace": row.workspace,
            "account": row.account,
            "region": row.region,
            "user": row.user,
            "call": row.call,
        },
    }


def _message(row: Row) -> str:
    what = {"deleted": "was deleted", "unmanaged": "was created outside Terraform"}.get(row.kind)
    if what is None:
        change = ": ".join(filter(None, (row.path, row.change)))
        what = f"was changed outside Terraform: {change}" if change else "was changed outside Terraform"
    who = f" By {row.user or 'somebody'}" + (f" with {row.call}" if row.call else "")
    when = f" at {row.time}" if row.time else ""
    # [text](target) is a link in a message.
    text = f"{row.resource} {what}.{who}{when}. {row.hint}".strip()
    return one_line(text).replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")


def _place(row: Row) -> tuple[str, int] | None:
    file, _, line = row.place.rpartition(":")
    return (file, int(line)) if file and line.isascii() and line.isdigit() and 0 < int(line) < 1 << 31 else None


def _artifact(file: str, root: str) -> dict[str, str]:
    """A file below ``root`` by its path in the repository, which is what code scanning shows; others as they are."""
    path = PurePath(file)
    if root and path.is_relative_to(root):
        path = path.relative_to(root)
    uri = quote(path.as_posix(), errors="replace")
    return {"uri": f"file://{uri}"} if path.is_absolute() else {"uri": uri, "uriBaseId": "%SRCROOT%"}
