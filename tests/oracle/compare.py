"""Compares what TFDrift reports with what Terraform judged, and says precisely where they differ.

A judgement is the plan's ``resource_drift``, flattened: one object per resource and attribute path with ``address``,
``type``, ``action`` (``update`` or ``delete``), ``attribute`` (the path, null for a delete), ``before`` and ``after``;
``added`` and ``removed`` for sets; ``computed_only`` where only the provider computes the attribute: nice to report,
not owed; ``cosmetic`` where only the spelling differs: not drift.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.nodes import node_at
from tfdrift_core.drift.event import Confidence, DriftEvent, Kind

Item = Mapping[str, Any]

MASKS = ("(sensitive)", "(unknown)")
SECRETS = re.compile(r"environment|user_data|password|secret|(^|_)token|auth_token|private_key|credential")
QUIET = frozenset({"noop", "readonly", "error", "reverted", "ignored"})
"""Kinds of scenario in which even an unmanaged resource would be wrong."""

_STEP = re.compile(r"\[(\d+)\]|([^.\[\]]+)")
_ROOT = re.compile(r"arn:aws[\w-]*:iam::(\d{12}):root")


@dataclass
class Comparison:
    """One scenario.  ``wrong`` pairs what was judged with what was reported instead."""

    name: str
    service: str
    kind: str
    right: list[Item] = field(default_factory=list)
    masked: list[Item] = field(default_factory=list)
    missing: list[Item] = field(default_factory=list)
    unowed: list[Item] = field(default_factory=list)
    wrong: list[tuple[Item, DriftEvent, str]] = field(default_factory=list)
    extra: list[tuple[DriftEvent, str]] = field(default_factory=list)
    unmanaged: list[DriftEvent] = field(default_factory=list)
    raised: str = ""

    @property
    def good(self) -> bool:
        return not (self.missing or self.wrong or self.extra or self.raised)

    @property
    def lacks_unmanaged(self) -> bool:
        """Something was created outside Terraform and nothing said so."""
        return self.kind == "unmanaged" and not self.unmanaged

    def numbers(self) -> Counter[str]:
        return Counter(
            right=len(self.right) + len(self.masked),
            wrong=len(self.wrong),
            extra=len(self.extra),
            missing=len(self.missing),
        )


def precision(numbers: Mapping[str, int]) -> float:
    said = numbers["right"] + numbers["wrong"] + numbers["extra"]
    return numbers["right"] / said if said else 1.0


def recall(numbers: Mapping[str, int]) -> float:
    owed = numbers["right"] + numbers["wrong"] + numbers["missing"]
    return numbers["right"] / owed if owed else 1.0


def compare(scenario: Mapping[str, Any], events: Sequence[DriftEvent]) -> Comparison:
    """Lays the events over the judgement of one scenario (``name``, ``service``, ``kind``, ``records``, ``drift``)."""
    result = Comparison(scenario["name"], scenario["service"], scenario["kind"])
    silent = scenario["kind"] == "ignored"
    judged = {_key(item): item for item in scenario["drift"] if not silent and not item.get("cosmetic")}
    everything = json.dumps(scenario["records"])
    open_items = dict(judged)
    for event in events:
        if event.kind is Kind.EXPECTED:
            continue
        if event.kind is Kind.UNMANAGED:
            if scenario["kind"] in QUIET:
                result.extra.append((event, "unmanaged, where nothing was created"))
            else:
                result.unmanaged.append(event)
            continue
        logged = json.dumps(event.record.raw) if event.record.raw else everything
        key: tuple[str, str | None] = (event.resource.address, None if event.kind is Kind.DELETED else event.path)
        emptied = (event.resource.address, "policy")
        if key[1] is None and key not in judged and emptied in open_items and not open_items[emptied]["after"]:
            key = (
                emptied  # the provider keeps a policy resource with an empty document; saying that it is gone is better
            )
            result.right.append(open_items.pop(key))
            continue
        if key not in judged:
            covered = [k for k, item in open_items.items() if _covers(event, k) and hidden(item, logged)]
            result.masked += [open_items.pop(k) for k in covered]
            if not covered:
                result.extra.append((event, _why_extra(event, judged)))
        elif key not in open_items:
            result.extra.append((event, "reported twice"))
        else:
            item = open_items.pop(key)
            _value(result, item, event, hidden(item, logged))
    for item in open_items.values():
        (result.missing if owed(item, everything) else result.unowed).append(item)
    return result


def _key(item: Item) -> tuple[str, str | None]:
    return item["address"], None if item["action"] == "delete" else item["attribute"]


def _value(result: Comparison, item: Item, event: DriftEvent, masks: bool) -> None:
    if item["action"] == "delete":
        result.right.append(item)
        return
    differing = [
        f"{name}: {difference}"
        for name, said, judged in (
            ("old", event.old_value, item["before"]),
            ("new", event.new_value, item["after"]),
        )
        if not (masks and said in MASKS) and (difference := _difference(said, judged, "added" in item, masks))
    ]
    if "added" in item and not any(text in MASKS for text in (event.old_value, event.new_value)):
        for name, elements in (("added", event.added), ("removed", event.removed)):
            # A text that is a number in digits is a text all the same.
            texts = all(isinstance(element, str) for element in item[name])
            unlike = _unlike(elements if texts else [_parse(element) for element in elements], item[name], masks)
            if unlike:
                differing.append(f"{name}: {unlike}")
    if differing:
        result.wrong.append((item, event, "\n".join(differing)))
    elif masks and any(mask in (event.new_value or "") for mask in MASKS):
        result.masked.append(item)
    else:
        result.right.append(item)


def _difference(said: str | None, judged: Any, is_set: bool, masks: bool) -> str:
    """What differs between text and judged value, "" for nothing."""
    if equal(said, judged, is_set):
        return ""
    elements = _parse(said or "[]")
    if is_set and isinstance(elements, list):
        return _unlike(elements, judged or [], masks)
    return f"judged {show(judged)}, reported {show_text(said)}"


def _unlike(said: Sequence[Any], judged: Sequence[Any], masks: bool) -> str:
    """The elements of two sets that have no like in the other; masked members are like anything where ``masks``."""
    left = _forms(judged)
    surplus = []
    for form in _forms(said):
        like = next((other for other in left if form == other or (masks and _fits(form, other))), None)
        if like is None:
            surplus.append(form)
        else:
            left.remove(like)
    texts = [f"judged alone {show(element)}" for element in left]
    texts += [f"reported alone {show(element)}" for element in surplus]
    return "; ".join(texts)


def _fits(said: Any, judged: Any) -> bool:
    if said in MASKS:
        return True
    if isinstance(said, dict) and isinstance(judged, dict):
        return said.keys() == judged.keys() and all(_fits(said[key], judged[key]) for key in said)
    if isinstance(said, list) and isinstance(judged, list):
        return len(said) == len(judged) and all(map(_fits, said, judged))
    return bool(said == judged)


def _covers(event: DriftEvent, key: tuple[str, str | None]) -> bool:
    """Whether the event says that something at or above the judged path changed to what the record does not tell."""
    address, path = key
    return (
        event.kind is Kind.MODIFIED
        and event.new_value in MASKS
        and bool(event.path)
        and event.resource.address == address
        and path is not None
        and steps(path)[: len(steps(event.path))] == steps(event.path)
    )


def _why_extra(event: DriftEvent, judged: Mapping[tuple[str, str | None], Item]) -> str:
    inferred = " (inferred)" if event.confidence is Confidence.INFERRED else ""
    paths = [path for address, path in judged if address == event.resource.address]
    if not paths:
        return f"Terraform sees no drift in this resource{inferred}"
    if None in paths:
        return f"Terraform sees the resource gone{inferred}"
    near = [p for p in paths if p and event.path and (_within(p, event.path) or _within(event.path, p))]
    if near:
        return f"Terraform reports it at {', '.join(near)}{inferred}"
    return f"Terraform sees no drift at this path{inferred}"


def _within(path: str, outer: str) -> bool:
    return steps(path)[: len(steps(outer))] == steps(outer)


def steps(path: str) -> tuple[str | int, ...]:
    """``a[0].b`` is ``("a", 0, "b")``."""
    return tuple(int(number) if number else name for number, name in _STEP.findall(path))


def owed(item: Item, logged: str) -> bool:
    """Whether the item must be reported: not what only the provider computes.

    Nor a scalar that the provider fills in when the configuration does not, with a value that the records do not tell:
    the network interface of the instance that an address was moved to.
    """
    if item.get("computed_only"):
        return False
    node = node_at(item["type"], steps(item["attribute"] or ""))
    filled = node is not None and node.computed and node.kind in ("string", "number")
    after = item["after"]
    if not (filled and isinstance(after, str) and after):
        return True
    # The digits of a short number are part of much that is logged.
    return (json.dumps(after) if after.isdigit() else after) in logged


def hidden(item: Item, logged: str) -> bool:
    """Whether the value may be masked: it is a secret, or the records do not tell it."""
    path = steps(item["attribute"] or "")
    if any(isinstance(step, str) and SECRETS.search(step) for step in path):
        return True
    nodes = (node_at(item["type"], path[: end + 1]) for end in range(len(path)))
    if any(node and node.sensitive for node in nodes):
        return True
    news = set(_leaves(item["after"])) - set(_leaves(item["before"]))
    if any(leaf and json.dumps(leaf)[1:-1] not in logged for leaf in news):
        return True
    gone = [leaf for leaf in _leaves(item.get("removed", [])) if leaf]
    return not news and bool(gone) and not any(json.dumps(leaf)[1:-1] in logged for leaf in gone)


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for member in value.values():
            yield from _leaves(member)
    elif isinstance(value, list):
        for element in value:
            yield from _leaves(element)
    elif isinstance(value, str):
        document = _document(value)
        if document is None:
            yield value
        else:
            yield from _leaves(document)


# --- values


def equal(said: str | None, judged: Any, is_set: bool = False) -> bool:
    """Whether the text of an event stands for the judged value."""
    if judged in (None, "", [], {}):
        return said in (None, "", "[]", "{}")
    if said is None:
        return False
    if isinstance(judged, str):
        return said == judged or _meaning(said) == _meaning(judged)
    parsed = _parse(said)
    if is_set and isinstance(parsed, list):
        return _multiset(parsed) == _multiset(judged)
    return isinstance(parsed, bool) == isinstance(judged, bool) and _form(parsed) == _form(judged)


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _multiset(elements: Iterable[Any]) -> Counter[str]:
    return Counter(json.dumps(form, sort_keys=True) for form in _forms(elements))


def _forms(elements: Iterable[Any]) -> list[Any]:
    """The elements of a set; the provider writes an element in which nothing is set for a set without elements."""
    return [form for element in elements if (form := _form(element, within_set=True)) != {}]


def _form(value: Any, within_set: bool = False) -> Any:
    """A value with what means unset left out; inside an element of a set the order of plain lists does not matter."""
    if isinstance(value, dict):
        members = {key: _form(member, within_set) for key, member in value.items()}
        return {key: member for key, member in members.items() if member not in (None, "", 0, False, [], {})}
    if isinstance(value, list):
        elements = [_form(element, within_set) for element in value]
        return sorted(elements, key=lambda e: json.dumps(e, sort_keys=True)) if within_set else elements
    return _meaning(value) if isinstance(value, str) else value


def _document(text: str) -> Any:
    if text[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None


def _meaning(text: str) -> Any:
    document = _document(text)
    return text if document is None else {"document": _policy(document)}


def _policy(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {"AWS"} and value["AWS"] == "*":
            return "*"
        return {key: _policy(member) for key, member in value.items()}
    if isinstance(value, list):
        elements = sorted((_policy(element) for element in value), key=lambda e: json.dumps(e, sort_keys=True))
        return elements[0] if len(elements) == 1 else elements
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    return _ROOT.sub(r"\1", value) if isinstance(value, str) else value


# --- printing


def show(value: Any, width: int = 200) -> str:
    return show_text(value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False), width)


def show_text(text: str | None, width: int = 200) -> str:
    if text is None:
        return "absent"
    return text if len(text) <= width else f"{text[: width - 1]}…"


def describe(item: Item) -> str:
    if item["action"] == "delete":
        return f"{item['address']}  deleted"
    marks = "".join(f"  ({mark})" for mark in ("computed_only",) if item.get(mark))
    if "added" in item:
        change = "".join(
            f"  {sign}{show(element)}" for sign, name in (("+", "added"), ("-", "removed")) for element in item[name]
        )
    else:
        change = f"  {show(item['before'])} → {show(item['after'])}"
    return f"{item['address']}  {item['attribute']}{change}{marks}"


def describe_event(event: DriftEvent) -> str:
    where = event.resource.address or f"{event.resource.type} {event.resource.id}"
    if event.kind is not Kind.MODIFIED:
        return f"{where}  {event.kind}"
    if event.added or event.removed:
        change = "".join(f"  +{show_text(e)}" for e in event.added) + "".join(
            f"  -{show_text(e)}" for e in event.removed
        )
    else:
        change = f"  {show_text(event.old_value)} → {show_text(event.new_value)}"
    return f"{where}  {event.path or '(no path)'}{change}"
