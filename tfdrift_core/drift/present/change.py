"""A change in few words: JSON documents by path, sets by their elements, everything else as it is.

It is made from values as they are shown: whatever is secret has been hidden before.
"""

import re
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tfdrift_core.drift.compare.values import SENSITIVE, as_json, policy_form, render
from tfdrift_core.text import one_line

MAX_CHANGE = 300
"""Characters of a change in words.  falcosidekick cuts fields at 512 when an alert is long."""

_MAX_VALUE = 90
_ALONE = 200
_MAX_PATH = 70
_MAX_LEVELS = 12
_MAX_PAIRS = 40
"""Elements of a list that are compared each with each."""

_NAMES = ("Sid", "sid", "Id", "id", "Name", "name")
"""Members that tell an element of a list from the others."""

_PLAIN_KEY = re.compile(r"[A-Za-z_][\w:-]*")
_IAM = re.compile(r"arn:aws[\w-]*:iam::(\d{12}):(.+)")


@dataclass(frozen=True, slots=True)
class Part:
    """One difference inside a value: ``path`` is ``""`` for the value itself, ``None`` is absent.

    Indexes are those of the new document; of something removed, those of the old one.
    """

    path: str
    old: str | None
    new: str | None


def parts(old: str | None, new: str | None, added: Sequence[str] = (), removed: Sequence[str] = ()) -> tuple[Part, ...]:
    """What differs between two values as an event shows them; ``added`` and ``removed`` are the elements of a set."""
    before, after = as_json(old), as_json(new)
    if added or removed:
        before, after = (as_json(removed[0]), as_json(added[0])) if len(added) == len(removed) == 1 else (None, None)
        if not (_is_block(before) and _is_block(after)):
            return (*(Part("", None, one) for one in added), *(Part("", one, None) for one in removed))
    if before is None or after is None or type(before) is not type(after):
        return () if old is None and new is None else (Part("", old, new),)
    found = tuple(_inside(before, after, "", ""))
    if not found and SENSITIVE in f"{old}{new}":
        return (Part("", SENSITIVE, SENSITIVE),)
    return found or (Part("", old, new),)


def in_words(found: Sequence[Part], account: str = "") -> str:
    """The parts in at most ``MAX_CHANGE`` characters, "" if there are none.

    ``account`` is the resource's own: the ARNs of its users and roles are shown without it.
    """
    line, last = "", None
    limit = _ALONE if sum((part.old is not None) + (part.new is not None) for part in found) == 1 else _MAX_VALUE
    for index, part in enumerate(found):
        said = _sides(part, account, limit)
        if line and part.path == last:
            piece = f", {said}"
        else:
            piece = ("; " if line else "") + (f"{_path(part.path)}: {said}" if part.path else said)
        rest = len(found) - index
        more = f"; … and {rest} more"
        if len(line) + len(piece) + (len(more) if rest > 1 else 0) > MAX_CHANGE:
            return line + more
        line, last = line + piece, part.path
    return line


def _is_block(value: Any) -> bool:
    """An object with objects inside: one for another is told by what changed inside it."""
    return isinstance(value, Mapping) and any(
        isinstance(inner, Mapping) or (isinstance(inner, list) and any(isinstance(item, Mapping) for item in inner))
        for inner in value.values()
    )


def _inside(old: Any, new: Any, key: str, path: str) -> Iterator[Part]:
    if key in ("Principal", "NotPrincipal"):
        old, new = ({"AWS": "*"} if side == "*" else side for side in (old, new))
    deeper = path.count(".") + path.count("[") < _MAX_LEVELS
    if deeper and isinstance(old, dict) and isinstance(new, dict):
        for name in dict.fromkeys((*old, *new)):
            yield from _member(old, new, name, path)
    elif policy_form(old, key) == policy_form(new, key):
        return
    elif (before := _scalars(old)) is not None and (after := _scalars(new)) is not None:
        yield from _elements(before, after, old, new, path)
    elif deeper and isinstance(old, list) and isinstance(new, list):
        yield from _list(old, new, path)
    else:
        yield Part(path, _text(old), _text(new))


def _member(old: Mapping[str, Any], new: Mapping[str, Any], name: str, path: str) -> Iterator[Part]:
    here = _join(path, name)
    if name not in new:
        yield Part(here, _text(old[name]), None)
    elif name not in old:
        yield Part(here, None, _text(new[name]))
    else:
        yield from _inside(old[name], new[name], name, here)


def _elements(before: Sequence[Any], after: Sequence[Any], old: Any, new: Any, path: str) -> Iterator[Part]:
    """The elements of two lists of plain values; one value counts as a list of one."""
    old_texts, new_texts = list(map(_text, before)), list(map(_text, after))
    removed, added = _surplus(old_texts, new_texts), _surplus(new_texts, old_texts)
    if (len(removed), len(added)) == (1, 1):
        yield Part(path, removed[0], added[0])
    elif removed or added:
        yield from (Part(path, None, value) for value in added)
        yield from (Part(path, value, None) for value in removed)
    else:
        yield Part(path, _text(old), _text(new))


