"""From what the provider and botocore say to catalog entries: what each call does to which resource type."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import permutations
from typing import Any, Final

from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

from tfdrift_core.drift.change.convert import INSIDE, KEY, snake_case
from tfdrift_core.drift.compare.schema import Block, Node
from tools.derive import models
from tools.derive.models import element, logged, members, noun, required, verb
from tools.derive.provider import Call, Resource, Service

Entry = dict[str, Any]

CREATES: Final = frozenset(
    {"Accept", "Add", "Allocate", "Associate", "Attach", "BatchAssociate", "BatchCreate", "Copy", "Create", "Enable"}
    | {"Import", "Publish", "Purchase", "Put", "Register", "Request", "Run", "Set", "Subscribe", "Upload"}
    | {"Update", "Start"}
)
MAKES: Final = frozenset(
    {"Allocate", "Copy", "Create", "Import", "Publish", "Purchase", "Register", "Request", "Run", "Upload"}
)
"""Of these, those that make a thing of its own, whatever is managed beside it."""
SETS: Final = frozenset({"Accept", "Set", "Start", "Update"})
"""Of these, those that make nothing: what they set was there before."""
DELETES: Final = frozenset(
    {"BatchDelete", "BatchDisassociate", "Cancel", "Close", "Delete", "Deregister", "Destroy", "Detach", "Disable"}
    | {"Disassociate", "Leave", "Reject", "Release", "Remove", "Revoke", "Schedule", "Terminate", "Unassign", "Unlink"}
    | {"Unregister", "Unsubscribe"}
)
ENDS: Final = frozenset({"Archive", "Deactivate", "Deprecate", "Retire", "Stop"})
"""What a thing is ended by that cannot be deleted."""

ADDS: Final = frozenset({"Add", "Associate", "Attach", "BatchAssociate", "Create", "Enable", "Register"})
REMOVES: Final = frozenset({"BatchDisassociate", "Delete", "Deregister", "Detach", "Disable", "Disassociate", "Remove"})
SWITCHES: Final[Mapping[str, bool]] = {"Enable": True, "Start": True, "Disable": False, "Stop": False}
_SWITCHED: Final = ("enabled", "enable", "is_enabled")
_TOKEN: Final = re.compile(
    r"(?i)(token|etag|ifmatch|ifnonematch|currentversion|currentdeliverystreamversionid|revisionid|requestid|dryrun)$"
)
_EDITED: Final = re.compile(r"To(Add|Associate|Attach|Delete|Detach|Disassociate|Remove)$")
_REMOVED: Final = re.compile(r"To(Delete|Detach|Disassociate|Remove)$")
_NEW: Final = ("new_", "target_", "updated_")
_OWN: Final = ("name", "id", "arn", "identifier")
_MAX_DEPTH: Final = 6


def normal(member: str, noun: str) -> str:
    """A member's name as its neighbours would write it: ``Name`` of a table is ``tablename``."""
    return (noun + member if member.lower() in _OWN else member).lower()


def is_token(member: str, shape: Shape) -> bool:
    return bool(_TOKEN.search(member)) or bool(getattr(shape, "metadata", {}).get("idempotencyToken"))


def structures(operation: OperationModel) -> Iterator[str]:
    """How the provider's libraries call the structure of a call's parameters."""
    names = (f"{operation.name}Input", f"{operation.name}Request", getattr(operation.input_shape, "name", ""))
    yield from dict.fromkeys(name.lower() for name in names)


@dataclass
class Type:
    """A resource type with the calls that make and end it."""

    resource: Resource
    operations: Mapping[str, OperationModel]
    known: Mapping[str, OperationModel]
    create: OperationModel | None = field(init=False)
    delete: OperationModel | None = field(init=False)

    def __post_init__(self) -> None:
        self.delete = self._best(self.resource.deletes, DELETES) or self._best(self.resource.deletes, ENDS)
        self.create = self._best(self.resource.creates, CREATES) or self._counterpart()

    @property
    def name(self) -> str:
        return self.resource.type

    def _best(self, calls: Sequence[Call], verbs: frozenset[str]) -> OperationModel | None:
        """The call that the type is made or ended by: the one named most like the type, and of those the first."""
        known = [call.name for call in calls if call.name in self.operations and verb(call.name) in verbs]
        known = [name for name in known if verbs is not CREATES or self._is_own(name)]
        return self.operations[max(known, key=self._likeness)] if known else None

    def _counterpart(self) -> OperationModel | None:
        """What makes that which the deletion ends, under the same noun: ``RunJobFlow``, ``TerminateJobFlows``."""
        if self.delete is None:
            return None
        ended = noun(self.delete.name)
        made = [c.name for c in self.resource.creates if verb(c.name) in MAKES and _alike(noun(c.name), ended)]
        return self.operations.get(made[0] if made else f"Create{ended}")

    def _is_own(self, operation: str) -> bool:
        """Whether a call is named like the type at all."""
        squashed = self.name.replace("_", "")
        return any(len(word) > 2 and word.lower().rstrip("s") in squashed for word in models.words(noun(operation)))

    def _likeness(self, operation: str) -> float:
        wanted = self.name.removeprefix("aws_").split("_")
        said = [word.lower() for word in models.words(noun(operation))]
        common = sum(any(_alike(word, other) for other in wanted) for word in said)
        return common / max(1, len(said)) + common / 100

    @cached_property
    def noun(self) -> str:
        main = self.create if self.create and verb(self.create.name) in MAKES else self.delete or self.create
        return noun(main.name) if main else "".join(w.title() for w in self.name.split("_")[2:])

    @cached_property
    def identity(self) -> tuple[str, ...]:
        """The members that name one of the type to its API, in normal form."""
        if self.delete is not None:
            shapes = members(self.delete.input_shape)
            named = [m for m in required(self.delete) if not is_token(m, shapes[m])]
            if not named:
                named = [m for m in shapes if "" in self.tied(self.delete, m)]
            if not named:
                named = [m for m in shapes if _is_name(m) and self.tied(self.delete, m)]
            if named:
                return tuple(normal(member, self.noun) for member in named)
        for call in (*self.resource.updates, *self.resource.reads):
            operation = self.known.get(call.name)
            if operation is not None:
                own = [m for m in members(operation.input_shape) if "" in self.tied(operation, m)]
                if own:
                    return tuple(normal(member, self.noun) for member in own)
        if self.create is not None and self.delete is None:
            needed = [m for m in required(self.create) if _is_name(m) and self.tied(self.create, m)]
            return tuple(normal(member, self.noun) for member in needed)
        return ()

    def tied(self, operation: OperationModel, member: str) -> tuple[str, ...]:
        """The attributes that the provider ties to a member of a call."""
        found: dict[str, None] = {}
        for structure in structures(operation):
            found.update(dict.fromkeys(self.resource.attributes.get((structure, member.lower()), ())))
        return tuple(found)

    def tied_anywhere(self, member: str) -> tuple[str, ...]:
        """The attributes that the provider ties to a member of this name in any of the type's calls."""
        found: dict[str, None] = {}
        for operation in self.known.values():
            if member in members(operation.input_shape):
                found.update(dict.fromkeys(name for name in self.tied(operation, member) if name))
        return tuple(found)

    @cached_property
    def tails(self) -> list[str]:
        """What the type is called, in snake case: the nouns of its calls, and its own name without the service."""
        words = self.name.removeprefix("aws_").split("_")
        nouns = [snake_case(self.noun)] + [snake_case(noun(o.name)) for o in (self.create, self.delete) if o]
        return list(dict.fromkeys([*nouns, *("_".join(words[i:]) for i in range(len(words)))]))

    @property
    def attributes(self) -> Mapping[str, Node]:
        return self.resource.block.attributes

    @cached_property
    def settable(self) -> Mapping[str, Node]:
        """The attributes that a call can set so that a refresh tells it."""
        return {
            name: node
            for name, node in self.attributes.items()
            if not node.computed_only and self.resource.is_read(name)
        }


