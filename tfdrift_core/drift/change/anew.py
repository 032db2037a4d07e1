"""Resources that a call makes anew after another call has deleted them.

Terraform finds the new one by its name and compares all of it: what the call says, and what it leaves out.  What a
parameter means is known from the calls that change such a resource; what is left out is as ``catalog/fresh.json`` says,
which ``tests/judge/make_fresh.py`` writes from the provider's code.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from importlib import resources
from typing import Any

import orjson

from tfdrift_core.drift.change.apply import apply
from tfdrift_core.drift.change.effect import Effect
from tfdrift_core.drift.change.expression import Expressions, evaluate
from tfdrift_core.drift.change.scope import Scope
from tfdrift_core.drift.compare.schema import schema_for
from tfdrift_core.drift.compare.values import is_empty
from tfdrift_core.drift.event import Confidence
from tfdrift_core.terraform.model import Attributes

_PARAMETER = re.compile(r"request(\.\w+)+")
_AS_BEFORE = re.compile(r"Restore|Replica|Import|Copy|From[A-Z]|Cancel|Accept|Splitting")
"""Names of calls that make a resource like another one, with all that this has, or bring one back."""

_TAG_PARAMETERS = ("tags", "tagList", "tagsList", "tagSet")
TAGS = " || ".join([*(f"request.{name}" for name in _TAG_PARAMETERS), "request.tagSpecificationSet[].tags[]", "`[]`"])
"""The tags that a call puts on what it makes."""


@cache
def _fresh() -> Mapping[str, Mapping[str, Any]]:
    data = resources.files("tfdrift_core.catalog").joinpath("fresh.json").read_bytes()
    found: Mapping[str, Mapping[str, Any]] = orjson.loads(data)
    return found


def start(effect: Effect, type: str, wanted: Attributes) -> dict[str, Any]:
    """What Terraform wants of a resource, with those attributes unset that are not there until a call sets them."""
    unset = {**(_fresh().get(type, {}) if effect.anew is not None else {}), **effect.defaults}
    held = {name for name in unset if name in wanted and not _is_blank(wanted[name])}
    return {**wanted, **{name: unset[name] for name in held}}


def _is_blank(value: Any) -> bool:
    """Whether nothing is set in it, blocks included: then it is as good as what a fresh one has."""
    return all(map(_is_blank, value)) if isinstance(value, list) else is_empty(value)


def is_another(effect: Effect, wanted: Attributes, scope: Scope) -> bool:
    """Whether what the call made is not what state knows: the ARN is the id there, and it has another."""
    known, create = str(wanted.get("id")), effect.create
    if create is None or not known.startswith("arn:"):
        return False
    arn = str(evaluate(create.arn or create.id, scope))
    return arn.startswith("arn:") and arn != known


def attributes(effect: Effect, scope: Scope) -> Attributes:
    """What a call that made a resource says of its attributes, with nothing that only the provider's code knows."""
    plain = replace(effect.anew or effect, transform=None)
    return apply(plain, scope.having(state={}, baseline={}, gone=True), {}, schema_for(effect.types[0])) or {}


def taught(name: str, effect: Effect, all: Iterable[Effect]) -> "Effect | None":
    """What a call does to a resource that was deleted before: what its effect says, else what the others tell."""
    if effect.create is None or _AS_BEFORE.search(name):
        return None
    if effect.roots or effect.set or effect.clear or effect.transform:
        return effect
    sure = [e for e in all if set(e.types) & set(effect.types) and e.confidence is not Confidence.INFERRED]
    return replace(effect, **_learnt(effect, sure))


def _learnt(create: Effect, effects: Iterable[Effect]) -> dict[str, Any]:
    """Which parameter is which attribute, from the calls that change such a resource."""
    rename: dict[str, str | None] = dict.fromkeys(_TAG_PARAMETERS)
    paths: dict[str, str] = {}
    for effect in effects:
        rename |= effect.rename if effect.roots == ("request",) else {}
        paths |= {path: text for path, text in effect.set.items() if _PARAMETER.fullmatch(text)}
    return {"roots": ("request",), "rename": {**rename, **create.rename}, "set": Expressions(paths)}
