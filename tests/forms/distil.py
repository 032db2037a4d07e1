"""Makes ``records.jsonl.gz`` from real records: their forms, without what they tell about anybody.

    python -m tests.forms.distil cloudtrail.jsonl

Each of its lines is ``{"provenance": {"repo": ..., "kind": ...}, "record": ...}``.

A word is kept where it belongs to AWS or to everybody: it is in botocore's service models, or in the records of several
sources that have nothing to do with each other.  Every other word, number, id, address and time gives way to a made-up
one of the same kind, the same one throughout a record.  Of records with the same form, one is kept.
"""

import gzip
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import botocore

from tests.forms import FILE

SOURCES = 4
"""A word that so many sources have is nobody's own."""
WORD = re.compile(r"[A-Za-z0-9]+")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
ADDRESS = re.compile(
    r"(?<![\d./])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])|(?<![\w:])[0-9a-f]{1,4}(?::[0-9a-f]{0,4}){3,7}(?![\w:])"
)
NOBODYS = ("0.", "10.", "127.", "192.0.2.", "192.168.", "198.51.100.", "203.0.113.", "169.254.", "172.31.", "255.")
MADE_TIME = "2026-01-05T09:00:00"
KEEPS_ITS_WORDS = frozenset({"eventSource", "eventName", "eventType", "eventVersion", "awsRegion", "errorCode", "type"})
FREE_KEYS = frozenset({"tags", "Tags", "tag", "variables", "labels", "parameters", "metadata", "attributes"})
"""Below these, keys are somebody's words."""
SAID = ("eventSource", "eventName", "errorCode", "eventVersion", "eventType", "readOnly")
"""What makes records differ, besides their callers and their keys."""
UNIQUE_ID = re.compile(r"(A[A-Z]{2}A)[A-Z0-9]{8,}$")
AWS_NAME = re.compile(r"(AWS|Amazon)[A-Za-z]+$")
PREFIXES = frozenset(
    WORD.findall(
        "i r o ou sg sgr vpc subnet eni rtb igw nat vol snap ami acl eipalloc eipassoc vpce tgw attach pcx lt rtbassoc "
        "aclassoc dopt cgw vgw vpn fl pl fs fsap db cluster arn aws cn gov us eu ap ca sa me af east west north south "
        "central northeast southeast northwest southwest com amazonaws HIDDEN DUE TO SECURITY REASONS"
    )
)


def vocabulary() -> set[str]:
    """The words of botocore's service models: operations, members and enumerated values."""
    words = set(PREFIXES)
    for file in (Path(botocore.__file__).parent / "data").glob("*/*/service-2.json.gz"):
        model = json.loads(gzip.decompress(file.read_bytes()))
        texts = [*model["operations"], model["metadata"].get("endpointPrefix", "")]
        for shape in model["shapes"].values():
            texts += [*shape.get("members", ()), *shape.get("enum", ())]
            texts += [member.get("locationName", "") for member in shape.get("members", {}).values()]
            texts += [member.get("locationName", "") for member in [shape.get("member", {})]]
        for text in texts:
            for word in WORD.findall(text):
                words |= {word, word[:1].lower() + word[1:]}
    return {word for word in words if not word.isdigit()}


def common(entries: Iterable[Mapping[str, Any]]) -> set[str]:
    """The words that several sources have."""
    seen: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        for word in WORD.findall(json.dumps(entry["record"], ensure_ascii=False)):
            seen[word].add(entry["provenance"]["repo"].partition("/")[0])
    return {word for word, sources in seen.items() if len(sources) >= SOURCES and not word.isdigit()}