def _stem(member: str) -> str:
    """What a member names: ``apiId`` is ``api``."""
    return re.sub(r"(?i)(name|id|arn|identifier)$", "", member).lower()


def _alike(left: str, right: str) -> bool:
    return left.rstrip("s") == right.rstrip("s")


class Deriver:
    """The entries of one service."""

    def __init__(self, service: Service, known: Mapping[str, OperationModel]) -> None:
        self._service = service
        self._operations = {name: operation for name, operation in known.items() if models.changes(name)}
        self._types = [Type(resource, self._operations, known) for resource in service.resources]

    def entries(self) -> dict[str, list[Entry]]:
        """Operation to entries, in the form of a catalog file."""
        found: dict[str, list[Entry]] = {}
        for operation, entry in self._all():
            if entry not in found.setdefault(operation, []):
                found[operation].append(entry)
        return {name: _ordered(entries) for name, entries in sorted(found.items()) if entries}

    @property
    def open(self) -> set[str]:
        """Calls that are the types' own by name or by use, whatever could be derived of them."""
        nouns = {type.noun for type in self._types}
        used = {
            call.name
            for resource in self._service.resources
            for call in (*resource.creates, *resource.updates, *resource.deletes)
        }
        changing = (CREATES | DELETES | {"Modify", "Edit", "Change", "Set"}) - {"Start", "Run"}
        return {name for name in self._operations if verb(name) in changing and (name in used or noun(name) in nouns)}

    def _all(self) -> Iterator[tuple[str, Entry]]:
        for operation in self._operations.values():
            yield from ((operation.name, entry) for entry in self._tagging(operation))
        for type in self._types:
            yield from self._of(type)

    # --- one type

    def _of(self, type: Type) -> Iterator[tuple[str, Entry]]:
        handled: set[str] = set()
        if type.delete is not None:
            handled.add(type.delete.name)
            for entry in self._deleted(type, type.delete):
                yield type.delete.name, entry
            yield from self._cascade(type)
        updates = {call.name: call for call in (*type.resource.creates, *type.resource.updates)}
        deleting = {call.name for call in type.resource.deletes}
        for create in self._creates(type):
            upsert = create.name in {call.name for call in type.resource.updates}
            handled.add(create.name)
            # What sets a thing to its defaults again as well was there before.
            made = self._updated(type, create, ()) if create.name in deleting else self._created(type, create, upsert)
            for entry in made:
                yield create.name, entry
        for name, call in updates.items():
            operation = self._operations.get(name)
            if operation is None or name in handled or self._is_tagging(operation):
                continue
            handled.add(name)
            guards = call.guards if call in type.resource.updates else ()
            for entry in self._updated(type, operation, guards):
                yield name, entry
        for name, operation in self._operations.items():
            if name in handled or noun(name) != type.noun or self._is_tagging(operation):
                continue
            if type.create is not None and verb(type.create.name) in MAKES:
                for entry in self._by_name(type, operation):
                    yield name, entry

    def _creates(self, type: Type) -> Iterator[OperationModel]:
        """The call that makes one of the type, and others of the same noun."""
        if type.create is None:
            return
        yield type.create
        for call in type.resource.creates if verb(type.create.name) in MAKES else ():
            operation = self._operations.get(call.name)
            if operation not in (None, type.create) and noun(call.name) == type.noun and verb(call.name) in MAKES:
                yield self._operations[call.name]

    def _deleted(self, type: Type, operation: OperationModel) -> Iterator[Entry]:
        found = self.match(type, operation)
        if found is not None:
            # What is switched off and on again stays there for a refresh: a recorder that is stopped.
            update = next((call for call in type.resource.updates if call.name == operation.name), None)
            switched = self._switch(type, operation, update.guards) if update else {}
            yield {"type": type.name, **found, **(switched or {"delete": True})}

    def _cascade(self, parent: Type) -> Iterator[tuple[str, Entry]]:
        """What is gone with its parent: the types that are named by the parent's name and something more."""
        assert parent.delete is not None
        wanted = set(parent.identity)
        head = re.split(r"(?<=[a-z])(?:From|To|For|Of|In|With)(?=[A-Z])", parent.noun)[0].lower()
        if not any(name.startswith(head) or head.endswith(_stem(name)) for name in wanted):
            return
        for child in self._types:
            named = set(child.identity)
            inner = wanted < named or (
                wanted == named
                and (
                    (child.delete is not parent.delete and child.name.startswith(f"{parent.name}_"))
                    or (child.noun != parent.noun and parent.noun.lower() in child.noun.lower())
                    or (child.noun != parent.noun and self._is_made_for(child, parent))
                )
            )
            if child is parent or not inner:
                continue
            match = {}
            for member in required(parent.delete):
                key = normal(member, parent.noun)
                if key in wanted:
                    attribute = self._parent_attribute(child, key)
                    if attribute is None:
                        break
                    match[attribute] = f"request.{logged(member)}"
            else:
                if match:
                    yield parent.delete.name, {"type": child.name, "match": match, "delete": True}

    def _is_made_for(self, child: Type, parent: Type) -> bool:
        """Whether what makes the child has to be told the id that the parent got from its service."""
        if parent.create is None or child.create is None or not parent.identity:
            return False
        given = {normal(member, child.noun) for member in required(child.create)}
        own = {normal(member, parent.noun) for member in members(parent.create.input_shape)}
        return set(parent.identity) <= given and not own & set(parent.identity)

    def _parent_attribute(self, child: Type, key: str) -> str | None:
        if child.delete is None:
            return None
        for member in required(child.delete):
            if normal(member, child.noun) == key:
                names = [name for name in self.candidates(child, child.delete, member) if name not in ("id", "arn")]
                return names[0] if names else None
        return None

    def _created(self, type: Type, operation: OperationModel, upsert: bool) -> Iterator[Entry]:
        created = self._names(type, operation)
        entry: Entry = {"type": type.name}
        named = self.match(type, operation)
        by_request = named is not None and (upsert or not self._answered(type, operation))
        if by_request and named is not None:
            entry |= named
        sets = verb(operation.name) in SETS
        if named == {} or (sets and named is not None):
            settings = self._settings(type, operation, named) or self._switch(type, operation, ())
            yield {"type": type.name, **named, **settings, "restore": True}
            if not sets:
                yield {"type": type.name, "create": created or {"id": "record.recipientAccountId"}, "fallback": True}
            return
        if sets:
            return
        if verb(operation.name) not in MAKES and "match" in entry:
            parents = self._parents(type, operation)
            if parents:
                entry["parent"] = parents
        told = self._told_apart(type, operation)
        if told:
            entry["when"] = told
        entry |= self._settings(type, operation, named or {}, made=not upsert)
        if created:
            entry["create"] = created
            yield entry
        elif "match" in entry:
            entry["create"] = {"id": next(iter(_alternatives(entry["match"])[0].values()))}
            yield entry
        elif verb(operation.name) in MAKES and "Name" in members(operation.input_shape):
            entry["create"] = {"id": "request.name"}
            yield entry

    def _answered(self, type: Type, operation: OperationModel) -> bool:
        """Whether the answer, not the caller, gives the new resource its id."""
        for shape, path in type.resource.ids:
            if shape == "":
                return False
            if path.lower().endswith("name"):
                return False
        return bool(type.resource.ids)

    def _told_apart(self, type: Type, operation: OperationModel) -> str:
        """A condition for one of several types that one call makes: a member that only this type's code sets."""
        rivals = [other for other in self._types if other.create is operation and other is not type]
        if not rivals:
            return ""
        shapes = members(operation.input_shape)

        def structures(of: Type) -> set[str]:
            return {
                m for m, s in shapes.items() if isinstance(element(s), StructureShape) and of.tied(operation, m)
            } | {m for m in shapes if snake_case(m) in of.attributes and isinstance(shapes[m], StructureShape)}

        own = structures(type) - {member for rival in rivals for member in structures(rival)}
        return " || ".join(f"request.{logged(member)}" for member in sorted(own))

    def _parents(self, type: Type, operation: OperationModel) -> Entry:
        found: Entry = {}
        for parent in self._types:
            if parent is not type and parent.identity and set(parent.identity) < set(type.identity):
                match = {}
                for member in members(operation.input_shape):
                    if normal(member, type.noun) in parent.identity and parent.delete is not None:
                        for own in required(parent.delete):
                            if normal(own, parent.noun) == normal(member, type.noun):
                                names = self.candidates(parent, parent.delete, own)
                                if names:
                                    match[names[0]] = f"request.{logged(member)}"
                if match:
                    found[parent.name] = match
        return found

    def _updated(self, type: Type, operation: OperationModel, guards: Sequence[str]) -> Iterator[Entry]:
        found = self.match(type, operation, own=bool(guards))
        if found is None:
            return
        renamed = next((m for m in members(operation.input_shape) if re.fullmatch(r"[Nn]ew\w*Name", m)), "")
        if renamed and any(path.lower().endswith("name") for _, path in type.resource.ids):
            # The provider looks for it by the name that it had.
            yield {"type": type.name, **found, "when": f"request.{logged(renamed)}", "delete": True}
        change = self._switch(type, operation, guards)
        if not change:
            change = self._edit(type, operation, guards, found)
        if not change:
            change = self._settings(type, operation, found)
        if not change:
            change = self._about(type, operation, guards)
        if change:
            yield {"type": type.name, **found, **change}

    def _about(self, type: Type, operation: OperationModel, guards: Sequence[str]) -> Entry:
        """A call that is about one attribute, of which it may set or end what is below."""
        names = [g for g in guards if g in type.settable and g not in ("tags", "tags_all")]
        if len(names) != 1:
            return {}
        (name,) = names
        node = type.settable[name]
        single = node.nested is not None and node.max_items == 1 and not node.computed
        if single and verb(operation.name) in DELETES:
            return {"clear": [name]}
        below = node.nested.attributes if single and node.nested is not None else {}
        found = {
            f"{name}[0].{snake_case(member)}": f"request.{logged(member)}"
            for member, shape in members(operation.input_shape).items()
            if (inner := below.get(snake_case(member))) is not None and _compatible(inner, shape)
        }
        return {"set": found} if found else {"unknown": {name: "`true`"}}

    def _by_name(self, type: Type, operation: OperationModel) -> Iterator[Entry]:
        """A call of the type's own noun that the provider does not make."""
        action = verb(operation.name)
        found = self.match(type, operation)
        if found is None:
            return
        if action in ("BatchDelete", "Delete") and type.identity:
            yield {"type": type.name, **found, "delete": True}
        elif action in ("Update", "Modify", "Edit", "Put"):
            change = self._settings(type, operation, found)
            if change:
                yield {"type": type.name, **found, **change}
        elif action in ("Enable", "Disable"):
            change = self._switch(type, operation, ())
            if change:
                yield {"type": type.name, **found, **change}

    def _switch(self, type: Type, operation: OperationModel, guards: Sequence[str]) -> Entry:
        """Calls whose name is the value."""
        on = SWITCHES.get(verb(operation.name))
        if on is None:
            return {}
        about = snake_case(noun(operation.name))
        for name in (
            *guards,
            *(_SWITCHED if noun(operation.name) == type.noun else (f"enable_{about}", f"{about}_enabled")),
        ):
            node = type.settable.get(name)
            if node is None:
                continue
            if node.kind == "bool":
                return {"const": {name: on}}
            inner = node.nested.attributes if node.nested is not None and node.max_items == 1 else {}
            for switch in _SWITCHED:
                if switch in inner and inner[switch].kind == "bool":
                    return {"const": {f"{name}[0].{switch}": on}}
        return {}

    def _edit(self, type: Type, operation: OperationModel, guards: Sequence[str], found: Entry) -> Entry:
        """Calls that add elements to a list or take them away."""
        action = verb(operation.name)
        if (action not in ADDS and action not in REMOVES) or noun(operation.name) == type.noun:
            return {}
        shapes = members(operation.input_shape)
        used = set(re.findall(r"request\.(\w+)", str(found)))
        rest = [m for m in shapes if logged(m) not in used and not is_token(m, shapes[m])]
        for member in sorted(rest, key=lambda m: -max((_common(snake_case(m), guard) for guard in guards), default=0)):
            inner = element(shapes[member])
            for name in (*type.tied(operation, member), *_forms(snake_case(member)), *guards):
                node = type.settable.get(name)
                if node is None:
                    continue
                if node.kind in ("list", "set") and inner.type_name == "string":
                    return {"add" if action in ADDS else "remove": {name: f"request.{logged(member)}"}}
                if node.kind in ("block_list", "block_set") and node.max_items != 1:
                    given = f"request.{logged(member)}" if member in required(operation) else "`true`"
                    return {"unknown": {name: given}}
        return {}

    # --- which one

    def match(self, type: Type, operation: OperationModel, own: bool = False) -> Entry | None:
        """``match`` and ``each`` of a call on a type; ``None`` when the call does not name one.

        A type of which each account has one is not named; ``own`` says that the call is known to be the type's.
        """
        if not type.identity and own:
            return {}
        if not type.identity:
            shapes = members(operation.input_shape)
            foreign = [m for m in shapes if _is_name(m.rstrip("s")) and not is_token(m, shapes[m])]
            foreign += [m for m in required(operation) if type.tied(operation, m) and shapes[m].type_name == "string"]
            return {} if not foreign else None
        named = self._named(type, operation)
        if named is None:
            return None
        each = ""
        main = max(named, key=lambda entry: self._rank(type, entry[0]))
        member, expression, shape = main
        if isinstance(shape, ListShape):
            each, expression = expression, "item"
            if isinstance(shape.member, StructureShape):
                return None
        others: dict[str, str] = {}
        for other, text, other_shape in named:
            if other is member or isinstance(other_shape, ListShape):
                continue
            names = [n for n in self.candidates(type, operation, other) if n not in ("id", "arn")]
            if names:
                others[names[0]] = text
        if isinstance(shape, StructureShape):
            return self._inner_match(type, operation, expression, shape, others, member)
        alternatives = []
        whole = len(others) == len(named) - 1
        names = self.candidates(type, operation, member, main=True)
        for name in names:
            if whole or name in ("id", "arn") or "" in type.tied(operation, member):
                alternatives.append({name: expression, **{n: t for n, t in others.items() if n != name}})
        if len(named) == 1 and not each and member not in required(operation):
            alternatives += self._otherwise(type, operation, member)
        plain = whole and alternatives and not {"id", "arn"} & alternatives[0].keys()
        if len(named) > 1 and not each and type.resource.separators and not plain:
            texts = [_text(text, shape) for _, text, shape in named]
            if len(texts) <= 3:
                for mark in type.resource.separators:
                    for order in permutations(texts):
                        alternatives.append({"id": f"join('{mark}', [{', '.join(order)}])"})
        if not alternatives:
            return None
        result: Entry = {"match": alternatives[0] if len(alternatives) == 1 else alternatives}
        if each:
            result["each"] = each
        return result

    def _inner_match(
        self,
        type: Type,
        operation: OperationModel,
        expression: str,
        shape: StructureShape,
        others: Mapping[str, str],
        name: str,
    ) -> Entry | None:
        """A name that is an object: a block of the resource, or one of whose members one or another is given."""
        block = type.attributes.get(snake_case(name))
        if others and block is not None and block.nested is not None and block.max_items == 1:
            inner = {
                f"{snake_case(name)}[0].{snake_case(member)}": f"{expression}.{logged(member)}"
                for member in shape.required_members
                if snake_case(member) in block.nested.attributes
            }
            if inner:
                return {"match": {**others, **inner}}
        alternatives = []
        for member, below in members(shape).items():
            if below.type_name == "string" and normal(member, type.noun).startswith(type.noun.lower()):
                for name in self.candidates(type, operation, member, main=True):
                    alternatives.append({name: f"{expression}.{logged(member)}"})
        return {"match": alternatives} if alternatives else None

    def _otherwise(self, type: Type, operation: OperationModel, member: str) -> Iterator[dict[str, str]]:
        """What else may name one of the type, where a call takes one of several."""
        shapes = members(operation.input_shape)
        for other, shape in shapes.items():
            stem = _stem(other)
            named = _is_name(other) or other == type.noun
            if other != member and stem in ("", type.noun.lower()) and named and shape.type_name == "string":
                for name in self.candidates(type, operation, other, main=True):
                    yield {name: _expression(other, shape)}

    def _named(self, type: Type, operation: OperationModel) -> list[tuple[str, str, Shape]] | None:
        """The members of a call that name a resource of the type: name, expression and shape of each."""
        shapes = members(operation.input_shape)
        found: dict[str, tuple[str, str, Shape]] = {}
        own = noun(operation.name)
        for member, shape in shapes.items():
            keys = {normal(member, type.noun), normal(member, own) if _related(own, type.noun) else ""}
            for key in keys & set(type.identity):
                found[key] = member, _expression(member, shape), shape
        for member, shape in shapes.items():
            if isinstance(shape, StructureShape):
                for inner, below in members(shape).items():
                    # ``name`` in ``rule`` is what other calls have as ``ruleName``.
                    names = (normal(inner, type.noun), normal(inner, member))
                    key = next((name for name in names if name in type.identity), "")
                    if key and below.type_name == "string":
                        text = f"request.{logged(member)}.{logged(inner)}"
                        if key not in found:
                            found[key] = inner, text, below
                        elif found[key][0] not in required(operation):
                            found[key] = inner, f"{found[key][1]} || {text}", below
        if set(found) == set(type.identity):
            return [found[key] for key in type.identity]
        for member, shape in shapes.items():
            # By another name: the provider fills it with the resource's id or an attribute that the id is made of.
            if "" in type.tied(operation, member) and not is_token(member, shape):
                return [(member, _expression(member, shape), shape)]
        lists = [m for m in shapes if normal(m.rstrip("s"), type.noun) in type.identity]
        if lists and isinstance(shapes[lists[0]], ListShape):
            return [(lists[0], _expression(lists[0], shapes[lists[0]]), shapes[lists[0]])]
        main = [key for key in type.identity if key.startswith(type.noun.lower())]
        if main and all(key in found for key in main):
            return [found[key] for key in type.identity if key in found]
        alike = self._by_kind(type, operation)
        return [alike] if alike else None

    def _by_kind(self, type: Type, operation: OperationModel) -> tuple[str, str, Shape] | None:
        """The required member that is called like the type, whatever kind of name it is."""
        shapes = members(operation.input_shape)
        for member in required(operation):
            stem = _stem(member)
            if stem and stem == type.noun.lower():
                return member, _expression(member, shapes[member]), shapes[member]
        return None

    def _rank(self, type: Type, member: str) -> tuple[bool, int, int]:
        """Which of several members tells most: the type's own, of those its id before its name; else the last."""
        name = member.lower()
        own = normal(member, type.noun).startswith(type.noun.lower()) or name in _OWN
        kind = next((i for i, k in enumerate(("name", "arn", "id")) if name.endswith(k)), 3) if own else 0
        place = type.identity.index(normal(member, type.noun)) if normal(member, type.noun) in type.identity else 0
        return own, kind, place

    def candidates(self, type: Type, operation: OperationModel, member: str, main: bool = False) -> list[str]:
        """The attributes that a naming member may be, best first."""
        attributes, snake = type.attributes, snake_case(member)
        found: dict[str, None] = {}

        def add(*names: str) -> None:
            found.update(dict.fromkeys(name for name in names if name in attributes and _plain(attributes[name])))

        tied = type.tied(operation, member) or type.tied_anywhere(member)
        add(*(name for name in tied if name == snake), *(name or "id" for name in tied))
        if snake not in ("id", "name", "arn") or main:
            add(snake)
        tails = [*type.tails, snake_case(noun(operation.name))]
        for tail in tails:
            if snake.startswith(f"{tail}_"):
                rest = snake[len(tail) + 1 :]
                add(rest, *(("id", "arn", "name") if rest == "identifier" else ()))
            elif snake == tail and main:
                add("id", "arn", "name")
            elif snake in _OWN:
                add(f"{tail}_{snake}")
        if main:
            if snake.endswith("arn"):
                add("arn", "id")
            elif snake.endswith("id") or snake.endswith("identifier"):
                add("id", "arn")
            elif snake.endswith("name"):
                add("name", "id")
        return list(found)

    # --- what it sets

    def _settings(self, type: Type, operation: OperationModel, found: Entry, made: bool = False) -> Entry:
        """``from``, ``rename``, ``unknown`` and ``tags`` of a call that sets attributes."""
        shape = operation.input_shape
        if shape is None:
            return {}
        mapping = Attributes(type)
        renames, count = mapping.walk(shape, tuple(structures(operation)), type.resource.block, top=True)
        shapes = members(shape)
        naming = set(re.findall(r"request\.(\w+)", str(found)))
        tags = [m for m, s in shapes.items() if _is_tags(m, s)]
        for member in list(shapes):
            name = renames.get(member, snake_case(member))
            identifies = logged(member) in naming and not isinstance(shapes[member], StructureShape)
            argument = member in tags or is_token(member, shapes[member]) or identifies
            if argument and isinstance(name, str) and name in type.attributes:
                count -= member in mapping.found
                renames = {k: v for k, v in renames.items() if k != member and not k.startswith(f"{member}.")}
                renames[member] = None
        decoded = {}
        for member in shapes:
            for name in type.tied(operation, member):
                plain = name.removeprefix("base64:")
                if plain != name and plain in type.settable:
                    decoded[plain] = f"from_base64(request.{logged(member)})"
                    renames[member] = None
        decoded |= self._operations_by_path(type, shape)
        edits: dict[str, dict[str, str]] = {}
        for member, name in self._edited(type, shapes, renames):
            renames[member] = None
            count -= member in mapping.found
            edits.setdefault("remove" if _REMOVED.search(member) else "add", {})[name] = f"request.{logged(member)}"
        unknown = {}
        for member in required(operation):
            name = renames.get(member, snake_case(member))
            hidden = shapes[member].type_name == "blob" or getattr(shapes[member], "metadata", {}).get("sensitive")
            if hidden and isinstance(name, str) and name in type.settable:
                unknown[name] = f"!(request.{logged(member)})"
        result: Entry = {}
        if count > 0:
            result["from"] = "request"
            if renames:
                result["rename"] = {".".join(map(logged, key.split("."))): value for key, value in renames.items()}
        if decoded:
            result["set"] = decoded
        result |= edits
        if unknown:
            result["unknown"] = unknown
        if tags and "tags" in type.attributes:
            text = f"request.{logged(tags[0])}"
            # What is made without tags has none, whatever there was under its name.
            result["tags"] = {"replace": f"{text} || `[]`"} if made else {"put": text}
        if set(result) == {"tags"} and not made:
            return result
        return result

    def _edited(
        self, type: Type, shapes: Mapping[str, Shape], renames: Mapping[str, str | None]
    ) -> Iterator[tuple[str, str]]:
        """The members that list what a call adds to an attribute or takes from it, with the attribute."""
        for member, shape in shapes.items():
            stem = _EDITED.sub("", member)
            if stem == member or not isinstance(shape, ListShape) or shape.member.type_name != "string":
                continue
            for name in (renames.get(member), *_forms(snake_case(stem))):
                node = type.attributes.get(name) if name else None
                if name and node is not None and node.kind in ("list", "set") and not node.computed_only:
                    yield member, name
                    break

    def _operations_by_path(self, type: Type, shape: Shape) -> dict[str, str]:
        """Attributes that a call sets by a list of path and value."""
        found = {}
        for member, below in members(shape).items():
            inner = sorted(members(element(below)))
            if len(inner) == 2 and inner[0].endswith("Path") and inner[1].endswith("Value"):
                path, value = map(logged, inner)
                for name, node in type.settable.items():
                    if node.kind == "string" and name != "id":
                        key = logged("".join(word.title() for word in name.split("_")))
                        found[name] = f"request.{logged(member)}[?{path}=='{key}'].{value} | [0]"
        return found

    # --- how a new one is called

    def _names(self, type: Type, operation: OperationModel) -> Entry:
        shape, created = operation.output_shape, {}
        texts: list[str] = []
        for structure, path in type.resource.ids:
            texts += self._id_texts(type, operation, structure, path)
        answers = dict(_below(shape, "response", 2)) if shape is not None else {}
        arn = next((t for k, t in answers.items() if k in ("arn", f"{type.noun}arn".lower())), "")
        if not texts:
            wanted = [f"{type.noun}{kind}".lower() for kind in ("id", "arn", "name")]
            wanted += ["id", "arn", *reversed(type.identity)]
            texts += [answers[key] for key in wanted if key in answers][:1]
        if not texts:
            named = self._named(type, operation) if type.identity else None
            if named:
                main = max(named, key=lambda entry: self._rank(type, entry[0]))
                texts.append(main[1])
        if texts:
            created["id"] = self._own(type, texts)
        if arn and arn not in texts:
            created["arn"] = arn
        return created

    def _own(self, type: Type, texts: Sequence[str]) -> str:
        """Of several parts of an id the one that is not its parents'."""
        own = [text for text in texts if normal(text.rpartition(".")[2], type.noun).startswith(type.noun.lower())]
        places = {key: place for place, key in enumerate(type.identity)}
        rest = sorted(texts, key=lambda text: places.get(normal(text.rpartition(".")[2], type.noun), len(places)))
        text = (own or rest)[-1]
        source, *steps = text.split(".")
        # The console's own calls answer with the thing as an object.
        return (
            f"{text} || {source}.{logged(type.noun)}.{steps[0]}" if source == "response" and len(steps) == 1 else text
        )

    def _id_texts(self, type: Type, operation: OperationModel, structure: str, path: str) -> Iterator[str]:
        steps = path.split(".")
        if structure == f"{operation.name}Output":
            text = _follow(operation.output_shape, "response", steps)
            if text:
                yield text
        elif structure == "":
            for member, shape in members(operation.input_shape).items():
                if path in type.tied(operation, member) or snake_case(member) == path:
                    yield f"request.{logged(member)}"
                    return
                if isinstance(shape, StructureShape):
                    for inner in members(shape):
                        if path in type.resource.attributes.get((shape.name.lower(), inner.lower()), ()):
                            yield f"request.{logged(member)}.{logged(inner)}"
                            return
        else:
            for member, shape in members(operation.output_shape).items():
                if shape.name.lower() == structure.lower():
                    text = _follow(shape, f"response.{logged(member)}", steps)
                    if text:
                        yield text

    # --- tags

    def _is_tagging(self, operation: OperationModel) -> bool:
        name = operation.name
        shapes = members(operation.input_shape)
        if not (re.match(r"(Un)?[Tt]ag($|[A-Z])", name) or re.search(r"Tags?($|To|From|For)", name)):
            return False
        return operation.name == "Untag" or any(_is_tags(m, s) or _is_tag_keys(m, s) for m, s in shapes.items())

    def _tagging(self, operation: OperationModel) -> Iterator[Entry]:
        if not self._is_tagging(operation):
            return
        shapes = members(operation.input_shape)
        removes = verb(operation.name) in ("Untag", "Remove", "Delete", "BatchUntag") or operation.name == "Untag"
        puts = [m for m, s in shapes.items() if _is_tags(m, s) and not _is_tag_keys(m, s)]
        keys = [m for m, s in shapes.items() if _is_tag_keys(m, s) or (operation.name == "Untag" and m == "Keys")]
        tags: Entry = {}
        if removes:
            tags["remove"] = f"request.{logged((keys + puts)[0])}"
        else:
            if puts:
                tags["put"] = f"request.{logged(puts[0])}"
            if keys:
                tags["remove"] = f"request.{logged(keys[0])}"
        names = [m for m in required(operation) if m not in puts and m not in keys and not is_token(m, shapes[m])]
        optional = [m for m in shapes if _is_name(m) and not is_token(m, shapes[m])]
        if not (names or optional) or not tags:
            return
        main = next((m for m in names or optional if "resource" in m.lower()), (names or optional)[-1])
        stem = _stem(main.rstrip("s")).removesuffix("list")
        if stem not in ("", "resource") and not any(stem == t.replace("_", "") for y in self._types for t in y.tails):
            return
        shape = shapes[main]
        expression = " || ".join(_expression(m, shapes[m]) for m in ([main] if names else optional))
        entry: Entry = {}
        if isinstance(shape, ListShape):
            entry["each"], expression = expression, "item"
        groups: dict[tuple[str, ...], list[str]] = {}
        for type in self._types:
            if "tags" not in type.attributes:
                continue
            kind = snake_case(main)
            by = [type.resource.tags] if type.resource.tags else []
            arns = [n for n in type.attributes if n.endswith("_arn") and type.attributes[n].computed_only]
            # An id that is looked for by an ARN would be found by its last part, which others have as well.
            by += ["arn"] if "arn" in type.attributes else arns or ["id"]
            if kind.endswith("name") and kind.removesuffix("_name") in type.tails:
                by += [n for n in (kind, "name") if n in type.attributes]
            elif kind in type.attributes and (kind.removesuffix("_id").removesuffix("_arn") in type.tails):
                by.append(kind)
            groups.setdefault(tuple(dict.fromkeys(by)), []).append(type.name)
        for names_, types in groups.items():
            alternatives = [{name: expression} for name in names_]
            match = alternatives[0] if len(alternatives) == 1 else alternatives
            yield {"type": types if len(types) > 1 else types[0], "match": match, **entry, "tags": tags}


