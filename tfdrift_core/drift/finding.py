"""What Terraform itself saw of a resource, and how that stands beside the drift that is open."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

import orjson

from tfdrift_core.drift.compare.diff import PRIVATE, Difference, Owner, Path, diff, related
from tfdrift_core.drift.compare.patch import patched
from tfdrift_core.drift.compare.schema import Node, schema_for
from tfdrift_core.drift.compare.sealed import Sealed, seal, unseal
from tfdrift_core.drift.compare.values import SENSITIVE, UNKNOWN, as_json, member, same
from tfdrift_core.drift.event import Confidence, Kind, Opening
from tfdrift_core.drift.memory import Key
from tfdrift_core.drift.present.present import Shown, masked, present, secrets_of
from tfdrift_core.drift.track import Known
from tfdrift_core.records.record import Record
from tfdrift_core.terraform.model import Attributes, Instance

_MAX_ANSWERS: Final = 1000


class Answer(StrEnum):
    CONFIRMED = "confirmed"
    """The same attribute has the same value."""
    FILLED = "filled"
    """The same attribute has drifted; records do not tell the value, and Terraform does."""
    GONE = "gone"
    """Terraform sees nothing of it any more."""
    MORE = "more"
    """No record told of this, or the last one told of another value."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a plan shows of one resource: the attributes that differ, as state has them and as they are.

    ``after`` is ``None`` where the resource is gone.  ``moment`` is when the plan was made, in nanoseconds since the
    epoch, and ``origin`` names it for people.  With ``whole``, what it does not show is not there.  ``causes`` has the
    records that explain a difference, by the name of its attribute.  ``answers`` are for whoever has no state at hand.
    """

    key: Key
    moment: int
    origin: str
    before: Attributes
    after: Attributes | None
    whole: bool = True
    causes: Mapping[str, Record] = field(default_factory=dict)
    answers: Mapping[str, tuple[Answer, str | None]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Which plan, and of when."""
        when = datetime.fromtimestamp(self.moment / 1e9, UTC)
        return f"{self.origin} ({when:%Y-%m-%d %H:%M:%S} UTC)"


@dataclass(frozen=True, slots=True)
class Compared:
    """An open drift, or one that nobody told of, and what a finding says of it.

    ``difference`` is how it is by now, ``shown`` the same as it may be printed; both are ``None`` where the resource is
    gone, or the drift is.
    """

    answer: Answer
    opening: Opening | None = None
    difference: Difference | None = None
    shown: Shown | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """``there`` is the resource as it is, in full; ``None`` where it is gone."""

    compared: Sequence[Compared]
    there: Attributes | None


def of_plan(key: Key, moment: int, origin: str, before: Attributes, after: Attributes | None, whole: bool) -> Finding:
    """A finding without the attributes that are the same on both sides."""
    if after is None:
        return Finding(key, moment, origin, {}, None, whole)
    names = [name for name in dict.fromkeys((*before, *after)) if before.get(name) != after.get(name)]
    old, new = ({name: side[name] for name in names if name in side} for side in (before, after))
    return Finding(key, moment, origin, old, new, whole)


