"""Reads documents of CloudTrail records, and parses in full only the records that may matter.

In real trails some nine of ten records are reads.  simdjson therefore only indexes a document; ``readOnly`` of each
record decides whether it can have changed anything, and orjson parses the few that can.
"""

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

import orjson
import simdjson

from tfdrift_core.records.cut import outside
from tfdrift_core.records.places import ANYWHERE, Place, envelope_of
from tfdrift_core.records.record import Record, RecordError, is_true
from tfdrift_core.records.sift import Document, Sifted

MAX_RECORD_BYTES: Final = 1 << 20
"""CloudTrail's own limit for one event is 256 KB, or 1 MB when a trail asks for it."""

MAX_RECORD_DEPTH: Final = 100
_TOO_DEEP: Final = f"is nested more than {MAX_RECORD_DEPTH} levels deep"

MAX_CUT_BYTES: Final = 64 << 20
"""Of a larger record not even the outside is looked for."""

MAX_ERRORS: Final = 20
"""So many errors of one document are described; the rest is only counted."""

MAX_BAD: Final = 100_000
MAX_VALUES: Final = 1_000_000
MAX_TOKENS: Final = 24_000_000
"""So many bad records, values side by side, and brackets, texts and numbers of a document that is not JSON as a whole
are gone through before the rest of it is left out: no document may hold up all others for minutes."""

HELD_RECORDS: Final = 20_000
HELD_BYTES: Final = 8 << 20
"""Of what records weigh that are parsed and given at once."""

_BYTES_OF_A_BRACKET: Final = 24
_BYTES_OF_A_MEMBER: Final = 4
"""By so much more than its text a bracket and a comma weigh: an empty list takes 56 bytes of memory for two of text."""

MAX_RECORDS: Final = 500_000
"""Records of one document that may have changed something; a file of CloudTrail has some ten thousand."""

LARGE: Final = 16 << 20
PIECE: Final = 8 << 20
"""Bytes of a document that is parsed in pieces, and of one piece."""

_CUTS = 9
_SPACE = b" \t\r\n"

_READS = re.compile(r"(?:Get|List|Describe|Head|Lookup|BatchGet|Search)(?=[A-Z])")
_NO_API_CALL = frozenset({"Insight", "NetworkActivity"})

