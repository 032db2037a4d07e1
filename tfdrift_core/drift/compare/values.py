"""Attribute values: Terraform's idea of equality, of conversion and of printing."""

import json
import math
import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

from tfdrift_core.drift import names
from tfdrift_core.drift.compare.forms import form
from tfdrift_core.drift.effort import TooMuchWorkError

SENSITIVE = "(sensitive)"
UNKNOWN = "(unknown)"
"""Stands for a value that the call changed and CloudTrail does not log."""

MAX_DEPTH = 100
"""A JSON document with more levels is taken for the text that it is in."""

_EMPTY = (None, "", False, 0)
_ACCOUNT_ROOT = re.compile(r"arn:aws[\w-]*:iam::(\d{12}):root")
_POINT = re.compile(r"[.eE]")
_ARN_STEP = re.compile("[/:]")
_CIDR = re.compile(r"[0-9a-fA-F.:]+/\d{1,3}")
_NUMBERS = frozenset({"maxReceiveCount"})
"""Members of JSON documents that AWS keeps as numbers, however they were written."""
_POLICY_SETS = frozenset({"Action", "NotAction", "Resource", "NotResource", "AWS", "Service", "Federated", "Statement"})


def is_empty(value: Any) -> bool:
    """Null, or what a provider writes for something that is not set."""
    if isinstance(value, dict):
        return all(is_empty(member) for member in value.values())
    if isinstance(value, list):
        return not value
    return value in _EMPTY


def render(value: Any) -> str | None:
    """A value as text: strings bare, everything else as compact JSON with sorted keys; null is absent.

    A JSON document in a string stays as it was written, but on one line, as an alert needs it.
    """
    if value is None:
        return None
    if isinstance(value, str):
        document = as_json(value) if "\n" in value else None
        return value if document is None else json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    if isinstance(value, float) and value.is_integer() and math.isfinite(value):
        value = int(value)
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def as_list(value: Any) -> list[Any]:
    if value in (None, "", {}):
        return []
    return value if isinstance(value, list) else [value]


