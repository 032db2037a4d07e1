"""What must never be shown: secrets in records, in state, and in whatever text they were copied to.

Names decide first (``secrets.yaml``), then known forms of secrets inside free text, then the values that the state
itself holds as secrets.  When in doubt a value is hidden; the names around it stay, so that the alert still tells what
changed.
"""

import base64
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from typing import Any
from urllib.parse import quote, quote_plus, unquote

import orjson

from tfdrift_core import yaml_data
from tfdrift_core.drift.classify.globs import Globs
from tfdrift_core.drift.classify.identity import any_of
from tfdrift_core.drift.event import DriftEvent
from tfdrift_core.drift.present.sensitive import sensitive_members, within
from tfdrift_core.records.record import Lately, Record, remembered

SENSITIVE = "(sensitive)"
"""What is shown in place of a secret."""

MIN_LENGTH = 6
"""Shorter secrets are not searched for in other fields: they would be found everywhere."""

_MANY = 1000
_MAX_DEPTH = 60
_MAX_JSON = 1 << 21

Path = str | Sequence[str | int]
"""``root_block_device[0].volume_size``, or its steps."""


def is_placeholder(value: object) -> bool:
    """Whether AWS, Terraform or TFDrift has put this text in place of a value: changed perhaps, but unknown."""
    return isinstance(value, str) and len(value) < 64 and bool(_data().placeholders.fullmatch(value.strip()))


def sensitive_attribute(type: str, path: Path) -> bool:
    """Whether an attribute's value may not be shown, by its name; the provider's schema is not asked.

    A block is not sensitive because some part of it is: show values through ``Redactor.value``, which hides that part.
    """
    steps = _steps(path)
    if _listed(_data().shown, type, steps):
        return False
    return (
        any(_kind(step).secret for step in steps)
        or (bool(steps) and _kind(steps[-1]).text)
        or _listed(_data().attributes, type, steps)
        or _variable(steps)
    )


def _listed(table: Mapping[str, Sequence[tuple[str, ...]]], type: str, path: Sequence[str | int]) -> bool:
    if type not in table:
        return False
    steps = _named(path)
    return any(steps[n : n + len(listed)] == listed for listed in table[type] for n in range(len(steps)))


def _named(path: Sequence[str | int]) -> tuple[str, ...]:
    """A path without its indexes."""
    return tuple([step for step in path if isinstance(step, str)])


def _variable(steps: Sequence[str]) -> bool:
    for n, step in enumerate(steps):
        if _kind(step).tags:
            return False
        if _kind(step).environment:
            return n + 1 == len(steps) or normal(steps[n + 1]) not in _data().keep | _data().pair_names
    return False