_LISTS = frozenset({"Records", "Events"})
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[{}\[\],]|[^"{}\[\], \t\r\n]++', re.DOTALL)
_HEAD = re.compile(rb'(?:\{[ \t\r\n]*+"(?:Records|Events)"[ \t\r\n]*+:[ \t\r\n]*+)?\[')
_BETWEEN = re.compile(rb"\}[ \t\r\n]*+,[ \t\r\n]*+\{")
_ARRAY = re.compile(rb'(?<!\\)"(?:Records|Events)"\s*:\s*\[')
_OPENING, _CLOSING = frozenset(b"{["), frozenset(b"}]")


@dataclass(frozen=True, slots=True)
class Scan:
    """``read`` counts every record of the document, ``bad`` those that could not be read (or only with repairs).

    ``refused`` counts those that contradict where they came from.  ``records`` are the ones that may have changed
    something, in the document's order.  ``errors`` describes the first ``MAX_ERRORS`` bad or refused ones.
    ``weight`` is what their texts weigh, as ``weight`` has it.
    """

    read: int
    records: list[Record]
    errors: list[RecordError]
    bad: int = 0
    refused: int = 0
    weight: int = 0


def scan(
    document: Document,
    origin: str,
    ignores: Callable[[object, object], bool] = lambda source, name: False,
    place: Place = ANYWHERE,
) -> Scan:
    """All records of one undecoded JSON document, as ``parts`` gives them one after the other."""
    found = list(parts(document, origin, ignores, place))
    return Scan(
        sum(part.read for part in found),
        [record for part in found for record in part.records],
        [error for part in found for error in part.errors],
        sum(part.bad for part in found),
        sum(part.refused for part in found),
    )


def parts(
    document: Document,
    origin: str,
    ignores: Callable[[object, object], bool] = lambda source, name: False,
    place: Place = ANYWHERE,
    *,
    denied: bool = False,
) -> Iterator[Scan]:
    """The records of one undecoded JSON document, less those whose event source and name ``ignores`` takes.

    They come in parts of ``HELD_RECORDS`` and about ``HELD_BYTES`` at most, one at least: parsed, they have many times
    the memory of their text, and a few hundred kilobytes of gzip may hold millions.

    Recognised by content: ``{"Records": [...]}``, a record, a list of records, JSON lines, EventBridge events with the
    record in ``detail``, and LookupEvents' answers and events (``CloudTrailEvent``).  Whatever is wrong with a document
    becomes an error and its other records are still read; nothing is raised.  What is wrong with a read that was left
    out of a sifted document is not looked for.  A record that cannot be from ``place``, or from where an EventBridge
    event around it is from, is refused.  With ``denied``, calls that were denied are among the records.
    """
    reader = _Reader(origin, ignores, place, denied)
    try:
        for _ in reader.sifted(document) if isinstance(document, Sifted) else reader.document(document):
            yield reader.taken()
            if reader.given > MAX_RECORDS:
                raise _EnoughError(f"{MAX_RECORDS:,} records that may have changed something")
    except _EnoughError as error:
        reader.bad += 1
        reader.errors.append(RecordError(f"has more than {error}; the rest of it is left out", origin))
    yield reader.taken()


class _EnoughError(Exception):
    """A document has so much that is wrong that its rest is left out."""


class _Parsers(threading.local):
    def __init__(self) -> None:
        self.document = simdjson.Parser()


# A parser keeps its buffers, so that each thread pays for them once.
_parsers = _Parsers()


@dataclass(slots=True)
class _Reader:
    origin: str
    ignores: Callable[[object, object], bool]
    place: Place
    denied: bool = False
    read: int = 0
    bad: int = 0
    refused: int = 0
    records: list[Record] = field(default_factory=list)
    errors: list[RecordError] = field(default_factory=list)
    weight: int = 0
    given: int = 0
    last: Scan = field(default_factory=lambda: Scan(0, [], []))

    @property
    def full(self) -> bool:
        return len(self.records) >= HELD_RECORDS or self.weight >= HELD_BYTES

    def taken(self) -> Scan:
        """What was found since the last time."""
        self.given += len(self.records)
        last, self.last = self.last, Scan(self.read, [], self.errors[:], self.bad, self.refused)
        part = Scan(
            self.read - last.read,
            self.records,
            self.errors[len(last.errors) :],
            self.bad - last.bad,
            self.refused - last.refused,
            self.weight,
        )
        self.records, self.weight = [], 0
        return part

    def fail(self, problem: str, position: int | None = None) -> None:
        self.bad += 1
        if self.bad > MAX_BAD:
            raise _EnoughError(f"{MAX_BAD:,} bad records")
        self.tell(problem, position)

    def tell(self, problem: str, position: int | None = None) -> None:
        if len(self.errors) < MAX_ERRORS:
            self.errors.append(RecordError(problem, self.origin, self.read if position is None else position))

    def document(self, data: bytes) -> Iterator[None]:
        """Like all of these that find records, it stops where as many are held as may be."""
        data = data.removeprefix(b"\xef\xbb\xbf").strip(_SPACE)
        if not data:
            return
        if _is_lines(data):
            for line in data.splitlines():
                if line.strip(_SPACE):
                    yield from self.value(line, _parsers.document)
        elif len(data) > LARGE:
            yield from self.large(data)
        else:
            yield from self.value(data, _parsers.document)

    def large(self, data: bytes) -> Iterator[None]:
        """A list of records that is parsed piece by piece: a parser takes up to ten times the memory of its text."""
        head = _HEAD.match(data)
        begin, parser = head.end() if head else 0, simdjson.Parser()
        while head is not None and len(data) - begin > PIECE:
            ends = [found.start() + 1 for found in _BETWEEN.finditer(data, begin + PIECE // 2, begin + PIECE)]
            # Within a record it is no list of values that ends there, and the parser says so.
            for end in ends[:-_CUTS:-1]:
                try:
                    root = parser.parse(b"[%b]" % data[begin:end])
                except (ValueError, RuntimeError):
                    continue
                yield from self.many(root)
                del root
                begin = data.index(b"{", end)
                break
            else:
                break
        rest = (head.group() if head else b"") + data[begin:]
        if len(rest) > LARGE:
            yield from self.pieces(rest)
        else:
            yield from self.value(rest, parser)

    def sifted(self, sifted: Sifted) -> Iterator[None]:
        """The same as ``document`` does; a record that is not as it should be is left to that."""
        try:
            wanted = [
                candidate
                for candidate in sifted.candidates()
                if not self.ignores(candidate.source.decode(), candidate.name.decode())
            ]
            large = len(wanted) > HELD_RECORDS or len(sifted) > HELD_BYTES
            # All of them first, so that none is given twice; too many are parsed twice rather than held.
            checked = [orjson.loads(candidate.text) for candidate in wanted if not large]
            for candidate in wanted if large else ():
                orjson.loads(candidate.text)
        except ValueError:
            yield from self.document(sifted.document())
            return
        for number, candidate in enumerate(wanted):
            self.read = candidate.number
            self.weight += weight(candidate.text)
            self.parsed(orjson.loads(candidate.text) if large else checked[number])
            if self.full:
                yield
        self.read = sifted.read

    def value(self, data: bytes, parser: simdjson.Parser) -> Iterator[None]:
        try:
            root = parser.parse(data)
        except (ValueError, RuntimeError):
            yield from self.pieces(data)
            return
        yield from self.node(root)

    def node(self, node: object) -> Iterator[None]:
        """One JSON value that simdjson accepted: a document, or a line of one."""
        if isinstance(node, simdjson.Array):
            yield from self.many(node)
            return
        if not isinstance(node, simdjson.Object):
            self.read += 1
            self.fail("is not a JSON object")
            return
        keys = frozenset(node.keys())
        if lists := keys & _LISTS:
            for name in sorted(lists):
                if isinstance(items := node.get(name), simdjson.Array):
                    yield from self.many(items)
                else:
                    self.fail(f"its member {name} is not a list", 0)
        elif "digestS3Object" not in keys:
            yield from self.many((node,))

    def many(self, items: Any) -> Iterator[None]:
        reads = 0
        for item in items:
            if type(item) is not simdjson.Object:
                self.read += reads + 1
                reads = 0
                self.fail("is not a JSON object")
            # A look-up that misses costs as much as ten that hit: reads go first.
            elif item.get("readOnly") is True:
                reads += 1
            else:
                self.read += reads
                reads = 0
                self.one(item)
                if self.full:
                    yield
        self.read += reads

    def one(self, item: simdjson.Object) -> None:
        """A record that is no read, or an envelope around one."""
        name, envelope = item.get("eventName"), ANYWHERE
        if name is None:
            if isinstance(detail := item.get("detail"), simdjson.Object) and detail.get("eventName") is not None:
                envelope = envelope_of(item)
                item, name = detail, detail.get("eventName")
            elif isinstance(text := item.get("CloudTrailEvent"), str):
                before = self.read
                if len(text) > MAX_RECORD_BYTES:
                    self.read += 1
                    self.text(text.encode("utf-8", "replace"))
                    return
                # The outer proxies are alive, and a parser serves one document at a time.
                for _ in self.value(text.encode("utf-8", "replace"), simdjson.Parser()):
                    pass  # it is but a few
                if self.read == before:
                    self.read += 1
                    self.fail("has no record in its CloudTrailEvent")
                return
        self.read += 1
        if not self.ignores(item.get("eventSource"), name):
            self.text(cast(bytes, item.mini), envelope)

    def text(self, text: bytes, envelope: Place = ANYWHERE) -> None:
        """The JSON of one record; ``read`` already counts it."""
        self.weight += weight(text)
        if len(text) > MAX_RECORD_BYTES:
            self.cut(text, f"has {len(text):,} bytes; CloudTrail writes {MAX_RECORD_BYTES:,} at most", envelope)
            return
        try:
            raw = orjson.loads(text)
        except ValueError as error:
            self.repair(text, error, envelope)
        else:
            self.measured(raw, text, envelope)

    def repair(self, text: bytes, error: ValueError, envelope: Place) -> None:
        """Keeps what an attacker could otherwise hide by making CloudTrail log one character that is not Unicode."""
        try:
            loose = json.loads(text.decode("utf-8", "replace"), strict=False)
            strict = json.dumps(loose, ensure_ascii=False).encode("utf-8", "surrogatepass").decode("utf-8", "replace")
            # NaN and numbers beyond a double are no JSON, and nothing behind this expects them.
            raw = json.loads(strict, parse_constant=lambda _: None)
        except RecursionError:
            self.cut(text, _TOO_DEEP, envelope)
            return
        except ValueError:
            self.fail(f"is not JSON: {error}")
            return
        self.fail(f"was read with replacement characters, it is not valid JSON: {error}")
        if isinstance(raw, dict) and "eventName" not in raw and "detail" in raw:
            envelope, raw = envelope_of(raw), raw["detail"]
        self.measured(raw, text, envelope)

    def measured(self, raw: object, text: bytes, envelope: Place) -> None:
        """One record that nobody has looked at how deep it is, and what it was made of."""
        # Few records have as many brackets.
        if text.count(b"{") + text.count(b"[") > MAX_RECORD_DEPTH and _depth(raw) > MAX_RECORD_DEPTH:
            self.cut(text, _TOO_DEEP, envelope)
        else:
            self.parsed(raw, envelope)

    def cut(self, text: bytes, problem: str, envelope: Place) -> None:
        """One record of which only the outside is kept: what it touches is told without values."""
        self.fail(problem)
        raw = outside(text, f"the record {problem}") if len(text) <= MAX_CUT_BYTES else None
        if raw is not None and "eventName" not in raw and isinstance(raw.get("detail"), dict):
            envelope = envelope_of(raw)
            raw = outside(orjson.dumps(raw["detail"]), f"the record {problem}")
        name = raw.get("eventName") if raw is not None else None
        if raw is not None and isinstance(name, str) and name and _may_change(raw, name):
            self.accept(raw, envelope, told=True)

    def parsed(self, raw: object, envelope: Place = ANYWHERE) -> None:
        if not isinstance(raw, dict):
            self.fail("is not a JSON object")
            return
        name = raw.get("eventName")
        if not isinstance(name, str) or not name:
            self.fail("has no eventName")
        elif _may_change(raw, name) or (self.denied and _was_to_change(raw, name)):
            self.accept(raw, envelope)

    def accept(self, raw: Mapping[str, Any], envelope: Place, told: bool = False) -> None:
        for place in (self.place, envelope):
            if place is not ANYWHERE:
                raw = place.completed(raw)
                if problem := place.contradiction(Record(raw)):
                    self.refused += 1
                    self.tell(f"is refused, for it {problem}")
                    return
        record = Record(raw)
        self.records.append(record)
        if record.withheld and not record.arns and not told:
            self.fail(f"says too little to be compared: {record.withheld}, and it names no resource")

    def pieces(self, data: bytes) -> Iterator[None]:
        """A document that is not JSON as a whole: takes it apart by its brackets and reads each part by itself."""
        garbage = False
        # One for all parts, of which each is done with before the next.
        parser = simdjson.Parser()
        for number, (begin, end, whole) in enumerate(_values(data, 0, len(data), inside=False)):
            if number >= MAX_VALUES:
                raise _EnoughError(f"{MAX_VALUES:,} values side by side")
            if data[begin] in _OPENING:
                garbage = False
                yield from self.broken(data, begin, end, whole, parser)
            elif not garbage:
                garbage = True
                self.read += 1
                self.fail("is not a JSON object")

    def broken(self, data: bytes, begin: int, end: int, whole: bool, parser: simdjson.Parser) -> Iterator[None]:
        """One of several JSON values, or one that is damaged."""
        bad = self.bad
        array = _ARRAY.search(data, begin, end)
        if array is None and data[begin] in b"{":
            yield from self.piece(data[begin:end], whole, parser)
            return
        for first, last, complete in _values(data, array.end() if array else begin + 1, end, inside=True):
            yield from self.piece(data[first:last], complete, parser)
        if self.bad == bad and end - begin <= LARGE:
            try:
                orjson.loads(data[begin:end])
            except ValueError as error:
                self.fail(f"the document around this record is not JSON: {error}")

    def piece(self, data: bytes, whole: bool, parser: simdjson.Parser) -> Iterator[None]:
        if not whole:
            self.read += 1
            self.fail("is cut off")
            return
        try:
            node = parser.parse(data)
        except (ValueError, RuntimeError):
            self.read += 1
            self.text(data)
            return
        yield from self.many((node,))


def weight(text: bytes) -> int:
    """What a record weighs: about a third of the memory that it takes once it is parsed."""
    brackets = text.count(b"[") + text.count(b"{")
    return len(text) + brackets * _BYTES_OF_A_BRACKET + text.count(b",") * _BYTES_OF_A_MEMBER


def _is_lines(data: bytes) -> bool:
    end = data.find(b"\n", 0, MAX_RECORD_BYTES)
    return end > 0 and data[:1] == b"{" and data[:end].rstrip().endswith(b"}")


def _may_change(raw: dict[str, Any], name: str) -> bool:
    return not raw.get("errorCode") and _is_write(raw, name)


def _was_to_change(raw: dict[str, Any], name: str) -> bool:
    return Record(raw).denied and _is_write(raw, name)


def _is_write(raw: dict[str, Any], name: str) -> bool:
    read_only = raw.get("readOnly")
    if read_only is None:
        read_only = _READS.match(name) is not None
    return not (is_true(read_only) or raw.get("eventCategory") in _NO_API_CALL)


def _depth(raw: object) -> int:
    """How deeply a JSON value is nested; 0 for one that has nothing in it."""
    depth = 0
    level: list[Any] = [raw] if isinstance(raw, (dict, list)) else []
    while level:
        depth += 1
        inner = (child for node in level for child in (node.values() if isinstance(node, dict) else node))
        level = [child for child in inner if isinstance(child, (dict, list))]
    return depth


def _values(data: bytes, start: int, end: int, inside: bool) -> Iterator[tuple[int, int, bool]]:
    """Begin, end and completeness of each JSON value from ``start`` to ``end``, if ``inside`` to the bracket that
    closes there.
    """
    depth, begin = 0, -1
    for number, match in enumerate(_TOKEN.finditer(data, start, end)):
        if number >= MAX_TOKENS:
            if begin >= 0:
                yield begin, match.start(), False
            raise _EnoughError(f"{MAX_TOKENS:,} brackets, texts and numbers, though it is no JSON")
        first = data[match.start()]
        if first in _OPENING:
            if depth == 0:
                begin = match.start()
            depth += 1
        elif first in _CLOSING:
            if depth == 0:
                if inside:
                    return
                yield match.start(), match.end(), True
                continue
            depth -= 1
            if depth == 0:
                yield begin, match.end(), True
                begin = -1
        elif depth == 0 and not (inside and first == ord(",")):
            yield match.start(), match.end(), True
    if begin >= 0:
        yield begin, end, False
