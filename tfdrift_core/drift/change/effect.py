"""What one call does to one kind of resource, as the catalog says it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tfdrift_core.drift.change.expression import Expressions
from tfdrift_core.drift.change.transforms.base import Transform
from tfdrift_core.drift.event import Confidence

Match = Mapping[str, str]
"""Attribute in state (JMESPath over the attributes) to expression over the record; all must be equal."""


@dataclass(frozen=True, slots=True)
class Tags:
    """What a call does to tags: lays ``put`` over them, takes the keys ``remove`` away, or makes them ``replace``.

    ``put`` and ``replace`` are a map or a list of key and value; ``remove`` is a list of keys, or of keys with the
    value that the tag must have to be removed (EC2).
    """

    put: str = ""
    remove: str = ""
    replace: str = ""


@dataclass(frozen=True, slots=True)
class Create:
    """How the record names what it created."""

    id: str = ""
    arn: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Effect:
    """What one call does to one kind of resource.  CONTRIBUTING.md describes every member."""

    types: tuple[str, ...]
    when: str = ""
    each: str = ""
    matches: tuple[Match, ...] = ()
    roots: tuple[str, ...] = ()
    rename: Mapping[str, str | None] = field(default_factory=dict)
    set: Expressions = field(default_factory=Expressions)
    const: Mapping[str, Any] = field(default_factory=dict)
    add: Mapping[str, str] = field(default_factory=dict)
    remove: Mapping[str, str] = field(default_factory=dict)
    unknown: Expressions = field(default_factory=Expressions)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    tags: Tags | None = None
    delete: bool = False
    restore: bool = False
    create: Create | None = None
    parents: tuple[tuple[str, Match], ...] = ()
    other: tuple[tuple[str, Match], ...] = ()
    fallback: bool = False
    transform: Transform | None = None
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    clear: Mapping[str, Any] = field(default_factory=dict)
    confidence: Confidence = Confidence.EXACT
    anew: "Effect | None" = None
    """What a call that makes such a resource does to one that was deleted before."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event name of one service.  ``ignored`` is the reason why it is not mapped, "" when ``effects`` map it."""

    service: str
    name: str
    effects: tuple[Effect, ...] = ()
    ignored: str = ""


def expressions(effect: Effect) -> Iterable[str]:
    """Every expression of an effect that is evaluated over the record."""
    matches = [*effect.matches, *(match for _, match in (*effect.parents, *effect.other))]
    tags, create = effect.tags or Tags(), effect.create or Create()
    yield from (
        text
        for text in (
            *(expression for match in matches for expression in match.values()),
            effect.when,
            effect.each,
            *effect.roots,
            *effect.set.values(),
            *effect.add.values(),
            *effect.remove.values(),
            *effect.unknown.values(),
            *(tags.put, tags.remove, tags.replace),
            *(create.id, create.arn, create.name),
        )
        if text
    )