class Attributes:
    """Which attribute each member of a call is, as far as names differ."""

    def __init__(self, type: Type) -> None:
        self._type = type
        self._tied = type.resource.attributes
        loose: dict[str, set[str]] = {}
        for (_, path), names in self._tied.items():
            loose.setdefault(path.rpartition(".")[2], set()).update(names)
        self._loose = loose
        self.found: set[str] = set()
        """The members of the call itself that are attributes."""

    def walk(
        self, shape: Shape, names: Sequence[str], block: Block, *, top: bool = False, flat: bool = False, depth: int = 0
    ) -> tuple[dict[str, str | None], int]:
        """Renames, and how many members are attributes; ``flat`` for members that are their structure's parent's."""
        renames: dict[str, str | None] = {}
        count = 0
        if depth > _MAX_DEPTH:
            return renames, count
        held: list[tuple[str, dict[str, str | None]]] = []
        for member, below in members(shape).items():
            name = self._attribute(names, member, below, block, top, flat)
            snake = snake_case(member)
            if name is None:
                inner, mapped = self._inside(names, member, below, block, top, depth)
                if mapped:
                    count += mapped
                    held.append((member, inner))
                elif snake in block.attributes:
                    renames[member] = None
                continue
            count += 1
            if depth == 0:
                self.found.add(member)
            if name != snake:
                renames[member] = name
            renames |= self._nested(member, below, block.attributes[name], depth)
        return renames | _undisputed(held), count

    def _nested(self, member: str, shape: Shape, node: Node, depth: int) -> dict[str, str | None]:
        inner = shape.value if isinstance(shape, MapShape) else element(shape)
        if node.nested is not None and isinstance(inner, StructureShape):
            renames, _ = self.walk(inner, (inner.name.lower(),), node.nested, depth=depth + 1)
            if isinstance(shape, MapShape):
                renames[KEY] = _key(inner, node.nested, renames)
            return {f"{member}.{key}": value for key, value in renames.items()}
        if node.kind in ("list", "set") and isinstance(shape, ListShape) and isinstance(inner, StructureShape):
            texts = [m for m, s in members(inner).items() if s.type_name == "string"]
            if len(texts) == 1:
                return {f"{member}.{texts[0]}": "."}
        return {}

    def _inside(
        self, names: Sequence[str], member: str, shape: Shape, block: Block, top: bool, depth: int
    ) -> tuple[dict[str, str | None], int]:
        """Members of a structure that are attributes of what holds it."""
        if not isinstance(shape, StructureShape) or shape.name.lower() in names:
            return {}, 0
        wrapper = top and self._is_wrapper(member)
        renames, count = self.walk(shape, (shape.name.lower(),), block, top=wrapper, flat=not wrapper, depth=depth + 1)
        prefix = f"{member}.".lower()
        for (owner, path), attributes in self._tied.items():
            if owner in names and path.startswith(prefix):
                for attribute in attributes:
                    if attribute in block.attributes:
                        steps = _spelled(shape, path[len(prefix) :].split("."))
                        if steps:
                            for end in range(1, len(steps)):
                                renames[".".join(steps[:end])] = "."
                            renames[".".join(steps)] = attribute
                            count += 1
                        break
        if not count:
            return {}, 0
        return {f"{member}.{key}": value for key, value in renames.items()}, count

    def _is_wrapper(self, member: str) -> bool:
        """Whether a member holds the resource itself: ``tableInput`` of a table."""
        name = re.sub(r"(?i)^new|(input|updates?|request|payload|definition|declaration|data|change)$", "", member)
        return bool(name) and any(_alike(name.lower(), tail.replace("_", "")) for tail in self._type.tails)

    def _attribute(
        self, names: Sequence[str], member: str, shape: Shape, block: Block, top: bool, flat: bool
    ) -> str | None:
        snake = snake_case(member)

        def fits(name: str) -> bool:
            node = block.attributes.get(name)
            if block is self._type.resource.block and (name in ("id", "arn") or not self._type.resource.is_read(name)):
                return False
            return node is not None and not node.computed_only and _compatible(node, shape)

        squashed: dict[str, list[str]] = {}
        for name in block.attributes:
            squashed.setdefault(name.replace("_", ""), []).append(name)
        tied = [name for owner in names for name in self._tied.get((owner, member.lower()), ()) if fits(name)]
        if tied:
            nearest: str = max(tied, key=lambda name: (_common(name, snake), name))
            return snake if snake in tied else nearest
        if flat:
            return None
        for form in (*_forms(snake), *(_forms(snake.partition("_")[2]) if snake.startswith(_NEW) else ())):
            for name in [form, *squashed.get(form.replace("_", ""), [])]:
                if fits(name):
                    return name
        if top:
            for tail in self._type.tails:
                if snake.startswith(f"{tail}_") and fits(snake[len(tail) + 1 :]):
                    return snake[len(tail) + 1 :]
        loose = [name for name in self._loose.get(member.lower(), ()) if fits(name)]
        return loose[0] if len(loose) == 1 else None


