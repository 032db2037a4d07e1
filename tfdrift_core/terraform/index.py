"""States in memory, and the index over them."""

import logging
import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import groupby, islice
from typing import Any

import orjson

from tfdrift_core.terraform.configuration import NO_BLOCK, Block
from tfdrift_core.terraform.dependents import Dependents, Graph, Node
from tfdrift_core.terraform.model import NO_TAGS, Attributes, IgnoredTags
from tfdrift_core.terraform.scan import ResourceSpans, StateError, scan

log = logging.getLogger("tfdrift.state")

KEYS = ("id", "arn")
"""The attributes that are hashed when a state is loaded, for every type."""

_ARN = re.compile(r"arn:(aws[\w-]*):([\w-]*):([\w-]*):(\d{12})?:.")
_PROVIDER = re.compile(r'(?:(.*)\.)?provider\["([^"]+)"\](?:\.(.+))?|(?:(.*)\.)?provider\.(\w+)(?:\.(.+))?')

_GLOBAL = re.compile(
    r"aws_(account|bcmdataexports|billing|budgets|ce|chatbot|cloudfront|cloudfrontkeyvaluestore|costoptimizationhub|cur"
    r"|dx_gateway|ecrpublic|globalaccelerator|iam|invoicing|networkmanager|notifications|organizations"
    r"|route53(?!_resolver)|route53domains|route53recoverycontrolconfig|route53recoveryreadiness|s3_account"
    r"|savingsplans|shield|waf)(_|$)"
)
"""Types whose API is the same in all regions: the provider's region says nothing about where their records appear.

The services that have one endpoint for a partition, or are in one region only:
https://docs.aws.amazon.com/general/latest/gr/rande.html and botocore's ``endpoints.json``.
"""

_TOFU = 'provider["registry.opentofu.org/'

_COMPARED = 16  # an id that more instances share names none of them
_SHOWN = 1000  # resources that are asked for the default tags of their provider
_SHOWN_IDENTITIES = 20  # resources of a type that are asked for the form of its identity
_PARSED = 512  # parsed instances that a state keeps: the few that the records of a batch touch

Scopes = Callable[[str, str], tuple[str, str]]
"""Origin and provider alias to account and region, where the user's configuration tells them, else ""."""

Tags = Callable[[str, str], IgnoredTags]
"""Origin and provider alias to the tags that the provider ignores."""

Blocks = Callable[[str, str, str, str], Block]
"""Origin, module address, type and name to the block in the configuration."""


def no_scopes(origin: str, alias: str) -> tuple[str, str]:
    return "", ""


def no_ignored_tags(origin: str, alias: str) -> IgnoredTags:
    return NO_TAGS


def no_blocks(origin: str, module: str, type: str, name: str) -> Block:
    return NO_BLOCK


_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}
_ESCAPED = re.compile(r'[$%](?=\{)|["\\]|[^ -~]')