def compare(
    known: Known, baseline: Attributes, current: Attributes | None, openings: Sequence[Opening], finding: Finding
) -> Comparison:
    """What a finding says of each open drift of a resource, and what it shows beyond them.

    ``baseline`` is what Terraform wants, ``current`` what calls are known to have left.
    """
    if finding.after is None:
        return Comparison(_deleted(openings, current), None)
    owner = Owner(known.instance.account, known.instance.region)
    shown, outdated = _differences(known, baseline, finding, owner)
    start = baseline if current is None else current
    noted = {name: value for name, value in start.items() if name.startswith(PRIVATE)}
    there = patched({**baseline, **noted} if finding.whole else start, shown)
    news = [d for d in diff(start, there, known.block, owner) if _any(d.path, [seen.path for seen in shown])]
    left = [d.path for d in diff(baseline, start, known.block, owner)]
    secrets = known.secrets | secrets_of(known.instance, there)

    def printed(difference: Difference) -> Shown:
        return present(known.instance, difference, secrets)

    compared: list[Compared] = []
    quiet: list[Opening] = []
    for opening in openings:
        here = [d for d in shown if related(d.path, opening.steps)]
        if opening.kind is Kind.DELETED or not here:
            if finding.whole and not (opening.steps and _any(opening.steps, outdated)):
                compared.append(Compared(Answer.GONE, opening))
            continue
        difference = next((d for d in here if d.path == opening.steps), None)
        if difference is None:
            steps, sealed = opening.steps or here[0].path, here[0].new
            new = sealed if isinstance(sealed, Sealed) else member(there, steps)
            difference = Difference(steps, member(baseline, steps), new)
        sealed_whole = isinstance(difference.new, Sealed)
        answer = _answer(
            opening,
            member(start, opening.steps),
            printed(difference),
            # Of a list that is sealed as a whole nothing is known but that it differs.
            told=_any(opening.steps, left) and not sealed_whole,
            differs=_any(opening.steps, [d.path for d in news]),
        )
        if sealed_whole and answer is not Answer.CONFIRMED:
            # Whoever sealed it has seen it.
            answer = finding.answers.get(opening.id, (answer, None))[0]
        if answer is not Answer.MORE:
            quiet.append(opening)
            compared.append(Compared(answer, opening, difference, printed(difference)))
    for difference in news:
        if is_computed(known, difference) or _any(difference.path, [opening.steps for opening in quiet]):
            continue
        earlier = next((o for o in openings if o.steps == difference.path and o.kind is Kind.MODIFIED), None)
        compared.append(Compared(Answer.MORE, earlier, difference, printed(difference)))
    return Comparison(compared, there)


def _deleted(openings: Sequence[Opening], current: Attributes | None) -> Sequence[Compared]:
    """Of a resource that is gone: its drift is over with it, except that it was deleted."""
    compared = [Compared(Answer.CONFIRMED if o.kind is Kind.DELETED else Answer.GONE, o) for o in openings]
    known = current is None or any(opening.kind is Kind.DELETED for opening in openings)
    return compared if known else [*compared, Compared(Answer.MORE)]


def _differences(
    known: Known, baseline: Attributes, finding: Finding, owner: Owner
) -> tuple[list[Difference], list[Path]]:
    """What a plan shows, and the paths of which it began with another version of the state, so that it says nothing."""
    block = known.block
    wanted = {name: baseline.get(name) for name in finding.before.keys() | (finding.after or {}).keys()}
    # A sealed list equals the list that it was made of, and nothing that is compared by its elements.
    wanted |= {name: value for name, value in finding.before.items() if value == wanted[name]}
    outdated = [difference.path for difference in diff(wanted, finding.before, block, owner)]
    shown = diff(finding.before, finding.after or {}, block, owner)
    return [difference for difference in shown if not _any(difference.path, outdated)], outdated


def _any(path: Path, others: Iterable[Path]) -> bool:
    return any(related(path, other) for other in others)


def is_computed(known: Known, difference: Difference) -> bool:
    """Whether the provider alone gives the attribute its value."""
    node = known.block.attributes.get(difference.attribute) if known.block else None
    return node is not None and node.computed_only


def _answer(opening: Opening, left: Any, shown: Shown, *, told: bool, differs: bool) -> Answer:
    """``left`` is the value that calls are known to have left; a sealed one equals what it was made of.

    ``told`` is whether that is a drift at all, for else only what was printed of it is known; ``differs`` is whether it
    is another value by now.
    """
    texts = (opening.new_value or "", *opening.added, *opening.removed)
    if not opening.steps or left == UNKNOWN or any(UNKNOWN in text for text in texts):
        return Answer.FILLED
    if not differs:
        return Answer.CONFIRMED
    if any(SENSITIVE in text for text in texts):
        return Answer.MORE if told else Answer.FILLED
    return Answer.CONFIRMED if _alike(opening, shown) else Answer.MORE


