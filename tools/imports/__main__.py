"""Writes ``tfdrift_core/catalog/imports.txt``: how ``terraform import`` names a resource of each type.

    python -m tools.imports PROVIDER

PROVIDER is a checkout of hashicorp/terraform-provider-aws (5.32).  The section "Import" of each resource's page says in
words of which attributes the name is made, and gives examples.  Only that fact is taken over, as a template of
attributes, and only where words, examples and the schema agree; of any other type nothing is written.
"""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from tfdrift_core.drift.compare.schema import Block, schema_for

TARGET: Final = Path(__file__).parents[2] / "tfdrift_core" / "catalog" / "imports.txt"

_SECTION = re.compile(r"^## Import\s*\n(.*?)(?=^## |\Z)", re.S | re.M)
_WORDS = re.compile(r"to import (.*?)(?:For example|\n\n|```)", re.S)
_EXAMPLE = re.compile(r'^\s*id\s*=\s*"((?:[^"\\]|\\.)*)"', re.M)
_TOKEN = re.compile(r"`([^`]+)`")
_MARKS: Final[Mapping[str, str]] = {
    "colon": ":",
    "comma": ",",
    "slash": "/",
    "underscore": "_",
    "pipe": "|",
    "hash": "#",
}
_SEPARATORS: Final = ",|#:/_"
_NAMED_SEPARATOR = re.compile(r"`?([,:/|_#])`?\)?(?: character)?\.?$|\(`?([,:/|_#])`?\)|`([,:/|_#])`")
_ENDS: Final[Mapping[str, tuple[str, ...]]] = {
    "name": ("name",),
    "names": ("name",),
    "id": ("id", "identifier"),
    "ids": ("id",),
    "identifier": ("id", "identifier"),
    "arn": ("arn",),
}
_FILLERS = re.compile(r"\b(the|its|their|a|an|of|corresponding|fully qualified|unique|e\.g\..*|for example.*)\b|'s\b")
_SERVICES: Final = frozenset({"ec2", "aws", "amazon", "dns", "iam", "db", "vpc"})
_ACCOUNT: Final = ("aws_account_id", "account_id")


def pages(provider: Path) -> Iterator[tuple[str, str]]:
    """Each type with the text of its page."""
    for path in sorted((provider / "website" / "docs" / "r").iterdir()):
        yield f"aws_{path.name.partition('.')[0]}", path.read_text(encoding="utf-8")


def examples(page: str) -> Sequence[str]:
    section = _SECTION.search(page)
    return [text.strip("`") for text in _EXAMPLE.findall(section[1])] if section else []


def template(type: str, page: str) -> str:
    """The template of a type, "" where it is not sure."""
    section, block = _SECTION.search(page), schema_for(type)
    words = _WORDS.search(section[1]) if section else None
    shown = examples(page)
    if words is None or block is None or not shown:
        return ""
    terms, mark = _terms(" ".join(words[1].split()), type)
    found = [_attribute(term, type, block) for term in terms]
    if len(found) == 1 and "arn" in block.attributes and all(re.fullmatch(r"arn:[^,|]+", text) for text in shown):
        return "{arn}"
    if not found or not all(found) or len(set(found)) != len(found):
        return ""
    if len(found) == 1:
        return _single(found[0], block, shown)
    if any(name == "id" and term.lower().strip("`") == "id" for name, term in zip(found, terms, strict=True)):
        return ""  # of which of them?
    marks = [mark] if mark else [one for one in _SEPARATORS if all(_fits(found, one, text) for text in shown)]
    if len(marks) != 1 or not all(_fits(found, marks[0], text) for text in shown):
        return ""
    return marks[0].join(f"{{{name}}}" for name in found)


def _single(name: str, block: Block, shown: Sequence[str]) -> str:
    if all(text.startswith("arn:") for text in shown):
        # Whatever the page calls it, it is the ARN.
        name = name if name.endswith("arn") else "arn" if "arn" in block.attributes else ""
        return f"{{{name}}}" if name else ""
    if any(text.startswith("arn:") for text in shown) or name.endswith("arn"):
        return ""
    together = re.compile(r"[,|#:]|.[/]|[0-9a-f]{8,}_[a-z]")
    if any(together.search(text) for text in shown if not text.startswith(("/", "http"))):
        return ""  # it is made of several, whatever it is called
    return f"{{{name}}}"