def key_text(key: int | str) -> str:
    """An instance key as Terraform prints it: a text is a template in HCL, so that ``${`` is ``$${`` there."""
    return f'"{_ESCAPED.sub(_escaped, key)}"' if isinstance(key, str) else str(key)


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    if character in "$%":
        return character * 2
    if character.isprintable() and character not in _ESCAPES:
        return character
    code = ord(character)
    return _ESCAPES.get(character) or (f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")


@dataclass(slots=True, eq=False)
class ResourceData:
    """What the instances of one ``resources`` entry share."""

    state: "State"
    type: str
    name: str
    module: str
    alias: str
    provider: str

    @property
    def block(self) -> Block:
        return self.state.blocks(self.state.origin, self.module, self.type, self.name)


class StateInstance:
    """One managed instance; see ``model.Instance``.  ``id`` and ``arn`` are "" where the state has none."""

    __slots__ = ("account", "arn", "id", "key", "region", "resource", "span", "tainted")

    def __init__(self, resource: ResourceData, span: tuple[int, int], key: int | str | None, tainted: bool) -> None:
        self.resource = resource
        self.span = span
        self.key = key
        self.tainted = tainted
        self.id = self.arn = self.account = self.region = ""

    def __repr__(self) -> str:
        return f"<{self.address} of {self.state}>"

    @property
    def address(self) -> str:
        resource = self.resource
        suffix = "" if self.key is None else f"[{key_text(self.key)}]"
        prefix = f"{resource.module}." if resource.module else ""
        return f"{prefix}{resource.type}.{resource.name}{suffix}"

    @property
    def type(self) -> str:
        return self.resource.type

    @property
    def name(self) -> str:
        return self.resource.name

    @property
    def module(self) -> str:
        return self.resource.module

    @property
    def workspace(self) -> str:
        return self.resource.state.workspace

    @property
    def state(self) -> str:
        return self.resource.state.origin

    @property
    def tool(self) -> str:
        return "tofu" if _TOFU in self.resource.provider else "terraform"

    @property
    def attributes(self) -> Attributes:
        return self.resource.state.parse(self.span)[0]

    @property
    def default_tags(self) -> Mapping[str, str]:
        return self.resource.state.default_tags(self.resource.provider)

    @property
    def sensitive(self) -> Sequence[tuple[str | int, ...]]:
        return self.resource.state.parse(self.span)[1]

    @property
    def file(self) -> str:
        return self.resource.block.file

    @property
    def line(self) -> int:
        return self.resource.block.line

    def attribute_line(self, attribute: str) -> int:
        return self.resource.block.attribute_line(attribute)

    @property
    def ignore_changes(self) -> Sequence[str]:
        return self.resource.block.ignore_changes

    @property
    def ignored_tags(self) -> IgnoredTags:
        return self.resource.state.tags(self.resource.state.origin, self.resource.alias)


@dataclass(eq=False)
class State:
    """One loaded version of one state.  ``raw`` is kept, attributes are parsed from it when they are asked for."""

    raw: bytes = field(repr=False)
    origin: str
    workspace: str = ""
    scopes: Scopes = field(default=no_scopes, repr=False)
    blocks: Blocks = field(default=no_blocks, repr=False)
    tags: Tags = field(default=no_ignored_tags, repr=False)
    serial: int = 0
    lineage: str = ""
    terraform_version: str = ""
    instances: list[StateInstance] = field(default_factory=list, repr=False)
    resources: int = 0
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """:raises StateError: when ``raw`` is not a usable state."""
        self.parse = lru_cache(_PARSED)(self._parse)
        self._pairs: dict[tuple[str, str], list[tuple[str, StateInstance]]] = {}
        self._default_tags: dict[str, Mapping[str, str]] = {}
        found = scan(self.raw)
        self.serial, self.lineage, self.terraform_version = found.serial, found.lineage, found.terraform_version
        region_attributes: dict[StateInstance, str] = {}
        for spans in found.resources:
            self._add(spans, region_attributes)
        self._infer_scopes(region_attributes)

    def pairs(self, type: str, attribute: str) -> list[tuple[str, StateInstance]]:
        """Values of ``attribute`` with the instances of ``type`` that have them, read once a version."""
        known = self._pairs.get((type, attribute))
        if known is None:
            values = (
                (_text(self._parse(i.span)[0].get(attribute)), i) for i in self.instances if i.resource.type == type
            )
            known = self._pairs[type, attribute] = [(value, i) for value, i in values if value]
        return known

    def default_tags(self, provider: str) -> Mapping[str, str]:
        """The ``default_tags`` of a provider configuration: what some of its resources have in ``tags_all`` alone.

        Where resources do not agree on a value it is not known.
        """
        known = self._default_tags.get(provider)
        if known is None:
            values: dict[str, set[str]] = {}
            for instance in islice((i for i in self.instances if i.resource.provider == provider), _SHOWN):
                attributes = self._parse(instance.span)[0]
                own, everything = attributes.get("tags"), attributes.get("tags_all")
                for key, value in everything.items() if isinstance(everything, dict) else ():
                    if isinstance(value, str) and key not in (own if isinstance(own, dict) else ()):
                        values.setdefault(key, set()).add(value)
            known = self._default_tags[provider] = {key: only for key, told in values.items() if (only := _only(told))}
        return known

    @cached_property
    def graph(self) -> Graph:
        """What depends on what, read once a version, when it is first asked for."""

        def nodes() -> Iterator[tuple[Node, set[str]]]:
            for resource, group in groupby(self.instances, key=lambda instance: instance.resource):
                instances = list(group)
                needed = {address for instance in instances for address in self._dependencies(instance)}
                yield Node(resource.module, f"{resource.type}.{resource.name}", instances), needed

        return Graph(nodes())

    def _dependencies(self, instance: StateInstance) -> Sequence[str]:
        found = self.document(instance.span).get("dependencies")
        return [text for text in found if isinstance(text, str)] if isinstance(found, list) else ()

    def _add(self, spans: ResourceSpans, regions: dict[StateInstance, str]) -> None:
        members = spans.members
        if members.get("mode") != "managed":
            return
        texts = [members.get(name) or "" for name in ("type", "name", "module", "provider")]
        if not all(isinstance(text, str) for text in texts) or not texts[0]:
            raise StateError("a resource has no type; the state is damaged: restore it or push it anew")
        type, name, module, provider = (sys.intern(text) for text in texts)
        whole = resource = ResourceData(self, type, name, module, _alias(provider), provider)
        # OpenTofu has a provider of its own for each instance where that has for_each.
        others: dict[str, ResourceData] = {}
        self.resources += 1
        for span in spans.spans:
            document = self.document(span)
            if document.get("deposed"):
                continue  # replaced already; Terraform only still has to destroy it
            attributes = _attributes(document)
            if isinstance(own := document.get("provider"), str) and own != provider:
                own = sys.intern(own)
                resource = others.setdefault(own, ResourceData(self, type, name, module, _alias(own), own))
            else:
                resource = whole
            instance = StateInstance(resource, span, document.get("index_key"), document.get("status") == "tainted")
            instance.id, instance.arn = _text(attributes.get("id")), _text(attributes.get("arn"))
            if instance.arn == instance.id:
                instance.arn = instance.id  # one string in memory
            if not instance.id:
                self.notes.append(f"{instance.address} has no id; it is found by its other attributes only")
            identity = document.get("identity")
            instance.account, region = _own_scope(attributes, identity if isinstance(identity, dict) else {})
            instance.region = region or ""
            if region is None:
                regions[instance] = ""
            self.instances.append(instance)

    def _infer_scopes(self, unknown_region: dict[StateInstance, str]) -> None:
        """Give instances without an ARN the account and region that their provider shows in the others.

        A provider configuration is one account and one region, so what all its other resources agree on holds.
        """
        accounts: dict[str, set[str]] = {}
        regions: dict[str, set[str]] = {}
        for instance in self.instances:
            provider = instance.resource.provider
            if instance.account:
                accounts.setdefault(provider, set()).add(instance.account)
            if instance.region:
                regions.setdefault(provider, set()).add(instance.region)
        for instance in self.instances:
            resource = instance.resource
            account, region = self.scopes(self.origin, resource.alias)
            if not instance.account:
                instance.account = account or _only(accounts.get(resource.provider))
            if not instance.region and instance in unknown_region and not _GLOBAL.match(resource.type):
                instance.region = region or _only(regions.get(resource.provider))

    def document(self, span: tuple[int, int]) -> dict[str, Any]:
        try:
            document = orjson.loads(self.raw[span[0] : span[1]])
        except orjson.JSONDecodeError as error:
            raise StateError(
                f"an instance at byte {span[0]} is not valid JSON ({error}); restore the state or push it anew"
            ) from None
        return document if isinstance(document, dict) else {}

    def _parse(self, span: tuple[int, int]) -> tuple[Attributes, tuple[tuple[str | int, ...], ...]]:
        document = self.document(span)
        marks = document.get("sensitive_attributes")
        paths = (_path(steps) for steps in (marks if isinstance(marks, list) else ()))
        return _attributes(document), tuple(path for path in paths if path)


def _attributes(document: Mapping[str, Any]) -> dict[str, Any]:
    attributes = document.get("attributes")
    if isinstance(attributes, dict):
        return attributes
    flat = document.get("attributes_flat")  # written by Terraform 0.11 and not refreshed since
    return {k: v for k, v in flat.items() if "." not in k} if isinstance(flat, dict) else {}


def _path(steps: object) -> tuple[str | int, ...]:
    """A cty path as ``sensitive_attributes`` holds it: ``{"type": "get_attr", "value": name}`` or
    ``{"type": "index", "value": {"value": key, "type": type}}``."""
    values = [step.get("value") for step in steps if isinstance(step, dict)] if isinstance(steps, list) else []
    keys = (value.get("value") if isinstance(value, dict) else value for value in values)
    return tuple(key if isinstance(key, int) else str(key) for key in keys)


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else ""


def _own_scope(attributes: Mapping[str, Any], identity: Mapping[str, Any]) -> tuple[str, str | None]:
    """Account and region that the resource itself names; a region of None is not known, "" is none at all."""
    match = _ARN.match(_text(attributes.get("arn")) or _text(identity.get("arn")))
    account = (match[4] if match else "") or _text(identity.get("account_id")) or _text(attributes.get("owner_id"))
    region = (match[3] if match else "") or _text(attributes.get("region")) or _text(identity.get("region"))
    known = account if len(account) == 12 and account.isdigit() else ""
    return sys.intern(known), sys.intern(region) if region or match else None


def _only(values: set[str] | None) -> str:
    return next(iter(values)) if values and len(values) == 1 else ""


def _alias(address: str) -> str:
    """The alias of a provider address, with the module that configures it in front when that is not the root."""
    provider = _PROVIDER.fullmatch(address)
    if provider is None:
        return ""
    alias = provider[3] or provider[6] or ""
    module = provider[1] or provider[4] or ""
    return f"{module}.{alias}" if module else alias


Table = dict[str, StateInstance | list[StateInstance]]


class Index:
    """Finds instances over a fixed set of states; see ``model.StateIndex``.

    It never changes: a refresh makes a new one.  An object that several states hold is kept once, from the first.
    """

    def __init__(self, states: Iterable[State] = (), used: Iterable[tuple[str, str]] = ()) -> None:
        self.states = tuple(states)
        self.duplicates: dict[StateInstance, StateInstance] = {}
        self._ids: Table = {}
        self._arns: Table = {}
        self._types: dict[str, int] = {}
        self._tables: dict[tuple[str, str], Table] = {}
        self._identities: dict[str, Sequence[str]] = {}
        for state in self.states:
            for instance in state.instances:
                if first := self._twin(instance):
                    self.duplicates[instance] = first
                    continue
                _put(self._ids, instance.id, instance)
                _put(self._arns, instance.arn, instance)
                self._types[instance.type] = self._types.get(instance.type, 0) + 1
        for type, attribute in used:
            self._table(type, attribute)

    @property
    def used(self) -> tuple[tuple[str, str], ...]:
        """Type and attribute of every table that was asked for beside ``KEYS``: the next version makes them at once."""
        return tuple(self._tables)

    def find(
        self, type: str, attribute: str, value: str, *, account: str = "", region: str = ""
    ) -> Sequence[StateInstance]:
        if attribute == "id":
            table = self._ids
        elif attribute == "arn":
            table = self._arns
        elif type in self._types:
            table = self._table(type, attribute)
        else:
            return ()
        return [i for i in _bucket(table, value) if i.resource.type == type and _within(i, account, region)]

    def find_any(self, value: str, *, account: str = "", region: str = "") -> Sequence[StateInstance]:
        if not value:
            return ()
        found = dict.fromkeys((*_bucket(self._ids, value), *_bucket(self._arns, value)))
        return [i for i in found if _within(i, account, region)]

    def all(self, type: str | None = None) -> Iterator[StateInstance]:
        for state in self.states:
            for instance in state.instances:
                if (type is None or instance.resource.type == type) and instance not in self.duplicates:
                    yield instance

    def has_type(self, type: str) -> bool:
        return type in self._types

    @cached_property
    def tool(self) -> str:
        firsts = [state.instances[0] for state in self.states if state.instances]
        return "tofu" if firsts and all(first.tool == "tofu" for first in firsts) else "terraform"

    def identity(self, type: str) -> Sequence[str]:
        known = self._identities.get(type)
        if known is None:
            documents = (i.resource.state.document(i.span) for i in islice(self.all(type), _SHOWN_IDENTITIES))
            found = (document.get("identity") for document in documents)
            known = self._identities[type] = next((tuple(one) for one in found if isinstance(one, dict) and one), ())
        return known

    @property
    def versions(self) -> Mapping[str, State]:
        return {state.origin: state for state in self.states}

    def at(self, state: str, addresses: Collection[str]) -> Mapping[str, StateInstance]:
        loaded = self.versions.get(state)
        found = ((instance.address, instance) for instance in loaded.instances) if loaded is not None else ()
        return {address: instance for address, instance in found if address in addresses}

    def dependents(self, state: str, module: str, type: str, name: str) -> Dependents | None:
        """What depends on a resource of a state, on any of its instances; ``None`` where it is not there."""
        loaded = self.versions.get(state)
        return loaded.graph.of(module, f"{type}.{name}") if loaded is not None else None

    def __len__(self) -> int:
        return sum(self._types.values())

    def _table(self, type: str, attribute: str) -> Table:
        table = self._tables.get((type, attribute))
        if table is None:
            table = {}
            for state in self.states:
                for value, instance in state.pairs(type, attribute):
                    if instance not in self.duplicates:
                        _put(table, value, instance)
            self._tables[type, attribute] = table
        return table

    def _twin(self, instance: StateInstance) -> StateInstance | None:
        """The same object in an earlier state.  Ids alone do not tell: some types' are unique only within a parent."""
        for other in _bucket(self._arns, instance.arn):
            if other.resource.state is instance.resource.state:
                break  # those of earlier states come first
            if other.type == instance.type:
                return other
        same = () if instance.arn else _bucket(self._ids, instance.id)
        if len(same) <= _COMPARED:
            for other in same:
                if (
                    other.type == instance.type
                    and other.resource.state is not instance.resource.state
                    and (other.account, other.region) == (instance.account, instance.region)
                    and other.attributes == instance.attributes
                ):
                    return other
        return None


def _put(table: Table, value: str, instance: StateInstance) -> None:
    if not value:
        return
    known = table.get(value)
    if known is None:
        table[value] = instance
    elif isinstance(known, list):
        known.append(instance)
    else:
        table[value] = [known, instance]


def _bucket(table: Table, value: str) -> Sequence[StateInstance]:
    found = table.get(value) if value else None
    if found is None:
        return ()
    return found if isinstance(found, list) else (found,)


def _within(instance: StateInstance, account: str, region: str) -> bool:
    return (not account or not instance.account or account == instance.account) and (
        not region or not instance.region or region == instance.region
    )
