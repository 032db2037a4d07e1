"""The catalog: what each API call does to which Terraform resource, as data.

YAML in ``tfdrift_core/catalog``: a file per AWS service, or per family of a large one.  ``catalog.schema.json`` beside
them describes the form, and CONTRIBUTING.md shows how to add a service.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from importlib import resources
from pathlib import Path
from typing import Any, Final

from tfdrift_core import yaml_data
from tfdrift_core.drift.change.anew import TAGS, taught
from tfdrift_core.drift.change.derived import derived, read, sources
from tfdrift_core.drift.change.effect import Create, Effect, Event, Tags
from tfdrift_core.drift.change.expression import Expressions
from tfdrift_core.drift.change.transforms import make
from tfdrift_core.drift.event import Confidence
from tfdrift_core.records.record import Record

NO_RESOURCE: Final = "No attribute of a resource"
"""Why calls are left out that were derived to concern nothing that Terraform manages."""


class CatalogError(ValueError):
    """Catalog files that cannot be used; the message has a line for each fault, with file, line, column and reason."""


@dataclass(frozen=True)
class Catalog:
    """Events by event source (``sqs.amazonaws.com``) and name: ``own``, laid over those that ship with TFDrift.

    The built-in ones of a source are read when they are first asked for: a trail has few sources, and reading them all
    takes as long as everything else at a start.
    """

    own: Mapping[tuple[str, str], Event]
    builtin: bool = False
    _read: dict[str, Mapping[str, Event]] = field(default_factory=dict, init=False, repr=False, compare=False)

    @cached_property
    def events(self) -> Mapping[tuple[str, str], Event]:
        """All that files describe."""
        return {(source, name): event for source in self._sources for name, event in self._of(source).items()}

    @cached_property
    def derived(self) -> Mapping[tuple[str, str], Event]:
        """All that no file describes and that was derived to change something."""
        found = {}
        for source in sources() if self.builtin else ():
            for name in derived(source).events:
                event = self._event(source, name)
                if event is not None and (source, name) not in self.events:
                    found[source, name] = event
        return found

    def event(self, record: Record) -> Event | None:
        return self._event(record.event_source, record.event_name) or self._event(record.event_source, record.operation)

    def ignores(self, source: object, name: object) -> bool:
        """Whether calls of this name are known to change nothing that Terraform manages."""
        event = self._event(source, name) if isinstance(source, str) and isinstance(name, str) else None
        return event is not None and bool(event.ignored)

    def types(self, source: str) -> Sequence[str]:
        """The resource types of the service behind an event source, as far as they are known."""
        return derived(source).types

    def _event(self, source: str, name: str) -> Event | None:
        """An event of a file, else what was derived of the call."""
        known = self._read.get(source) or self._of(source)
        return known.get(name) or (_derived_event(source, name) if self.builtin else None)

    @cached_property
    def _sources(self) -> Mapping[str, None]:
        return dict.fromkeys((*(_files() if self.builtin else ()), *(source for source, _ in self.own)))

    def _of(self, source: str) -> Mapping[str, Event]:
        known = self._read.get(source)
        if known is None and source in self._sources:
            shipped = _builtin(source) if self.builtin and source in _files() else {}
            own = {name: event for (of, name), event in self.own.items() if of == source}
            known = self._read[source] = {**shipped, **own}
        return known or {}


def _derived_event(source: str, name: str) -> Event | None:
    # Records name calls as they like: only what is known is kept.
    known = derived(source)
    return _made(source, name) if name in known.events or name in known.silent else None


@cache
def _made(source: str, name: str) -> Event:
    service, entries = source.partition(".")[0], derived(source).events.get(name)
    if entries is None:
        return Event(service, name, ignored=NO_RESOURCE)
    effects = (_complete(name, _effect(entry, Confidence.DERIVED), ()) for entry in entries)
    return Event(service, name, tuple(effects))


def load(extra: Iterable[str | Path] = ()) -> Catalog:
    """The built-in catalog with the user's files over it, event by event.

    :raises CatalogError: when one of the files cannot be used; it tells all that is wrong with all of them.
    """
    events: dict[tuple[str, str], Event] = {}
    problems = []
    for path in extra:
        try:
            events.update(parse(Path(path).read_text(encoding="utf-8"), str(path)))
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", "") or "not text"
            problems.append(f"catalog {path}: {reason}; check the path")
        except CatalogError as error:
            problems.append(str(error))
    if problems:
        raise CatalogError("\n".join(problems))
    # Now, not at the first record: an update of TFDrift may replace the files of a plugin that runs.
    _files()
    read()
    return Catalog(events, builtin=True)


@cache
def _files() -> Mapping[str, list[str]]:
    """The texts of the built-in files by event source, of which some have several."""
    found: dict[str, list[str]] = {}
    for file in sorted(resources.files("tfdrift_core.catalog").iterdir(), key=lambda file: file.name):
        if file.name.endswith(".yaml"):
            text = file.read_text(encoding="utf-8")
            for source in _sources(yaml_data.load(text.partition("\nevents:")[0])):
                found.setdefault(source, []).append(text)
    return found


@cache
def _builtin(source: str) -> Mapping[str, Event]:
    # The tests hold these files to the schema; doing it again would take most of a start's time.
    documents = map(yaml_data.load, _files()[source])
    return {name: event for document in documents for (of, name), event in _events(document) if of == source}


def parse(text: str, origin: str) -> dict[tuple[str, str], Event]:
    """The events of one catalog file, by event source and name.

    :raises CatalogError: when anything is wrong with it.
    """
    # Only who has files of their own waits for what checks them.
    from tfdrift_core.drift.change.check import read

    document, faults = read(text)
    if faults:
        raise CatalogError("\n".join(f"catalog {origin}:{fault}" for fault in faults))
    return dict(_events(document))


def _sources(document: Mapping[str, Any]) -> Sequence[str]:
    return document.get("event_sources") or [f"{document['service']}.amazonaws.com"]


def _events(document: Mapping[str, Any]) -> Iterable[tuple[tuple[str, str], Event]]:
    sources = _sources(document)
    made = {name: [_effect(entry) for entry in entries] for name, entries in (document.get("events") or {}).items()}
    all = [effect for effects in made.values() for effect in effects]
    for name in made:
        event = Event(document["service"], name, tuple(_complete(name, effect, all) for effect in made[name]))
        yield from (((source, name), event) for source in sources)
    for reason, names in (document.get("ignored") or {}).items():
        for name in names:
            yield from (((source, name), Event(document["service"], name, ignored=reason)) for source in sources)


def _complete(name: str, effect: Effect, all: Sequence[Effect]) -> Effect:
    anew = taught(name, effect, all)
    if anew is None:
        return effect
    return replace(effect, anew=anew if anew.tags else replace(anew, tags=Tags(replace=TAGS)))


def _tuple(value: Any) -> tuple[Any, ...]:
    return () if value is None else tuple(value) if isinstance(value, list) else (value,)


def _effect(entry: Mapping[str, Any], confidence: Confidence = Confidence.EXACT) -> Effect:
    clear = entry.get("clear", {})
    return Effect(
        types=_tuple(entry["type"]),
        when=entry.get("when", ""),
        each=entry.get("each", ""),
        matches=_tuple(entry.get("match")),
        roots=_tuple(entry.get("from")),
        rename=entry.get("rename", {}),
        set=Expressions(entry.get("set", {})),
        const=entry.get("const", {}),
        add=entry.get("add", {}),
        remove=entry.get("remove", {}),
        unknown=Expressions(entry.get("unknown", {}), conditions=True),
        defaults=entry.get("defaults", {}),
        tags=Tags(**entry["tags"]) if "tags" in entry else None,
        delete=entry.get("delete", False),
        restore=entry.get("restore", False),
        create=Create(**entry["create"]) if "create" in entry else None,
        parents=tuple(entry.get("parent", {}).items()),
        other=tuple(entry.get("other", {}).items()),
        fallback=entry.get("fallback", False),
        transform=make(entry["transform"], entry.get("with", {})) if "transform" in entry else None,
        keys={name: _tuple(members) for name, members in entry.get("key", {}).items()},
        clear=dict.fromkeys(clear) if isinstance(clear, list) else clear,
        confidence=Confidence.INFERRED if entry.get("inferred") else confidence,
    )
