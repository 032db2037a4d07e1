"""Which of a call's effects can matter for the state at hand: most calls touch no type that it holds."""

from dataclasses import dataclass
from typing import Final

from tfdrift_core.drift.change.effect import Effect, Event, Match, expressions
from tfdrift_core.drift.change.expression import asked
from tfdrift_core.terraform.model import StateIndex

ANY: Final = "*"
"""The resource type of an effect that applies to whatever has the id or ARN."""


@dataclass(frozen=True, slots=True)
class Step:
    """An effect that matters for a state, with those of its types that the state has.

    ``asked`` are the members of the request without all of which it does nothing, ``None`` when it always may;
    ``answered`` says whether the response is asked, too.
    """

    effect: Effect
    types: tuple[str, ...]
    matches: tuple[Match, ...]
    asked: frozenset[str] | None
    answered: bool


class Plans:
    """The steps of each call for one state, made when a call first comes."""

    def __init__(self, index: StateIndex) -> None:
        self._index = index
        self._of: dict[int, tuple[Event, tuple[Step, ...]]] = {}

    def of(self, event: Event) -> tuple[Step, ...]:
        """Those of a call's effects that can touch anything managed, or make something new beside it."""
        known = self._of.get(id(event))
        if known is None:
            steps = tuple(step for effect in event.effects if (step := self._step(effect)) is not None)
            # The event is kept as well: its id is only its own while it lives.
            known = self._of[id(event)] = event, steps
        return known[1]

    def _step(self, effect: Effect) -> Step | None:
        types = tuple(type for type in effect.types if type == ANY or self._index.has_type(type))
        creates = effect.create is not None and (
            not effect.parents or any(self._index.has_type(parent) for parent, _ in effect.parents)
        )
        if not types and not creates:
            return None
        condition = effect.each or effect.when
        return Step(
            effect,
            types,
            effect.matches or _created_match(effect),
            asked(condition) if condition else None,
            _asks_response(effect),
        )


def _created_match(effect: Effect) -> tuple[Match, ...]:
    """What a create without a match may re-create: the resource that has the new id."""
    create = effect.create
    return ({"id": create.id or create.arn or create.name},) if create else ()


def _asks_response(effect: Effect) -> bool:
    return bool(effect.create or effect.transform) or any("response" in text for text in expressions(effect))