@dataclass(frozen=True, slots=True)
class Redactor:
    """Hides secrets; ``of`` gives one that also knows the secret values themselves."""

    known: tuple[str, ...] = field(default=(), repr=False)
    _beginnings: frozenset[str] = field(default=frozenset(), repr=False)

    @classmethod
    def of(cls, secrets: Iterable[str]) -> "Redactor":
        """Each secret is found as it is, escaped, quoted or in base64; those below ``MIN_LENGTH`` are left out."""
        return _redactor(frozenset(secrets))

    def scrub(self, text: str) -> str:
        """The text without any known secret.

        Among very many secrets a text that holds the beginning of one is hidden as a whole: looking for each of them
        in each text of a record that brought them would take the square of its size.
        """
        if self._beginnings:
            found = any(text[n : n + MIN_LENGTH] in self._beginnings for n in range(len(text) - MIN_LENGTH + 1))
            return SENSITIVE if found else text
        for secret in self.known:
            if secret in text:
                text = text.replace(secret, SENSITIVE)
        return text

    def record(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """A copy of a CloudTrail record that may be shown.  Structure and names stay; access key ids stay."""
        record = Record(raw)
        shown = self._walk(raw, 0, _paths_of(f"{record.service}:{record.operation}"))
        if not isinstance(shown, dict):
            return {}
        if members := sensitive_members(record):
            for name in ("requestParameters", "responseElements"):
                if name in shown:
                    shown[name] = self._members(shown[name], 0, members, ("",))
        return shown

    def _members(self, value: Any, depth: int, members: Collection[tuple[str, str]], parents: tuple[str, ...]) -> Any:
        """``value`` with the members hidden that are sensitive by the model of the call."""
        if isinstance(value, list):
            return [self._members(item, depth + 1, members, parents) for item in value]
        if not isinstance(value, Mapping):
            return value
        shown = {}
        for key, inner in value.items():
            name = _kind(key).plain
            if any((parent, name) in members for parent in parents):
                shown[key] = self._hide(inner, depth + 1)
            else:
                shown[key] = self._members(inner, depth + 1, members, within(name, parents))
        return shown

    def event(self, event: DriftEvent) -> DriftEvent:
        """The event with its record free of secrets and with no known secret in any text that the call could choose."""

        def texts(values: Iterable[str]) -> tuple[str, ...]:
            return tuple(self.scrub(value) for value in values)

        return replace(
            event,
            record=_shown_records.of(event.record, self),
            resource=replace(
                event.resource, tags=tuple((key, self.scrub(value)) for key, value in event.resource.tags)
            ),
            attribute=self.scrub(event.attribute),
            path=self.scrub(event.path),
            old_value=None if event.old_value is None else self.scrub(event.old_value),
            new_value=None if event.new_value is None else self.scrub(event.new_value),
            added=texts(event.added),
            removed=texts(event.removed),
            attributes=texts(event.attributes),
            reason=self.scrub(event.reason),
            hint=self.scrub(event.hint),
            import_id=self.scrub(event.import_id),
            import_identity=tuple((name, self.scrub(value)) for name, value in event.import_identity),
            redacted=frozenset(),
        )

    def value(self, type: str, path: Path, value: Any) -> Any:
        """An attribute's value as it may be shown: ``SENSITIVE``, or a copy with its sensitive parts hidden."""
        if value is None:
            return None
        steps = _steps(path)
        tags = any(_kind(step).tags for step in steps)
        structure = _structure(value)
        if structure is not None and not tags and steps and _kind(steps[-1]).environment:
            return self._environment(structure, 0)
        if sensitive_attribute(type, path):
            if structure is not None and _kind(steps[-1]).text:
                return self._walk(value, 0)
            return _hidden(value) if structure is None else SENSITIVE
        return self._walk(value, 0, (), tags)

    def _walk(self, value: Any, depth: int, paths: tuple[tuple[str, ...], ...] = (), tags: bool = False) -> Any:
        if depth > _MAX_DEPTH:
            return SENSITIVE
        if isinstance(value, str):
            return self._text(value, depth, tags)
        if isinstance(value, (list, tuple)):
            # A command line: what follows --password is one.
            value = _without_short_options(value)
            after = [False, *(isinstance(item, str) and item[:1] == "-" and _kind(item).secret for item in value)]
            return [
                self._hide(item, depth + 1) if hide else self._walk(item, depth + 1, paths, tags)
                for item, hide in zip(value, after, strict=False)
            ]
        if not isinstance(value, Mapping):
            return value
        told = not tags and _tells(value)
        shown: dict[str, Any] = {}
        for key, inner in value.items():
            name = str(key)
            kind = _kind(name)
            below = tuple([path[1:] for path in paths if path[0] in ("*", name.lower())]) if paths else ()
            if () in below or (told and kind.plain in _data().pair_values):
                inner = self._hide(inner, depth + 1)
            elif kind.environment and (structure := _structure(inner)) is not None:
                inner = self._environment(structure, depth + 1)
            elif kind.secret or (kind.text and isinstance(inner, str)):
                inner = self._hide(inner, depth + 1)
            else:
                inner = self._walk(inner, depth + 1, below, tags or kind.tags)
            shown[self.scrub(name)] = inner
        return shown

    def _environment(self, value: Any, depth: int) -> Any:
        """Variables in any of the shapes that AWS has for them: a map, pairs, a block with ``variables`` in it."""
        if depth > _MAX_DEPTH:
            return SENSITIVE
        if isinstance(value, (list, tuple)):
            return [self._environment(item, depth + 1) for item in value]
        if not isinstance(value, Mapping):
            return _hidden(value)
        data = _data()
        names = {_kind(str(key)).plain for key in value}
        paired = bool(names & data.pair_names and names & data.pair_values)
        shown: dict[str, Any] = {}
        for key, inner in value.items():
            name = str(key)
            plain = _kind(name).plain
            setting = plain not in data.pair_values if paired else plain in data.keep and not name.isupper()
            inner = self._walk(inner, depth + 1) if setting else self._environment(inner, depth + 1)
            shown[self.scrub(name)] = inner
        return shown

    def _hide(self, value: Any, depth: int) -> Any:
        if depth > _MAX_DEPTH:
            return SENSITIVE
        if isinstance(value, (list, tuple)):
            return [self._hide(item, depth + 1) for item in value]
        if isinstance(value, Mapping):
            return {self.scrub(str(key)): self._hide(inner, depth + 1) for key, inner in value.items()}
        return _hidden(value)

    def _text(self, text: str, depth: int, tags: bool) -> str:
        if _is_plain(text):
            return self.scrub(text)
        document = _structure(text)
        if document is not None:
            shown = self._walk(document, depth + 1, (), tags)
            if shown != document:
                return orjson.dumps(shown).decode()
            if SENSITIVE in text and orjson.dumps(document).decode() == text:
                # Written by this very function: what the patterns below find in it are its own words.
                return self.scrub(text)
        for needle, pattern in _data().contents:
            if needle in text:
                text = pattern.sub(_blank, text)
        return self.scrub(text)


@remembered
def _is_plain(text: str) -> bool:
    """Whether a text is no document and holds nothing like a secret; most texts of a trail come again and again."""
    return _structure(text) is None and not any(needle in text for needle, _ in _data().contents)


@remembered
def _paths_of(event: str) -> tuple[tuple[str, ...], ...]:
    """The members of a call's record that hold secrets under harmless names."""
    return tuple(path for globs, path in _data().events if globs.match(event.lower()))


@lru_cache(maxsize=8)
def _redactor(secrets: frozenset[str]) -> Redactor:
    # One call often makes many events of the same secrets.
    found = {text for secret in secrets for text in _spellings(secret)}
    beginnings = frozenset(text[:MIN_LENGTH] for text in found) if len(found) > _MANY else frozenset()
    return Redactor(tuple(sorted(found, key=len, reverse=True)), beginnings)


def _shown_record(record: Record, redactor: Redactor) -> Record:
    return Record(redactor.record(record.raw))


_shown_records = Lately(_shown_record)


def secret_values(
    type: str, attributes: Mapping[str, Any], marked: Iterable[Sequence[str | int]] = ()
) -> frozenset[str]:
    """The secrets that a resource's state holds, to be searched for elsewhere.

    ``marked`` are the paths that state or schema mark sensitive, with or without indexes.  Of environment variables
    only those count whose name tells that they are secret: the others are words such as ``production``, and would be
    cut out of every other field.
    """
    paths = {tuple(path) for path in marked}
    return frozenset(_secrets(type, attributes, (), paths, False, False))


def _secrets(
    type: str,
    value: Any,
    path: tuple[str | int, ...],
    marked: set[tuple[str | int, ...]],
    secret: bool,
    environment: bool,
) -> Iterator[str]:
    secret = secret or (bool(marked) and (path in marked or _named(path) in marked))
    if len(path) > _MAX_DEPTH:
        return
    if isinstance(value, str):
        if secret and not is_placeholder(value):
            yield value
        document = _structure(value)
        if document is not None:
            yield from _secrets(type, document, (*path, 0), set(), False, environment)
    elif isinstance(value, (list, tuple)):
        for n, item in enumerate(value):
            yield from _secrets(type, item, (*path, n), marked, secret, environment)
    elif isinstance(value, Mapping):
        told = _tells(value)
        for key, inner in value.items():
            step = str(key)
            kind = _kind(step)
            below = (*path, step)
            variables = environment or (kind.environment and _structure(inner) is not None)
            if told and normal(step) in _data().pair_values:
                own = True
            elif variables:
                own = environment and bool(_data().telling.search(normal(step)))
            else:
                own = kind.secret or kind.text or _listed(_data().attributes, type, below)
                own = own and not _listed(_data().shown, type, below)
            yield from _secrets(type, inner, below, marked, secret or own, variables)


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a name says about its value; ``plain`` is the name without case and punctuation.

    ``of_pairs`` says that it may tell something about the values beside it.
    """

    plain: str
    secret: bool
    text: bool
    environment: bool
    tags: bool
    of_pairs: bool


@dataclass(frozen=True, slots=True)
class _Data:
    names: re.Pattern[str]
    harmless: re.Pattern[str]
    texts: re.Pattern[str]
    environments: re.Pattern[str]
    tags: re.Pattern[str]
    telling: re.Pattern[str]
    placeholders: re.Pattern[str]
    keep: frozenset[str]
    pair_names: frozenset[str]
    pair_values: frozenset[str]
    pair_flags: frozenset[str]
    headers: frozenset[str]
    inside: frozenset[str]
    inside_names: frozenset[str]
    own_headers: re.Pattern[str]
    commands: re.Pattern[str]
    command_options: re.Pattern[str]
    namespaces: frozenset[str]
    contents: tuple[tuple[str, re.Pattern[str]], ...]
    events: tuple[tuple[Globs, tuple[str, ...]], ...]
    attributes: Mapping[str, tuple[tuple[str, ...], ...]]
    shown: Mapping[str, tuple[tuple[str, ...], ...]]
    settings: re.Pattern[str]


@cache
def _data() -> _Data:
    raw = yaml_data.resource("tfdrift_core.drift.present", "secrets.yaml")
    return _Data(
        names=any_of(raw["names"]),
        harmless=any_of(raw["harmless"]),
        texts=any_of(raw["texts"]),
        environments=any_of(raw["environments"]["names"]),
        tags=re.compile(raw["tags"]),
        telling=re.compile(raw["telling"]),
        placeholders=any_of(raw["placeholders"]),
        keep=frozenset(raw["environments"]["keep"]),
        pair_names=frozenset(raw["pairs"]["names"]),
        pair_values=frozenset(raw["pairs"]["values"]),
        pair_flags=frozenset(raw["pairs"]["flags"]),
        headers=frozenset(raw["pairs"]["headers"]),
        inside=frozenset(raw["pairs"]["inside"]),
        inside_names=frozenset(raw["pairs"]["inside_names"]),
        own_headers=re.compile(raw["own_headers"]),
        commands=re.compile(raw["commands"]),
        command_options=re.compile(raw["command_options"]),
        namespaces=frozenset(raw["environment_namespaces"]),
        contents=tuple((entry["needle"], re.compile(entry["pattern"])) for entry in raw["contents"]),
        events=tuple(
            (Globs.of([entry["event"].lower()]), tuple(entry["path"].lower().split("."))) for entry in raw["events"]
        ),
        attributes=_paths(raw["attributes"]),
        shown=_paths(raw["shown"]),
        settings=re.compile(raw["settings"]),
    )


def _paths(table: Mapping[str, Sequence[str]]) -> Mapping[str, tuple[tuple[str, ...], ...]]:
    return {type: tuple(tuple(path.split(".")) for path in paths) for type, paths in table.items()}


def normal(name: str) -> str:
    """A name without case and punctuation: ``masterUserPassword`` and ``master_user_password`` are one."""
    return re.sub(r"[^a-z0-9]", "", name[-200:].lower())


def _kind(name: str) -> _Kind:
    # The end of a name decides; a name of a megabyte must not fill the cache.
    return _kind_of(name[-200:])


@lru_cache(maxsize=8192)
def _kind_of(name: str) -> _Kind:
    data = _data()
    plain = normal(name)
    bare = plain.removesuffix("wo")
    harmless = bool(data.harmless.search(bare))
    return _Kind(
        plain,
        secret=not harmless and bool(data.names.search(bare)),
        text=not harmless and bool(data.texts.search(bare)),
        environment=bool(data.environments.search(plain)),
        tags=bool(data.tags.search(plain)),
        of_pairs=plain in data.pair_flags | data.inside | data.pair_names | data.inside_names,
    )


_STEP = re.compile(r'\["((?:[^"\\]|\\.)*)"\]|\[\d+\]|([^.\[\]]+)')


def _steps(path: Path) -> Sequence[str]:
    """The names on a path, without indexes."""
    if not isinstance(path, str):
        return _named(path)
    return [name for quoted, bare in _STEP.findall(path) if (name := quoted or bare)]


def _tells(pair: Mapping[str, Any], header: bool = False) -> bool:
    """Whether a pair's name, or a flag beside it, says that its value is secret; ``header``: it is a header's name."""
    namespaces = _data().namespaces
    for key, value in pair.items():
        kind = _kind(str(key))
        if kind.of_pairs and _member_tells(kind.plain, value, header):
            return True
        if isinstance(value, str) and value in namespaces:
            return True
    return False


def _member_tells(member: str, value: Any, header: bool) -> bool:
    data = _data()
    if member in data.pair_flags and value in (True, "true"):
        return True
    if member in data.inside:
        # Terraform puts a block into a list.
        for block in value if isinstance(value, (list, tuple)) else [value]:
            if isinstance(block, Mapping) and _tells(block, True):
                return True
    if not isinstance(value, str) or member not in (data.inside_names if header else data.pair_names):
        return False
    # An API Gateway patch names its target by a path.
    name = normal(value.rpartition("/")[2])
    if not data.harmless.search(name) and (_kind(name).secret or _kind(name).text or data.telling.search(name)):
        return True
    return (header or member in data.headers) and data.own_headers.search(name) is not None


def _without_short_options(arguments: Sequence[Any]) -> Sequence[Any]:
    """The arguments of a program, without what ``-p`` or ``-a`` give it where that is a password."""
    data = _data()
    texts = [item if isinstance(item, str) else "" for item in arguments]
    if not any(len(text) < 200 and data.commands.search(text) for text in texts):
        return arguments
    shown, alone = [], False
    for item, text in zip(arguments, texts, strict=True):
        option = None if alone else data.command_options.match(text)
        hidden = _blank(option) if option and option["secret"] else item
        shown.append(SENSITIVE if alone and text else hidden)
        alone = bool(option and not option["secret"])
    return shown


def _structure(value: Any) -> Any:
    """A mapping or list, also when it is written as JSON in a text, plain or URL-encoded; else ``None``."""
    if not isinstance(value, str):
        return value if isinstance(value, (dict, list)) else None
    if len(value) > _MAX_JSON:
        return None
    text = value.strip()
    if text[:3].upper() in ("%7B", "%5B"):
        text = unquote(text)
    if text[:1] not in ("{", "[", '"'):
        return None
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    # JSON within JSON: a document that was itself written as a JSON text.
    return _structure(document) if isinstance(document, (dict, list, str)) else None


def _hidden(value: Any) -> Any:
    if value is None or value == "" or isinstance(value, bool) or is_placeholder(value):
        return value
    return value if isinstance(value, str) and _data().settings.match(value) else SENSITIVE


def _blank(match: re.Match[str]) -> str:
    if is_placeholder(match["secret"]):
        return match[0]
    start, end = match.span("secret")
    return match.string[match.start() : start] + SENSITIVE + match.string[end : match.end()]


def _spellings(secret: str) -> Iterator[str]:
    for text in {secret, secret.strip()}:
        if len(text) < MIN_LENGTH or text in SENSITIVE or is_placeholder(text):
            continue
        octets = text.encode("utf-8", "surrogatepass")
        yield text
        yield json.dumps(text)[1:-1]
        yield json.dumps(text, ensure_ascii=False)[1:-1]
        yield quote(octets)
        yield quote(octets, safe="")
        yield quote_plus(octets)
        yield base64.b64encode(octets).decode()
