"""Holds what a catalog file names to the provider's schema, and to the rest of the file."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, get_args, get_type_hints

from tfdrift_core.drift.change.assign import parse_path
from tfdrift_core.drift.change.check.document import Place
from tfdrift_core.drift.change.check.spelling import near
from tfdrift_core.drift.change.expression import ExpressionError, request_fields
from tfdrift_core.drift.change.transforms import TRANSFORMS
from tfdrift_core.drift.change.transforms.base import Attribute
from tfdrift_core.drift.compare.schema import Block, resource_types, schema_for

_Steps = tuple[str | int, ...]
_UNKNOWN: Final = "*"
"""The type of whatever has the id, and in place of one that cannot be read: any attribute may be right."""


def unknown_names(content: Any, broken: Collection[_Steps]) -> list[tuple[Place, str]]:
    """Types and attributes that the provider does not have, and calls that stand in the file twice.

    ``broken`` are the places of what does not fit the schema, of which nothing more can be said.
    """
    if not isinstance(content, dict):
        return []
    events, ignored = _mapping(content.get("events")), _mapping(content.get("ignored"))
    return [*_of_provider(content, events, broken), *_twice(events, ignored)]


def _of_provider(
    content: Mapping[str, Any], events: Mapping[str, Any], broken: Collection[_Steps]
) -> Iterator[tuple[Place, str]]:
    provider = _Provider(frozenset(name for name in _listed(content.get("new_types")) if isinstance(name, str)))
    for name, effects in events.items():
        place: _Steps = ("events", name)
        sound = {
            (*place, index): {
                member: value
                for member, value in _mapping(effect).items()
                if _is_plain(value) and not any(steps[:4] == (*place, index, member) for steps in broken)
            }
            for index, effect in enumerate(_listed(effects))
        }
        # Effects share renames: one of the types that the call touches has the attribute.
        touched = [type for effect in sound.values() for type in _listed(effect.get("type", _UNKNOWN))]
        for at, effect in sound.items():
            yield from provider.effect(effect, touched, at)


def _twice(events: Mapping[str, Any], ignored: Mapping[str, Any]) -> Iterator[tuple[Place, str]]:
    seen = set(events)
    for reason, names in ignored.items():
        for index, name in enumerate(_listed(names)):
            if isinstance(name, str):
                if name in seen:
                    yield Place(("ignored", reason, index)), f"{name!r} stands in this file already"
                seen.add(name)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _is_plain(value: Any) -> bool:
    """Whether all names below a value are text."""
    if isinstance(value, dict):
        return all(isinstance(name, str) for name in value) and all(map(_is_plain, value.values()))
    return all(map(_is_plain, value)) if isinstance(value, list) else True


@dataclass(frozen=True, slots=True)
class _Provider:
    """What the provider's schema knows of an effect; it need not know the types ``new``."""

    new: frozenset[str]

    def effect(self, effect: Mapping[str, Any], touched: Sequence[str], at: _Steps) -> Iterator[tuple[Place, str]]:
        given = effect.get("type", _UNKNOWN)
        types = _listed(given)
        for index, name in enumerate(types):
            yield from self._type(name, Place((*at, "type", index) if isinstance(given, list) else (*at, "type")))
        for member in ("set", "const", "add", "remove", "unknown", "clear", "defaults", "key"):
            names = effect.get(member) or ()
            for index, name in enumerate(names):
                step = index if isinstance(names, list) else name
                yield from self._attribute(types, name, Place((*at, member, step), name=True))
        for logged, name in (effect.get("rename") or {}).items():
            if name not in (None, ".") and "." not in logged:
                yield from self._attribute(touched, name, Place((*at, "rename", logged)))
        yield from self._matches(types, effect.get("match"), (*at, "match"))
        for member in ("parent", "other"):
            for name, match in (effect.get(member) or {}).items():
                yield from self._type(name, Place((*at, member, name), name=True))
                yield from self._matches([name], match, (*at, member, name))
        yield from self._options(types, effect, (*at, "with"))

    def _type(self, name: str, place: Place) -> Iterator[tuple[Place, str]]:
        if name != _UNKNOWN and name not in self.new and schema_for(name) is None:
            hint = near(name, resource_types())
            yield place, f"the provider has no {name!r}{hint or '; name it in new_types if it is newer than TFDrift'}"

    def _attribute(self, types: Iterable[str], path: str, place: Place) -> Iterator[tuple[Place, str]]:
        """A fault if all of the types are known and none has the attribute."""
        blocks = {name: schema_for(name) for name in types}
        hints = [_wrong(block, path) if block else None for block in blocks.values()]
        if hints and None not in hints:
            yield place, f"no {path!r} in {' and '.join(blocks)}{next(filter(None, hints), '')}"

    def _matches(self, types: Sequence[str], match: Any, at: _Steps) -> Iterator[tuple[Place, str]]:
        for index, alternative in enumerate(_listed(match or [])):
            for text in alternative:
                steps = (*at, index, text) if isinstance(match, list) else (*at, text)
                place = Place(steps, name=True)
                try:
                    chains = request_fields(text)
                except ExpressionError as error:
                    yield place, str(error)
                    continue
                for chain in chains:
                    yield from self._attribute(types, ".".join(chain), place)

    def _options(self, types: Sequence[str], effect: Mapping[str, Any], at: _Steps) -> Iterator[tuple[Place, str]]:
        """The options of a transform that name attributes."""
        if "transform" not in effect:
            return
        hints = get_type_hints(TRANSFORMS[effect["transform"]], include_extras=True)
        for option, value in (effect.get("with") or {}).items():
            hint = hints.get(option)
            if hint == Attribute:
                yield from self._attribute(types, value, Place((*at, option)))
            elif Attribute in get_args(hint):
                for name, path in value.items():
                    yield from self._attribute(types, path, Place((*at, option, name)))


def _wrong(block: Block, path: str) -> str | None:
    """The right spelling of the first step of a path that the schema does not have, ``None`` where it has all."""
    known: Mapping[str, Any] = block.attributes
    for step in parse_path(path):
        if isinstance(step, str):
            if step not in known:
                return near(step, known)
            node = known[step]
            if node.kind in ("map", "dynamic"):
                return None
            known = node.nested.attributes if node.nested else {}
    return None