def _key(shape: Shape, block: Block, renames: Mapping[str, str | None]) -> str | None:
    """The attribute of blocks that is the key in a map of structures: the one text that no member gives."""
    given = {renames.get(member, snake_case(member)) for member in members(shape)}
    texts = [name for name, node in block.attributes.items() if node.kind == "string" and name not in given]
    return texts[0] if len(texts) == 1 else None


def _undisputed(held: Sequence[tuple[str, dict[str, str | None]]]) -> dict[str, str | None]:
    """The renames inside members that are no attributes; of two that claim one attribute the one named more like it."""
    found: dict[str, str | None] = {}
    for member, inner in held:
        claimed = {name for name in inner.values() if name not in (None, INSIDE)}
        rivals = [other for other, names in held if other != member and claimed & set(names.values())]
        near = max((_common(snake_case(member), name) for name in claimed if name), default=0)
        if any(_common(snake_case(rival), name) > near for rival in rivals for name in claimed if name):
            found[member] = None
        else:
            found |= {member: INSIDE, **inner}
    return found


def _ordered(entries: list[Entry]) -> list[Entry]:
    """Deletions of children behind those of their parents, and of types that share a call the plainest first."""

    def key(entry: Entry) -> tuple[bool, int]:
        name = entry["type"] if isinstance(entry["type"], str) else entry["type"][0]
        return "create" in entry and "when" not in entry, len(name)

    return sorted(entries, key=key)


