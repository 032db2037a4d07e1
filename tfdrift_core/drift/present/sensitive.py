"""The members of calls that the models of botocore mark sensitive.

The data is ``sensitive.txt.gz``: one line for each operation that has any, ``services<TAB>operation<TAB>members``.  A
member is written behind the member that it is in, without case and punctuation: ``custom.credentialsmap``.
``tests/drift/present/make_sensitive.py`` writes it.
"""

import gzip
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources

from tfdrift_core.records.record import Record

NONE: frozenset[tuple[str, str]] = frozenset()
OF_MAP = "{}"
"""Ends the name of a map, of whose values something is a member."""

_WRAPPERS = frozenset({"items", "item", "member", "members", "entry"})
"""Members that a record has around the elements of a list, and a model has not, or not always."""
_BODIES = ("request", "response", "input", "output", "result")


@cache
def _lines() -> Mapping[str, Sequence[tuple[frozenset[str], str]]]:
    """Services and members by operation."""
    data = resources.files("tfdrift_core.drift.present").joinpath("sensitive.txt.gz").read_bytes()
    found: dict[str, list[tuple[frozenset[str], str]]] = {}
    for line in gzip.decompress(data).decode().splitlines():
        services, operation, members = line.split("\t")
        found.setdefault(operation, []).append((frozenset(services.split(",")), members))
    return found


@cache
def _services() -> frozenset[str]:
    return frozenset(name for entries in _lines().values() for services, _ in entries for name in services)


def sensitive_members(record: Record) -> frozenset[tuple[str, str]]:
    """The sensitive members of a record's call, each behind the member that it is in; "" is the top.

    A service under a name that no model has counts as every service that has such an operation.
    """
    entries = _lines().get(record.operation, ())
    if not entries:
        return NONE
    service = record.service
    return frozenset(
        (parent, name)
        for services, members in entries
        if service in services or service not in _services()
        for parent, _, name in (member.partition(".") for member in members.split(" "))
    )


def within(name: str, parents: tuple[str, ...]) -> tuple[str, ...]:
    """What members inside of ``name`` may be said to be in, which is itself in ``parents``."""
    around = tuple(f"{parent}{OF_MAP}" for parent in parents if parent)
    if name in _WRAPPERS:
        return (name, *parents, *around)
    return (name, "") if "" in parents and name.endswith(_BODIES) else (name, *around)