class Stranger:
    """Puts made-up words in the place of one record's own."""

    def __init__(self, words: set[str]) -> None:
        self.words = words
        self.made: dict[str, str] = {}

    def value(self, value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {self.key(name, key): self.value(member, name) for name, member in value.items()}
        if isinstance(value, list):
            return [self.value(element, key) for element in value]
        if isinstance(value, str):
            return value if key in KEEPS_ITS_WORDS else self.text(value)
        if isinstance(value, int) and abs(value) > 99_999:
            return int(self.word(str(abs(value))))
        return value

    def key(self, name: str, parent: str) -> str:
        letters = re.fullmatch(r"[A-Za-z]+(:?[A-Za-z]+)*", name)
        return name if letters and parent not in FREE_KEYS else self.text(name)

    def text(self, text: str) -> str:
        if text.startswith("%7B"):
            return quote(self.text(unquote(text)), safe="")
        if text[:1] in ("{", "["):
            try:
                return json.dumps(self.value(json.loads(text)))
            except ValueError:
                pass
        kept: list[str] = []

        def keep(made: str) -> str:
            kept.append(made)
            return f"\0{len(kept) - 1}\0"

        text = TIME.sub(lambda _: keep(MADE_TIME), text)
        text = ADDRESS.sub(lambda found: keep(self.address(found[0])), text)
        parts = re.split(r"\0(\d+)\0", text)
        return "".join(
            kept[int(part)] if n % 2 else WORD.sub(lambda found: self.word(found[0]), part)
            for n, part in enumerate(parts)
        )

    def address(self, text: str) -> str:
        if ":" in text:
            return self._once(text, "2001:db8::{:x}")
        return text if text.startswith(NOBODYS) else self._once(text, "198.51.100.{}")

    def word(self, word: str) -> str:
        if word in self.words or AWS_NAME.fullmatch(word) or (word.isdigit() and len(word) <= 5):
            return word
        size = len(word)
        if word.isdigit():
            return self._once(word, "111111111{:0>3}" if size == 12 else f"{{:0<{min(size, 17)}}}")
        if unique := UNIQUE_ID.fullmatch(word):
            return self._once(word, f"{unique[1]}{{:0>{size - 4}}}")
        if re.fullmatch(r"[0-9a-f]{4,}", word) and re.search(r"\d", word):
            return self._once(word, f"{{:0>{size}x}}")
        return self._once(word, "Name{}" if word[:1].isupper() else "name{}")

    def _once(self, own: str, made: str) -> str:
        return self.made.setdefault(own, made.format(len(self.made) + 1))


def shape(value: Any) -> Any:
    """What is between a value's leaves."""
    if isinstance(value, dict):
        return {key: shape(member) for key, member in sorted(value.items())}
    if isinstance(value, list):
        return sorted({json.dumps(shape(element), sort_keys=True) for element in value})
    return type(value).__name__


def form(record: Mapping[str, Any]) -> str:
    """Equal for records that have the same form."""
    identity = record.get("userIdentity") or {}
    agent = record.get("userAgent") or ""
    said = [
        record.get(key) for key in ("eventSource", "eventName", "errorCode", "eventVersion", "eventType", "readOnly")
    ]
    return json.dumps([*said, identity.get("type"), identity.get("invokedBy"), agent[:16], shape(record)])


def distil(entries: Iterable[Mapping[str, Any]], words: set[str]) -> Iterator[dict[str, Any]]:
    seen = set()
    for entry in entries:
        record = Stranger(words).value(entry["record"])
        made = form(record)
        if made not in seen:
            seen.add(made)
            yield {"kind": entry["provenance"]["kind"], "record": record}


def main(source: str) -> None:
    entries = [json.loads(line) for line in Path(source).read_text(encoding="utf-8").splitlines()]
    made = distil(entries, vocabulary() | common(entries))
    found = sorted(json.dumps(entry, ensure_ascii=False, separators=(",", ":")) for entry in made)
    # Without a time in the header: the same records make the same file.
    FILE.write_bytes(gzip.compress(("\n".join(found) + "\n").encode(), 9, mtime=0))
    print(f"{len(entries)} records, {len(found)} forms, {FILE.stat().st_size} bytes")


if __name__ == "__main__":
    main(sys.argv[1])