def _alternatives(match: Any) -> list[dict[str, str]]:
    return match if isinstance(match, list) else [match]


def _is_name(member: str) -> bool:
    return member.lower().endswith(("name", "id", "arn", "identifier"))


def _related(left: str, right: str) -> bool:
    return left == right or left.startswith(right) or right.startswith(left)


def _expression(member: str, shape: Shape) -> str:
    """What a record has of a member; what is part of the path is logged as it was sent, under either of its names."""
    text = f"request.{logged(member)}"
    if shape.serialization.get("location") != "uri":
        return text
    label = shape.serialization.get("name") or member
    if label.lower() != member.lower():
        text += f" || request.{json.dumps(label) if '-' in label else logged(label)}"
    return text


def _text(expression: str, shape: Shape) -> str:
    return expression if shape.type_name == "string" else f"to_string({expression})"


def _plain(node: Node) -> bool:
    return node.kind in ("string", "number")


def _forms(snake: str) -> Iterator[str]:
    """An attribute's name as it may be written: singular for plural and the reverse."""
    yield snake
    if snake.endswith("ies"):
        yield snake[:-3] + "y"
    if snake.endswith("s"):
        yield snake[:-1]
        if snake.endswith("es"):
            yield snake[:-2]
    else:
        yield snake + "s"


