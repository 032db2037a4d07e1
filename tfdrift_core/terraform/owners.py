"""Who owns a file: the CODEOWNERS of its repository, by GitHub's rules.

https://docs.github.com/en/repositories/managing-your-repositorys-settings-and-features/customizing-your-repository/about-code-owners
The first file of ``PLACES`` counts, within it the last pattern that matches.  A line that GitHub would refuse says
nothing.
"""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import re2  # type: ignore[import-untyped]

PLACES: Final = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")
_MAX_BYTES: Final = 3 << 20
"""GitHub reads no larger one."""
_MAX_LINES: Final = 20_000
_MAX_PATTERN: Final = 500
_MAX_OWNERS: Final = 50
_MAX_LEVELS: Final = 64

_QUIET = re2.Options()
_QUIET.log_errors = False
_OWNER = re.compile(r"@[\w.-]+(?:/[\w.-]+)?|[^@\s]+@[^@\s]+")
_FIELDS = re.compile(r"(?:\\.|[^\s\\])+")
_UNUSED = re.compile(r"\*\*\*|^!|[\[\]]|^\\#")
"""What a pattern for Git may hold and one for owners may not."""


@dataclass(frozen=True, slots=True)
class Rule:
    pattern: Any  # a compiled expression of re2, whose time grows with the path alone
    owners: tuple[str, ...]


def rules(text: str) -> Sequence[Rule]:
    """The lines of a CODEOWNERS file that say something, in their order."""
    return tuple(_rules(text))


def owners(given: Sequence[Rule], path: str) -> tuple[str, ...]:
    """The owners of a path, relative to the repository; nobody where a later line takes the owners away."""
    text = path.encode("utf-8", "replace").decode()
    return next((rule.owners for rule in reversed(given) if rule.pattern.match(text)), ())


def repository(file: Path) -> Path | None:
    """The directory that a file's CODEOWNERS speaks of: its checkout, else the closest that has such a file."""
    for folder in file.parents[:_MAX_LEVELS]:
        # Unlike Path's, these do not raise where Falco's user may not look.
        if os.path.exists(folder / ".git") or _given(folder) is not None:  # noqa: PTH110
            return folder
    return None


def read(root: Path) -> Sequence[Rule]:
    """The rules of a repository; none where it has no CODEOWNERS, or one that GitHub would not read.

    :raises OSError: when it cannot be read.
    """
    path = _given(root)
    if path is None:
        return ()
    with path.open("rb") as file:
        content = file.read(_MAX_BYTES + 1)
    return rules(content.decode("utf-8", "replace")) if len(content) <= _MAX_BYTES else ()


def _given(root: Path) -> Path | None:
    return next((path for place in PLACES if os.path.isfile(path := root / place)), None)  # noqa: PTH113


def _rules(text: str) -> Iterator[Rule]:
    for line in text.splitlines()[:_MAX_LINES]:
        fields = _FIELDS.findall(line)
        if not fields or fields[0].startswith("#"):
            continue
        pattern, *rest = fields
        named = rest[: next((n for n, field in enumerate(rest) if field.startswith("#")), len(rest))]
        if len(pattern) > _MAX_PATTERN or _UNUSED.search(pattern) or not all(map(_OWNER.fullmatch, named)):
            continue
        yield Rule(re2.compile(_expression(pattern), _QUIET), tuple(named[:_MAX_OWNERS]))


def _expression(pattern: str) -> str:
    """A pattern as an expression for the whole of a path."""
    anchored = "/" in pattern.rstrip("/")
    inside = pattern.endswith("/")
    steps = [step for step in pattern.split("/") if step]
    if not steps:
        return r"\A\z"
    text = r"(?s)\A" if anchored else r"(?s)\A(?:.*/)?"
    for number, step in enumerate(steps):
        last = number + 1 == len(steps)
        if step == "**":
            text += ".*" if last else "(?:.*/)?"
            continue
        text += "[^/]+" if step == "*" else _step(step)
        if not last:
            text += "/"
    if steps[-1] == "**":
        return text + r"\z"
    # A name may be that of a directory, and then all below it is meant; a lone star means files alone.
    return text + ("/.*" if inside else "" if steps[-1] == "*" and anchored else "(?:/.*)?") + r"\z"


def _step(step: str) -> str:
    literal = {"*": "[^/]*", "?": "[^/]"}
    parts = re.findall(r"\\.|.", step)
    return "".join(literal.get(part) or re2.escape(part[-1]) for part in parts)