def as_number(value: Any) -> int | float | None:
    """The number that a JSON number or its text stands for."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, (int, float)):
        return value
    if isinstance(value, str) and len(value) <= 40 and not value[:1].isalpha():
        try:
            number = float(value) if _POINT.search(value) else int(value)
        except ValueError:
            return None
        return number if math.isfinite(number) else None
    return None


def as_bool(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return {"true": True, "false": False, "enabled": True, "disabled": False, "1": True, "0": False}.get(
            value.lower()
        )
    return {0: False, 1: True}.get(value) if isinstance(value, int) else None


def as_json(value: Any) -> Any:
    """The object or list that a JSON document in a string holds, else ``None``."""
    if isinstance(value, (dict, list)):
        return value
    if not isinstance(value, str) or value.lstrip()[:1] not in ("{", "["):
        return None
    try:
        # NaN is no JSON, and equals nothing, not even itself.
        document = json.loads(value, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, (dict, list)):
        return None
    # Few documents have that many brackets, so that few are walked.
    return document if value.count("{") + value.count("[") <= MAX_DEPTH or not is_deep(document) else None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def is_deep(value: Any, depth: int = MAX_DEPTH) -> bool:
    """Whether a value has more levels of objects and lists than that."""
    level = [value]
    for _ in range(depth + 1):
        level = [
            inner
            for item in level
            if isinstance(item, (dict, list))
            for inner in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return False
    return True


def policy_form(document: Any, key: str = "", depth: int = 0) -> Hashable:
    """A JSON document in a form that is equal for equal meanings.

    IAM policies take one element for a list of one, any order in lists of actions, resources and principals, an account
    id for its root ARN, and ``"*"`` for ``{"AWS": "*"}``
    (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html).  Other lists keep their order.
    """
    if depth > MAX_DEPTH:
        return render(document)
    if key in ("Principal", "NotPrincipal") and document == "*":
        document = {"AWS": "*"}
    if key in _POLICY_SETS:
        return frozenset(_policy_element(element, key, depth) for element in as_list(document))
    if isinstance(document, dict):
        return frozenset((name, policy_form(member, name, depth + 1)) for name, member in document.items())
    if isinstance(document, list):
        return tuple(policy_form(element, "", depth + 1) for element in document)
    if isinstance(document, bool):
        return str(document).lower()
    return None if document is None else str(document)


def _policy_element(element: Any, key: str, depth: int) -> Hashable:
    if isinstance(element, str):
        if key == "AWS":
            return _ACCOUNT_ROOT.sub(r"\1", element)
        return element.lower() if key in ("Action", "NotAction") else element
    return policy_form(element, "", depth + 1)


def _condition_lists(document: Any) -> Any:
    """Condition values are sets as well: ``{"StringEquals": {"aws:SourceArn": "x"}}`` is the list of one."""
    if isinstance(document, dict):
        return {
            k: {
                op: {
                    name: sorted(str(e).lower() if isinstance(e, bool) else str(e) for e in as_list(v))
                    for name, v in block.items()
                }
                if isinstance(block, dict)
                else block
                for op, block in members.items()
            }
            if k == "Condition" and isinstance(members, dict)
            else _condition_lists(members)
            for k, members in document.items()
        }
    if isinstance(document, list):
        return [_condition_lists(element) for element in document]
    return document


def _is_arn_of(arn: str, name: str) -> bool:
    """Whether an ARN ends in a name: all that follows its account, or what follows a ``/`` or ``:`` in that."""
    resource = arn.split(":", 5)[-1]
    return resource == name or resource.endswith((f"/{name}", f":{name}"))


def same(left: Any, right: Any) -> bool:
    """Whether two values mean the same to Terraform: unset is empty, ``"5"`` is 5, JSON by meaning, an ARN its name.

    Two texts that read as numbers are still two texts: version 1.1 is not version 1.10.
    """
    if left is right:
        return True
    if isinstance(left, str) and isinstance(right, str):
        return left == right or _same_text(left, right)
    if isinstance(left, dict) and isinstance(right, dict):
        return all(same(left.get(key), right.get(key)) for key in left.keys() | right.keys())
    if is_empty(left) and is_empty(right):
        return True
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    left_document, right_document = as_json(left), as_json(right)
    if left_document is not None and right_document is not None:
        return _same_document(left_document, right_document)
    if isinstance(left, (dict, list)) or isinstance(right, (dict, list)):
        return False
    if isinstance(left, bool) or isinstance(right, bool):
        return as_bool(left) == as_bool(right)
    left_number, right_number = as_number(left), as_number(right)
    if left_number is not None and right_number is not None:
        return left_number == right_number
    return bool(left == right)


def _same_text(left: str, right: str) -> bool:
    if left.startswith("arn:") != right.startswith("arn:"):
        arn, name = (left, right) if left.startswith("arn:") else (right, left)
        return bool(name) and _is_arn_of(arn, name)
    if names.unescaped(left) == names.unescaped(right) or form(left) == form(right):
        return True
    left_document = as_json(left)
    right_document = as_json(right) if left_document is not None else None
    return right_document is not None and _same_document(left_document, right_document)


def _same_document(left: Any, right: Any) -> bool:
    if _is_policy(left) and _is_policy(right):
        return left == right or bool(policy_form(_condition_lists(left)) == policy_form(_condition_lists(right)))
    return _same_json(left, right)


def _is_policy(document: Any) -> bool:
    return isinstance(document, dict) and "Statement" in document


def _same_json(left: Any, right: Any, key: str = "", depth: int = 0) -> bool:
    """Equality of JSON, in which 1 is not true and lists have an order."""
    if depth > 100:
        return bool(left == right)
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same_json(left[k], right[k], k, depth + 1) for k in left)
    if isinstance(left, list) and isinstance(right, list):
        pairs = zip(left, right, strict=False)
        return len(left) == len(right) and all(_same_json(one, other, key, depth + 1) for one, other in pairs)
    if key in _NUMBERS:
        left, right = as_number(left), as_number(right)
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def _number_text(number: float) -> str:
    """A number as a text that equal numbers share.  A text's hash cannot be chosen, as that of a number can."""
    return str(int(number) if isinstance(number, float) and number.is_integer() else number)