def _common(left: str, right: str) -> int:
    return len(set(left.split("_")) & set(right.split("_")))


def _compatible(node: Node, shape: Shape) -> bool:
    if isinstance(shape, StructureShape):
        return node.nested is not None
    if isinstance(shape, MapShape):
        if isinstance(shape.value, StructureShape):
            return node.kind in ("block_list", "block_set") and node.max_items != 1
        return node.kind == "map" or (node.kind == "string" and shape.value.type_name != "structure")
    if isinstance(shape, ListShape):
        if isinstance(shape.member, StructureShape):
            return node.nested is not None or node.kind in ("map", "list", "set")
        return node.kind in ("list", "set")
    return node.kind in ("string", "number", "bool", "dynamic")


def _is_tags(member: str, shape: Shape) -> bool:
    if not re.search(r"(?i)tags?(list|map|toadd|set)?$", member):
        return False
    if isinstance(shape, MapShape):
        return shape.value.type_name == "string"
    inner = {name.lower() for name in members(element(shape))}
    return (
        isinstance(shape, ListShape)
        and inner <= {"key", "value", "tagkey", "tagvalue", "resourcearn", "resourceid", "resourcetype"}
        and bool(inner)
    )


def _is_tag_keys(member: str, shape: Shape) -> bool:
    name = member.lower()
    return (
        "tag" in name
        and isinstance(shape, ListShape)
        and shape.member.type_name == "string"
        and ("key" in name or "remove" in name or name in ("tags", "tagslist"))
    )


def _below(shape: Shape, text: str, depth: int) -> Iterator[tuple[str, str]]:
    for member, below in members(shape).items():
        if isinstance(below, StructureShape):
            if depth > 1:
                yield from _below(below, f"{text}.{logged(member)}", depth - 1)
        elif below.type_name == "string":
            yield member.lower(), f"{text}.{logged(member)}"


def _follow(shape: Shape | None, text: str, steps: Iterable[str]) -> str:
    for step in steps:
        known = {member.lower(): (member, below) for member, below in members(shape).items()}
        if step.lower() not in known:
            return ""
        member, shape = known[step.lower()]
        text += f".{logged(member)}"
    return text


def _spelled(shape: Shape, steps: Sequence[str]) -> list[str]:
    """A path in lower case as the model writes it."""
    found = []
    for step in steps:
        known = {member.lower(): (member, below) for member, below in members(element(shape)).items()}
        if step not in known:
            return []
        member, shape = known[step]
        found.append(member)
    return found
