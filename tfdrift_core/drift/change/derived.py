"""What was derived from public sources of the calls that no catalog file describes.

``tfdrift_core/catalog/derived.txt.gz`` has one line per event source, ``source<TAB>JSON``, so that only the sources in
use are parsed; ``tools/derive`` writes it and says how.  The object has ``types``, the resource types of the service;
``events``, an entry of a catalog file for each call; and ``silent``, the calls that concern no resource type.
"""

import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any, Final

import orjson


@dataclass(frozen=True)
class Derived:
    """One event source: its resource types, entries by event name, and the calls that concern none of the types."""

    types: Sequence[str] = ()
    events: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    silent: frozenset[str] = frozenset()


@cache
def read() -> bytes:
    """The file as it is, read before it can be replaced."""
    return resources.files("tfdrift_core.catalog").joinpath("derived.txt.gz").read_bytes()


@cache
def _lines() -> Mapping[str, str]:
    pairs = (line.partition("\t") for line in gzip.decompress(read()).decode().splitlines())
    return {source: text for source, _, text in pairs}


def sources() -> Sequence[str]:
    """Every event source of which something is known."""
    return tuple(_lines())


_NOTHING: Final = Derived()


def derived(source: str) -> Derived:
    """What is known of an event source; nothing of one that is unknown."""
    return _parsed(source) if source in _lines() else _NOTHING


@cache
def _parsed(source: str) -> Derived:
    document = orjson.loads(_lines()[source])
    return Derived(document["types"], document["events"], frozenset(document["silent"]))