def _terms(words: str, type: str) -> tuple[Sequence[str], str]:
    """The names of the parts, and what stands between them as far as the words say."""
    _, using, told = words.partition("using ")
    if not using:
        return (), ""
    named = _NAMED_SEPARATOR.search(told)
    mark = next((one for one in named.groups() if one), "") if named else ""
    mark = mark or next((mark for word, mark in _MARKS.items() if re.search(rf"\b{word}e?s?\b", told)), "")
    tokens = [token for token in _TOKEN.findall(told) if not re.fullmatch(r"\W|_|aws_\w+", token)]
    if len(tokens) == 1 and (mark_inside := _inside(tokens[0])):
        if mark and mark != mark_inside:
            return (), ""
        return tokens[0].split(mark_inside), mark_inside
    if tokens:
        rest = re.sub(r"\(.*?\)", "", _TOKEN.sub("", told)).partition(" separated by ")[0]
        # Words that name a further part beside the marked ones would be lost.
        left = re.findall(r"\b(?:name|id|identifier|arn|key)s?\b", rest, re.I)
        return (tokens, mark) if len(tokens) > 1 or not left else ((), "")
    told = re.split(r",? (?:separated|joined|delimited|concatenated|in the format|as )|\(`|\. ", told.rstrip("."))[0]
    return [part for part in re.split(r",? and |, ", told) if part], mark


def _inside(token: str) -> str:
    """What joins the names in a token that is several: ``cluster/name``; underscores are part of names."""
    found = {one for one in ",|#:/" if one in token}
    return found.pop() if len(found) == 1 else ""


def _attribute(term: str, type: str, block: Block) -> str:
    """The attribute that a term names, "" where that is not sure."""
    term = re.sub(r"\bamazon resource name\b(?: \(arn\))?", "arn", term.lower().strip("`<>{}[]() "))
    names = re.sub(r"[^a-z0-9]+", "_", _FILLERS.sub(" ", re.sub(r"\(.*?\)", "", term)))
    name = names.strip("_")
    if name in _ACCOUNT or name in ("account", "aws_account"):
        return next((one for one in _ACCOUNT if one in block.attributes), "")
    if _is_plain(name, block):
        return name
    steps = name.split("_")
    ends = _ENDS.get(steps[-1], ())
    stem = "_".join(steps[:-1]) if ends else name
    own = not stem or _is_own(stem, type)
    candidates = {f"{stem}_{end}" for end in ends} if stem else set()
    candidates |= {stem} if ends and "name" in ends and stem else set()
    candidates |= {ends[0]} if ends and own else set()
    fitting = {one for one in candidates if _is_plain(one, block)}
    return fitting.pop() if len(fitting) == 1 else ""


def _is_own(stem: str, type: str) -> bool:
    """Whether words name the resource itself: its type has all of them, and the last one last."""
    whole = type.removeprefix("aws_")
    words = [word for word in stem.replace("route_53_", "").split("_") if word not in _SERVICES]
    return whole.replace("_", "") == stem.replace("_", "") or (
        bool(words) and set(words) <= set(whole.split("_")) and words[-1] == whole.rpartition("_")[2]
    )


def _is_plain(name: str, block: Block) -> bool:
    node = block.attributes.get(name)
    return node is not None and node.kind in ("string", "number")


def _fits(names: Sequence[str], mark: str, text: str) -> bool:
    """Whether an example is so many parts, and ARNs where attributes are ARNs."""
    inner = rf"[^{re.escape(mark)}]+"
    parts = [r"arn:.+" if name.endswith("arn") else inner for name in names]
    if re.fullmatch(re.escape(mark).join(parts), text) is None:
        return False
    return text.count("arn:") == sum(name.endswith("arn") for name in names)


def content(provider: Path) -> str:
    found = ((type, template(type, page)) for type, page in pages(provider))
    return "".join(f"{type}\t{text}\n" for type, text in found if text)


if __name__ == "__main__":
    TARGET.write_text(content(Path(sys.argv[1])), encoding="utf-8")
