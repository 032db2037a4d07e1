"""Finds resources and instances in the bytes of a state without building the document in memory.

State format 4 is a Go struct, ``stateV4`` in Terraform's ``internal/states/statefile/version4.go``; OpenTofu kept it.
One regular expression steps over a whole JSON value at once, in any layout and member order, so that only the spans of
the instances are kept.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from mmap import mmap
from typing import Any

import orjson

_DEPTH = 64
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'


def _nested(depth: int) -> bytes:
    inner = rb'[^\[\]{}"]++|' + _STRING
    if depth:
        inner += b"|" + _nested(depth - 1)
    return rb"[\[{](?:" + inner + rb")*+[\]}]"


_VALUE = re.compile(_nested(_DEPTH) + b"|" + _STRING + rb"|[-+.\w]++", re.DOTALL)
_KEY = re.compile(rb"[\s,]*+(" + _STRING + rb")\s*+:\s*+", re.DOTALL)
_ITEM = re.compile(rb"[\s,]*+(?=\{)")
_ELEMENT = re.compile(rb"[\s,]*+(?=[^\s,\]])")
_SPACE = re.compile(rb"\s*+")
_OBJECT = re.compile(rb"\s*+\{")
_SMALL = {b"version", b"terraform_version", b"serial", b"lineage"}
_BOM = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_ENCRYPTED = {b"encrypted_data", b"encryption_version"}


class StateError(Exception):
    """A state cannot be used; the message says what is wrong and what to do, the caller says where."""


class EncryptedError(StateError):
    """A state that OpenTofu has encrypted."""


@dataclass(slots=True)
class ResourceSpans:
    """One ``resources`` entry: its scalar members and the byte spans of its instances."""

    members: dict[str, Any] = field(default_factory=dict)
    spans: list[tuple[int, int]] = field(default_factory=list)


@dataclass(slots=True)
class Scan:
    """The skeleton of a state document."""

    serial: int = 0
    lineage: str = ""
    terraform_version: str = ""
    resources: list[ResourceSpans] = field(default_factory=list)


def scan(raw: bytes) -> Scan:
    """The skeleton of the state in ``raw``.

    :raises StateError: when it is not a complete, unencrypted state of format 4.
    """
    reader = Reader(raw)
    if _SPACE.fullmatch(raw):
        raise StateError("the state is empty; run terraform apply, or remove it from the configuration")
    found = Scan()
    header: dict[bytes, Any] = {}
    for key in reader.members():
        if key == b"resources":
            found.resources = [_resource(reader) for _ in reader.items()]
        elif key in _SMALL:
            header[key] = reader.value()
        else:
            if key in _ENCRYPTED:
                raise EncryptedError(
                    "the state is encrypted by OpenTofu; TFDrift cannot decrypt it: give it an unencrypted copy, "
                    "or write the state without state encryption"
                )
            reader.skip()
    _check_version(header)
    found.serial = header[b"serial"] if isinstance(header.get(b"serial"), int) else 0
    found.lineage = str(header.get(b"lineage") or "")
    found.terraform_version = str(header.get(b"terraform_version") or "")
    return found


def identity(raw: bytes) -> tuple[str, int]:
    """Lineage and serial of the state in ``raw``, which is read no further than they stand.

    :raises StateError: when it is no state.
    """
    found: dict[bytes, Any] = {}
    reader = Reader(raw)
    for key in reader.members():
        if key in _SMALL:
            found[key] = reader.value()
        else:
            reader.skip()
        if found.keys() >= {b"lineage", b"serial", b"version"}:
            break
    _check_version(found)
    serial = found.get(b"serial")
    return str(found.get(b"lineage") or ""), serial if isinstance(serial, int) else 0


def _check_version(header: dict[bytes, Any]) -> None:
    version = header.get(b"version")
    if not isinstance(version, int):
        raise StateError('this is not a Terraform state: it has no "version"; check the location')
    if version < 4:
        writer = header.get(b"terraform_version") or "0.11 or older"
        raise StateError(
            f"state format {version} (Terraform {writer}) is too old; run terraform apply -refresh-only with "
            "Terraform 0.12 or newer, which writes format 4"
        )
    if version > 4:
        raise StateError(f"state format {version} is newer than this TFDrift knows (4); update TFDrift")


def _resource(reader: "Reader") -> ResourceSpans:
    found = ResourceSpans()
    for key in reader.members():
        if key == b"instances":
            found.spans = [reader.skip() for _ in reader.items()]
        else:
            found.members[key.decode(errors="replace")] = reader.value()
    return found


class Reader:
    """Steps over the JSON of a large document, which may be mapped into memory; ``what`` names it in errors."""

    def __init__(self, raw: bytes | mmap, what: str = "state", mend: str = "restore the state or push it anew") -> None:
        self._raw, self._what, self._mend = raw, what, mend
        # Windows' tools write it in front of what they save; the state is whole nevertheless.
        self._start = self._at = len(_BOM) if raw[:3] == _BOM else 0

    def members(self) -> Iterator[bytes]:
        """The keys of the object here; the caller takes each value before it asks for the next key."""
        yield from self._inside(b"{", b"}", _KEY, 1)

    def items(self) -> Iterator[bytes]:
        """One step for each object of the array here; ``null`` is an empty array."""
        if self._raw[self._at : self._at + 4] == b"null":
            self._at += 4
            return
        yield from self._inside(b"[", b"]", _ITEM, 0)

    def objects(self) -> Iterator[dict[str, Any]]:
        """The objects in the array here, each parsed when it is asked for; anything else than an array has none."""
        for start, end in self.spans():
            value = orjson.loads(self._raw[start:end])
            if isinstance(value, dict):
                yield value

    def spans(self) -> Iterator[tuple[int, int]]:
        """Where the elements of the array here are; anything else than an array has none."""
        if self.opening != b"[":
            self.skip()
            return
        for _ in self._inside(b"[", b"]", _ELEMENT, 0):
            yield self.skip()

    def finish(self) -> None:
        """
        :raises StateError: when anything follows what was read.
        """
        space = _SPACE.match(self._raw, self._at)
        if space is None or space.end() < len(self._raw):
            raise self._fault("the end")

    @property
    def opening(self) -> bytes:
        """The first character of the value here."""
        return self._raw[self._at : self._at + 1]

    def skip(self) -> tuple[int, int]:
        match = _VALUE.match(self._raw, self._at)
        if match is None:
            raise self._fault("a complete value (it may be cut off, or nested too deeply)")
        self._at = match.end()
        return match.span()

    def _is_cut_off(self) -> bool:
        """Whether all that is wrong is that the document does not go on."""
        try:
            orjson.loads(self._raw[self._start :])
        except orjson.JSONDecodeError as error:
            return "unexpected end of data" in str(error)
        return False

    def value(self) -> Any:
        start, end = self.skip()
        try:
            return orjson.loads(self._raw[start:end])
        except orjson.JSONDecodeError:
            self._at = start
            raise self._fault("a value") from None

    def _inside(self, opening: bytes, closing: bytes, step: re.Pattern[bytes], group: int) -> Iterator[bytes]:
        self._expect(opening)
        while match := step.match(self._raw, self._at):
            self._at = match.end()
            yield match[group][1:-1]
        self._expect(closing)

    def _expect(self, token: bytes) -> None:
        space = _SPACE.match(self._raw, self._at)
        self._at = space.end() if space else self._at
        if self._raw[self._at : self._at + 1] != token:
            raise self._fault(f'"{token.decode()}"')
        self._at += 1

    def _fault(self, wanted: str) -> StateError:
        if self._raw[:2] in _UTF16:
            return StateError(f"this is UTF-16, which PowerShell's > writes; save the {self._what} as UTF-8")
        if not _OBJECT.match(self._raw, self._start):
            return StateError(f"this is not JSON, so not a Terraform {self._what}; check the location")
        end = f"the end: the {self._what} is cut off"
        seen = end if self._is_cut_off() else f"something else: the {self._what} is damaged"
        return StateError(f"expected {wanted} at byte {self._at} of {len(self._raw)}, found {seen}; {self._mend}")