def _alike(opening: Opening, shown: Shown) -> bool:
    """Whether two differences, as they were printed, are the same: of a set, where its elements are."""
    if opening.added or opening.removed or shown.added or shown.removed:
        return sorted(opening.added) == sorted(shown.added) and sorted(opening.removed) == sorted(shown.removed)
    return same(_value(opening.new_value), _value(shown.new))


def _value(text: str | None) -> Any:
    document = as_json(text) if text else None
    return text if document is None else document


def to_bytes(finding: Finding, instance: Instance | None, salt: bytes) -> bytes:
    """A finding for the store of open drift, without any secret; ``instance`` knows what of it is secret.

    Without an instance nothing of its attributes is kept.
    """

    def sealed(attributes: Attributes | None) -> dict[str, Any] | None:
        if attributes is None:
            return None
        if instance is None:
            return {}
        shown, block = masked(instance, attributes), schema_for(instance.type)
        nodes = block.attributes if block is not None else {}
        return {name: _sealed(value, shown[name], nodes.get(name), salt) for name, value in attributes.items()}

    return orjson.dumps(
        {
            "moment": finding.moment,
            "origin": finding.origin,
            "before": sealed(finding.before),
            "after": sealed(finding.after),
            "whole": finding.whole,
            "answers": dict(list(finding.answers.items())[:_MAX_ANSWERS]),
        },
        default=str,
    )


def _sealed(value: Any, shown: Any, node: Node | None, salt: bytes) -> Any:
    """``value`` with what may not be shown as digests; of a list of blocks, inside of its elements."""
    nested = node.nested.attributes if node is not None and node.nested is not None else {}
    if isinstance(value, dict) and isinstance(shown, dict) and value.keys() == shown.keys() and nested:
        return {name: _sealed(member, shown[name], nested.get(name), salt) for name, member in value.items()}
    # The elements of a set are found by what they hold.
    blocks = nested and node is not None and not node.is_set
    if blocks and isinstance(value, list) and isinstance(shown, list) and len(value) == len(shown):
        return [_sealed(element, other, node, salt) for element, other in zip(value, shown, strict=True)]
    return seal(value, shown, salt)


def from_bytes(key: Key, data: bytes, salt: bytes) -> Finding:
    """:raises KeyError, TypeError, ValueError: when they are not what ``to_bytes`` gives."""
    document = orjson.loads(data)
    moment, origin, after = document["moment"], document["origin"], document["after"]
    before, answers = document["before"], document["answers"]
    if not (isinstance(moment, int) and isinstance(origin, str) and isinstance(after, dict | None)):
        raise TypeError("a member is of another type")
    if not (isinstance(before, dict) and isinstance(answers, dict)):
        raise TypeError("a member is of another type")
    return Finding(
        key,
        moment,
        origin,
        unseal(before, salt),
        None if after is None else unseal(after, salt),
        document["whole"] is True,
        answers={id: (Answer(answer), value) for id, (answer, value) in answers.items()},
    )


def summary(compared: Collection[Compared]) -> dict[str, tuple[Answer, str | None]]:
    """The answers to open drifts, by their ids, each with the value as it may be printed."""
    return {c.opening.id: (c.answer, c.shown.new if c.shown else None) for c in compared if c.opening is not None}


def verified(openings: Iterable[Opening], finding: Finding | None) -> Iterator[Opening]:
    """Openings as a finding has answered them, for whoever has no state at hand."""
    for opening in openings:
        answer, value = finding.answers.get(opening.id, (None, None)) if finding is not None else (None, None)
        if finding is None or answer is None or opening.opened > finding.moment:
            yield opening
        elif answer is not Answer.GONE:
            known = opening.new_value if answer is Answer.CONFIRMED or not opening.steps else value
            yield replace(opening, confidence=Confidence.VERIFIED, new_value=known)
