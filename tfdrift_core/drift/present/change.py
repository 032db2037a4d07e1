"""A change in few words: JSON documents by path, sets by their elements, everything else as it is.

It is made from values as they are shown: whatever is secret has been hidden before.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tfdrift_core.drift.compare.values import SENSITIVE, as_json, policy_form, render
from tfdrift_core.text import one_line

MAX_CHANGE = 300
"""Characters of a change in words.  falcosidekick cuts fields at 512 when an alert is long."""

_MAX_VALUE = 90
_ALONE = 200
_MAX_PATH = 70
_MAX_DEPTH = 60
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
    before, after = _document(old), _document(new)
    if added or removed:
        before, after = (
            (_document(removed[0]), _document(added[0])) if len(added) == len(removed) == 1 else (None, None)
        )
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


def _document(text: str | None) -> Any:
    """The object or list that a text holds, ``None`` if it holds none, or one that is made to be deep."""
    document = as_json(text)
    return None if _deeper(document, _MAX_DEPTH) else document


def _deeper(value: Any, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels == 0 or any(_deeper(item, levels - 1) for item in inner)


def _is_block(value: Any) -> bool:
    """An object with objects inside: one for another is told by what changed inside it."""
    return isinstance(value, Mapping) and any(
        isinstance(inner, Mapping) or (isinstance(inner, list) and any(isinstance(item, Mapping) for item in inner))
        for inner in value.values()
    )


def _inside(old: Any, new: Any, key: str, path: str) -> Iterator[Part]:
    if _same(old, new, key):
        return
    if key in ("Principal", "NotPrincipal"):
        old, new = ({"AWS": "*"} if side == "*" else side for side in (old, new))
    if isinstance(old, dict) and isinstance(new, dict):
        for name in dict.fromkeys((*old, *new)):
            yield from _member(old, new, name, path)
        return
    before, after = _scalars(old), _scalars(new)
    if before is not None and after is not None:
        yield from _elements(before, after, old, new, path)
        return
    if isinstance(old, list) and isinstance(new, list):
        yield from _list(old, new, path)
        return
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
    kept = [_text(value) for value in before]
    added = []
    for value in map(_text, after):
        if value in kept:
            kept.remove(value)
        else:
            added.append(value)
    if (len(kept), len(added)) == (1, 1):
        yield Part(path, kept[0], added[0])
    elif kept or added:
        yield from (Part(path, None, value) for value in added)
        yield from (Part(path, value, None) for value in kept)
    else:
        yield Part(path, _text(old), _text(new))


def _list(old: Sequence[Any], new: Sequence[Any], path: str) -> Iterator[Part]:
    """The elements of two lists of objects, each against the one that it came from."""
    left = dict(enumerate(old))
    right = dict(enumerate(new))
    known: dict[str | None, list[int]] = {}
    for index, value in left.items():
        known.setdefault(_canonical(value), []).append(index)
    for index, value in tuple(right.items()):
        if same := known.get(_canonical(value)):
            del left[same.pop(0)], right[index]
    if not left and not right:
        yield Part(path, _text(old), _text(new))
    one_for_another = len(left) == len(right) == 1
    for index, value in right.items():
        origin = next(iter(left)) if one_for_another else _origin(value, left, len(right) <= _MAX_PAIRS)
        if origin is None:
            yield Part(f"{path}[{index}]", None, _text(value))
        else:
            yield from _inside(left.pop(origin), value, "", f"{path}[{index}]")
    for index, value in left.items():
        yield Part(f"{path}[{index}]", _text(value), None)


def _origin(value: Any, candidates: Mapping[int, Any], by_likeness: bool) -> int | None:
    """Which of the old elements became ``value``: that of the same name, else the one most like it."""
    if not isinstance(value, Mapping):
        return None
    best, score = None, 0.0
    for index, other in list(candidates.items())[:_MAX_PAIRS]:
        if not isinstance(other, Mapping):
            continue
        if any(value.get(name) == other.get(name) is not None for name in _NAMES):
            return index
        if not by_likeness:
            continue
        names = {*value, *other}
        alike = sum(name in value and name in other and _same(value[name], other[name], name) for name in names)
        if alike * 2 >= len(names) and alike / len(names) > score:
            best, score = index, alike / len(names)
    return best


def _same(old: Any, new: Any, key: str) -> bool:
    return render(policy_form(old, key)) == render(policy_form(new, key))


def _canonical(value: Any) -> str | None:
    return render(policy_form(value))


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
    if max(len(old), len(new)) <= limit or _document(old) is not None:
        return old, new
    shorter = min(len(old), len(new))
    start = next((n for n in range(shorter) if old[n] != new[n]), shorter)
    cut = max(start - 20, 0)
    return (f"…{old[cut:]}", f"…{new[cut:]}") if cut else (old, new)


def _value(text: str, account: str, limit: int) -> str:
    document = _document(text)
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