def _exact(value: Any) -> Hashable:
    """The same for any two elements that are equal to the letter."""
    if isinstance(value, dict):
        return frozenset((key, _exact(member)) for key, member in value.items())
    if isinstance(value, list):
        return tuple(map(_exact, value))
    return value if isinstance(value, str) or value is None else (type(value), str(value))


def _json_shadow(document: Any, key: str = "") -> Hashable:
    if isinstance(document, dict):
        return frozenset((name, _json_shadow(member, name)) for name, member in document.items())
    if isinstance(document, list):
        return tuple(_json_shadow(element, key) for element in document)
    number = as_number(document) if key in _NUMBERS or not isinstance(document, str) else None
    return document if number is None else (_number_text(number),)


def _shadow(value: Any) -> Hashable:
    """The same for any two elements of one collection that mean the same, so that few have to be compared."""
    if is_empty(value):
        return None
    if isinstance(value, dict):
        return frozenset((key, shadow) for key, member in value.items() if (shadow := _shadow(member)) is not None)
    if isinstance(value, list):
        return tuple(map(_shadow, value))
    document = as_json(value)
    if document is not None:
        return policy_form(_condition_lists(document)) if _is_policy(document) else _json_shadow(document)
    if isinstance(value, str):
        value = form(names.unescaped(value))
        if not _CIDR.fullmatch(value):
            value = _ARN_STEP.split(value)[-1]
    truth = as_bool(value)
    number = as_number(value) if truth is None else int(truth)
    return value if number is None else _number_text(number) if number else None


class Elements:
    """The elements of a list or set, to be found by what they mean.

    :raises TooMuchWorkError: from ``place``, when very many look alike that are not the same.
    """

    _FREE = 20_000
    _FOR_EACH = 64

    def __init__(self, elements: Iterable[Any]) -> None:
        self._exact: dict[Hashable, int] = {}
        self._alike: dict[Hashable, list[tuple[int, Any]]] = {}
        self._count = 0
        self._allowed = self._FREE
        for element in elements:
            self.append(element)

    def append(self, element: Any) -> None:
        exact = _exact(element)
        if exact not in self._exact:
            self._exact[exact] = self._count
            self._alike.setdefault(_shadow(element), []).append((self._count, element))
        self._count += 1

    def place(self, element: Any) -> int | None:
        """Where one is that means the same, the first that is equal to the letter if there is one."""
        found = self._exact.get(_exact(element))
        if found is not None:
            return found
        self._allowed += self._FOR_EACH
        for place, other in self._alike.get(_shadow(element), ()):
            self._allowed -= 1
            if self._allowed < 0:
                raise TooMuchWorkError(f"{self._count} elements of a list look alike and are not the same")
            if same(other, element):
                return place
        return None


def difference(left: Sequence[Any], right: Sequence[Any]) -> list[Any]:
    """The elements of ``left`` that ``right`` does not have, compared by meaning."""
    known = Elements(right)
    return [element for element in left if known.place(element) is None]


def member(value: Any, steps: Iterable[str | int]) -> Any:
    """The value at a path of names and indexes; ``None`` where it leads nowhere."""
    for step in steps:
        if isinstance(value, Mapping) and isinstance(step, str):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and -len(value) <= step < len(value):
            value = value[step]
        else:
            return None
    return value


def tag_map(value: Any) -> dict[str, Any]:
    """Tags as a map: they are one, whatever its keys are called, or a list of ``{key, value}`` in any case."""
    if isinstance(value, dict):
        return {str(k): tag_text(v) for k, v in value.items()}
    pairs = {}
    for element in as_list(value):
        if isinstance(element, dict):
            lowered = {str(k).lower(): v for k, v in element.items()}
            key = lowered.get("key", lowered.get("tagkey"))
            if key is not None:
                pairs[tag_text(key)] = tag_text(lowered.get("value", lowered.get("tagvalue")))
    return pairs


def tag_text(value: Any) -> str:
    """A tag's text: XML bodies are logged with ``"true"`` and digits turned into a boolean and a number."""
    return render(value) or ""