def _surplus(texts: Sequence[str], others: Sequence[str]) -> list[str]:
    """What there is more of than among the others."""
    left = Counter(others)
    left.subtract(texts)
    return [text for text, count in ((text, left[text]) for text in dict.fromkeys(texts)) for _ in range(-count)]


def _list(old: Sequence[Any], new: Sequence[Any], path: str) -> Iterator[Part]:
    """The elements of two lists of objects, each against the one that it came from."""
    left, right = dict(enumerate(old)), dict(enumerate(new))
    known: dict[Hashable, list[int]] = {}
    for index, value in left.items():
        known.setdefault(policy_form(value), []).append(index)
    for index, value in tuple(right.items()):
        if same := known.get(policy_form(value)):
            del left[same.pop(0)], right[index]
    if not left and not right:
        yield Part(path, _text(old), _text(new))
    origins = _origins(left, right)
    for index, value in right.items():
        if index in origins:
            yield from _inside(left.pop(origins[index]), value, "", f"{path}[{index}]")
        else:
            yield Part(f"{path}[{index}]", None, _text(value))
    for index, value in left.items():
        yield Part(f"{path}[{index}]", _text(value), None)


def _origins(left: Mapping[int, Any], right: Mapping[int, Any]) -> dict[int, int]:
    """Which old element became which new one: that of the same name, else the one most like it, else the only one."""
    if len(left) == len(right) == 1:
        return {next(iter(right)): next(iter(left))}
    free = {index: _forms(value) for index, value in left.items() if isinstance(value, Mapping)}
    wanted = {index: _forms(value) for index, value in right.items() if isinstance(value, Mapping)}
    found: dict[int, int] = {}
    for name in _NAMES:
        named = {forms[name]: index for index, forms in free.items() if name in forms}
        for index, forms in wanted.items():
            if index not in found and name in forms and (origin := named.pop(forms[name], None)) is not None:
                found[index] = origin
                del free[origin]
    if len(wanted) > _MAX_PAIRS or len(free) > _MAX_PAIRS:
        return found
    for index in wanted.keys() - found.keys():
        best = max(free, key=lambda other: _likeness(wanted[index], free[other]), default=None)
        if best is not None and _likeness(wanted[index], free[best]) >= 0.5:
            found[index] = best
            del free[best]
    return found


def _forms(value: Mapping[str, Any]) -> dict[str, Hashable]:
    return {name: policy_form(member, name) for name, member in value.items()}


def _likeness(one: Mapping[str, Hashable], other: Mapping[str, Hashable]) -> float:
    """The share of the members that both have and that are equal."""
    names = one.keys() | other.keys()
    return sum(name in one and name in other and one[name] == other[name] for name in names) / max(len(names), 1)


def _scalars(value: Any) -> list[Any] | None:
    items = value if isinstance(value, list) else [value]
    return None if any(isinstance(item, (dict, list)) for item in items) else items


def _text(value: Any) -> str:
    return "null" if value is None else render(value) or ""


def _join(path: str, name: str) -> str:
    if not _PLAIN_KEY.fullmatch(name):
        return f'{path}["{name}"]'
    return f"{path}.{name}" if path else name


def _path(path: str) -> str:
    line = one_line(path[-_MAX_PATH - 1 :])
    return line if len(line) <= _MAX_PATH else f"…{line[-_MAX_PATH + 1 :]}"


def _sides(part: Part, account: str, limit: int) -> str:
    if part.old is None or part.new is None:
        sign, value = ("+", part.new) if part.old is None else ("-", part.old)
        return f"{sign} {_value(value or '', account, limit)}"
    old, new = _focus(part.old, part.new, limit)
    return f"{_value(old, account, limit)} → {_value(new, account, limit)}"


def _focus(old: str, new: str, limit: int) -> tuple[str, str]:
    """Two long texts, from shortly before where they begin to differ."""
    if max(len(old), len(new)) <= limit or as_json(old) is not None:
        return old, new
    shorter = min(len(old), len(new))
    start = next((n for n in range(shorter) if old[n] != new[n]), shorter)
    cut = max(start - 20, 0)
    return (f"…{old[cut:]}", f"…{new[cut:]}") if cut else (old, new)


def _value(text: str, account: str, limit: int) -> str:
    document = as_json(text)
    if isinstance(document, dict):
        text = " ".join(f"{key}={_text(value)}" for key, value in document.items() if not _left_out(value)) or "{}"
    elif (arn := _IAM.fullmatch(text)) and arn[1] == account:
        text = arn[2]
    line = one_line(text[: limit + 1])
    line = line if len(line) <= limit else f"{line[: limit - 1]}…"
    return line or '""'


def _left_out(value: Any) -> bool:
    """What a block's member is when nothing was set; 0 is not: a port 0 means something."""
    return value is None or value is False or value in ("", [], {})
