"""Falco rules files: lists, macros, rules, exceptions, overrides and version requirements.

Loading follows Falco 0.43 (``rule_loader_reader.cpp``, ``rule_loader_collector.cpp``, ``rule_loader_compiler.cpp``):
the same items are refused or warned about, with the same codes.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

import yaml

from tfdrift_plugin.host import condition as conditions
from tfdrift_plugin.host import exceptions
from tfdrift_plugin.host.condition import ConditionError, Expr
from tfdrift_plugin.host.evaluate import Predicate, compile_condition, warnings
from tfdrift_plugin.host.exceptions import RuleException
from tfdrift_plugin.host.fields import Catalogue, FieldError
from tfdrift_plugin.host.output import Format, compile_format
from tfdrift_plugin.host.rules_file import Item, Place, RulesError, items_of

# The engine version of Falco 0.43, whose rules language this is.
ENGINE_VERSION = (0, 58, 0)
DEFAULT_SOURCE = "syscall"


class Priority(IntEnum):
    Emergency = 0
    Alert = 1
    Critical = 2
    Error = 3
    Warning = 4
    Notice = 5
    Informational = 6
    Debug = 7


PRIORITIES = {p.name.lower(): p for p in Priority} | {"info": Priority.Informational}


@dataclass(frozen=True, slots=True)
class RuleWarning:
    place: Place
    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}{self.message} ({self.code})"


@dataclass(frozen=True, slots=True)
class Extra:
    """An entry of Falco's ``append_output``: what it adds, and to which rules.

    ``fields`` are further members of ``output_fields`` by name: a format, or "" for the field of that name as it is.
    """

    source: str = ""
    rule: str = ""
    tags: frozenset[str] = frozenset()
    output: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)

    def fits(self, rule: "_Rule") -> bool:
        return self.source in ("", rule.source) and self.rule in ("", rule.name) and self.tags <= rule.tags


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule ready for use.  ``condition`` has lists, exceptions and macros expanded.

    ``extra_fields`` are further members in JSON: a format, and whether it is just a field, which keeps its type.
    """

    name: str
    desc: str
    priority: Priority
    source: str
    tags: tuple[str, ...]
    enabled: bool
    output: str
    format: Format
    condition: Expr
    matches: Predicate
    extra_fields: Mapping[str, tuple[Format, bool]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RuleSet:
    rules: tuple[Rule, ...]
    warnings: tuple[RuleWarning, ...]


def load(
    documents: Iterable[tuple[str, str]],
    catalogue: Catalogue,
    source: str,
    plugins: Mapping[str, str],
    extras: Sequence[Extra] = (),
) -> RuleSet:
    """The rules of several files (name, text), loaded one on top of the other as Falco does.

    ``plugins`` are the versions of the loaded plugins by name.  Raises `RulesError` at the first error.
    """
    collector = _Collector(catalogue, source, plugins, extras)
    rules: tuple[Rule, ...] = ()
    for name, text in documents:
        # Falco compiles after each file: a macro must not come from a later one.
        collector.read(name, text)
        rules = collector.compile()
    return RuleSet(rules, tuple(dict.fromkeys(collector.warnings)))


# --- collecting -------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _List:
    items: list[str]
    index: int
    visibility: int
    place: Place


@dataclass(slots=True)
class _Macro:
    condition: str
    index: int
    visibility: int
    place: Place


@dataclass(slots=True)
class _Rule:
    name: str
    place: Place
    condition_place: Place
    output_place: Place
    condition: str = ""
    output: str = ""
    desc: str = ""
    priority: Priority = Priority.Debug
    source: str = DEFAULT_SOURCE
    tags: set[str] = field(default_factory=set)
    exceptions: list[RuleException] = field(default_factory=list)
    enabled: bool = True
    skip_unknown: bool = False


APPENDABLE = {
    "list": frozenset(("items",)),
    "macro": frozenset(("condition",)),
    "rule": frozenset(("condition", "output", "desc", "tags", "exceptions")),
}
REPLACEABLE = {
    "list": APPENDABLE["list"],
    "macro": APPENDABLE["macro"],
    "rule": APPENDABLE["rule"]
    | {"priority", "capture", "capture_duration", "enabled", "warn_evttypes", "skip-if-unknown-filter"},
}
_BARE = re.compile(r"[^()\"'\s=,]+")
_IDENTIFIER = re.compile(r"[a-zA-Z]+[a-zA-Z0-9_]*")
_SEMVER = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?", re.ASCII)
USE_OVERRIDE = "Add an 'append' entry (e.g. 'condition: append') under 'override' instead."
APPEND_DEPRECATED = f"'append' key is deprecated. {USE_OVERRIDE}"
ENABLED_DEPRECATED = (
    "The standalone 'enabled' key usage is deprecated. The correct approach requires also a 'replace' entry under the "
    "'override' key (i.e. 'enabled: replace')."
)
OVERRIDE_AND_APPEND = f"Keys 'override' and 'append: true' cannot be used together. {USE_OVERRIDE}"
NO_PREVIOUS = {
    "list": "List uses 'append' or 'override.items: append' but no list by that name already exists",
    "macro": "Macro uses 'append' or 'override.condition: append' but no macro by that name already exists",
    "rule": "Rule uses 'append' or 'override.<key>: append' but no rule by that name already exists",
}


def version(text: str) -> tuple[int, int, int] | None:
    """The numbers of a semantic version, or ``None``."""
    match = _SEMVER.fullmatch(text)
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def satisfies(have: tuple[int, int, int], wanted: tuple[int, int, int]) -> bool:
    return have[0] == wanted[0] and have >= wanted


class _Collector:
    def __init__(
        self, catalogue: Catalogue, source: str, plugins: Mapping[str, str], extras: Sequence[Extra] = ()
    ) -> None:
        self.catalogue = catalogue
        self.extras = extras
        self.source = source
        self.plugins = plugins
        self.lists: dict[str, _List] = {}
        self.macros: dict[str, _Macro] = {}
        self.rules: dict[str, _Rule] = {}
        self.warnings: list[RuleWarning] = []
        self.index = 0

    def warn(self, place: Place, code: str, message: str) -> None:
        self.warnings.append(RuleWarning(place, code, message))

    def read(self, file: str, text: str) -> None:
        readers = {
            "required_engine_version": self._engine,
            "required_plugin_versions": self._plugins,
            "list": self._list,
            "macro": self._macro,
            "rule": self._rule,
        }
        for item in items_of(file, text):
            kind = next((key for key in readers if item.child(key) is not None), None)
            if kind is None:
                self.warn(item.place(), "LOAD_UNKNOWN_ITEM", "Unknown top level item")
                continue
            if kind in NO_PREVIOUS:
                item = Item(file, item.node, f"{kind} '{item.text(kind)}'")
            readers[kind](item)
            self.index += 1

    def _engine(self, item: Item) -> None:
        text = item.text("required_engine_version")
        wanted = (0, int(text), 0) if text.isdecimal() else version(text)
        if wanted is None:
            raise item.refuse(
                f"Unable to parse engine version '{text}' as a semver string. Expected \"x.y.z\" semver format."
            )
        if not satisfies(ENGINE_VERSION, wanted):
            have, need = (".".join(map(str, numbers)) for numbers in (ENGINE_VERSION, wanted))
            message = f"Rules require engine version {need}, but engine version is {have}"
            raise RulesError(item.place(), "LOAD_ERR_VALIDATE", message)

    def _plugins(self, item: Item) -> None:
        for entry in item.sequence("required_plugin_versions"):
            if not isinstance(entry, yaml.MappingNode):
                raise item.refuse("Plugin version must be a mapping", entry)
            first = Item(item.file, entry)
            alternatives = first.sequence("alternatives") if first.child("alternatives") is not None else []
            wanted: list[tuple[str, str]] = []
            for node in (entry, *alternatives):
                if not isinstance(node, yaml.MappingNode):
                    raise item.refuse("Plugin version alternative must be a mapping", node)
                one = Item(item.file, node)
                wanted.append((one.text("name"), one.text("version")))
            self._require(first.place(), wanted)

    def _require(self, place: Place, alternatives: list[tuple[str, str]]) -> None:
        for name, text in alternatives:
            needed, have = version(text), version(self.plugins.get(name, ""))
            if needed is None:
                message = f"Invalid required version '{text}' for plugin '{name}'"
                raise RulesError(place, "LOAD_ERR_VALIDATE", message)
            if have is not None and satisfies(have, needed):
                return
        listed = " or ".join(f"{name} (>={text})" for name, text in alternatives)
        loaded = ", ".join(f"{name} {text}" for name, text in self.plugins.items())
        message = f"Plugin requirement not satisfied, must load {listed}; loaded: {loaded or 'none'}"
        raise RulesError(place, "LOAD_ERR_VALIDATE", message)

    def _overrides(self, item: Item, kind: str) -> tuple[set[str], set[str], bool]:
        """The keys to append and to replace, and whether the old ``append: true`` is set."""
        append = item.flag("append", False)
        if append:
            self.warn(item.place(), "LOAD_DEPRECATED_ITEM", APPEND_DEPRECATED)
        node = item.child("override")
        if node is None:
            return set(), set(), append
        if not isinstance(node, yaml.MappingNode):
            raise item.refuse("Value of 'override' is not a mapping", node)
        chosen: dict[str, set[str]] = {"append": set(), "replace": set()}
        allowed = {"append": APPENDABLE[kind], "replace": REPLACEABLE[kind]}
        for key_node, operation_node in node.value:
            key, operation = key_node.value, operation_node.value
            if operation not in chosen:
                options = " ".join(name for name, keys in allowed.items() if key in keys)
                message = f"Invalid override operation for key '{key}': '{operation}'. Allowed values are: {options}"
                raise item.refuse(message, operation_node)
            if key not in allowed[operation]:
                hint = "appended to, use 'replace' instead" if operation == "append" else "replaced"
                raise item.refuse(f"Key '{key}' cannot be {hint}", key_node)
            chosen[operation].add(key)
        if append and (chosen["append"] or chosen["replace"]):
            raise item.refuse(OVERRIDE_AND_APPEND)
        return chosen["append"], chosen["replace"], append

    def _list(self, item: Item) -> None:
        name, items = item.text("list"), item.strings("items")
        if not _BARE.fullmatch(name):
            self.warn(item.place(), "LOAD_INVALID_LIST_NAME", "List has an invalid name.")
        appended, _, append = self._overrides(item, "list")
        previous = self.lists.get(name)
        if append or appended:
            if previous is None:
                raise RulesError(item.place(), "LOAD_ERR_VALIDATE", NO_PREVIOUS["list"])
            previous.items += items
            previous.visibility = self.index
        else:
            self.lists[name] = _List(items, previous.index if previous else self.index, self.index, item.place())

    def _macro(self, item: Item) -> None:
        name, text = item.text("macro"), item.text("condition")
        if not _IDENTIFIER.fullmatch(name):
            self.warn(item.place(), "LOAD_INVALID_MACRO_NAME", "Macro has an invalid name.")
        appended, _, append = self._overrides(item, "macro")
        previous = self.macros.get(name)
        if append or appended:
            if previous is None:
                raise RulesError(item.place(), "LOAD_ERR_VALIDATE", NO_PREVIOUS["macro"])
            previous.condition += " " + text
            previous.visibility = self.index
        else:
            place = item.place(item.child("condition"))
            self.macros[name] = _Macro(text, previous.index if previous else self.index, self.index, place)

    def _rule(self, item: Item) -> None:
        name = item.text("rule")
        appended, replaced, append = self._overrides(item, "rule")
        previous = self.rules.get(name)
        if not (append or appended or replaced):
            if any(item.child(key) is not None for key in ("condition", "output", "desc", "priority")):
                self._define(item, name, previous)
            else:
                enabled = item.flag("enabled", False) if item.text("enabled") else False
                self.warn(item.place(), "LOAD_DEPRECATED_ITEM", ENABLED_DEPRECATED)
                if previous is None:
                    message = "Rule has 'enabled' key but no rule by that name already exists"
                    raise RulesError(item.place(), "LOAD_ERR_VALIDATE", message)
                previous.enabled = enabled
            return
        if previous is None:
            raise RulesError(item.place(), "LOAD_ERR_VALIDATE", NO_PREVIOUS["rule"])
        self._same_source(item, previous, item.optional("source", ""))
        if append:
            appended = {key for key in ("condition", "exceptions") if item.child(key) is not None}
            if not appended:
                message = "Appended rule must have exceptions or condition property"
                raise RulesError(item.place(), "LOAD_ERR_VALIDATE", message)
        else:
            self._overridden_keys(item, appended, replaced)
        for key in sorted(appended):
            self._append(item, previous, key)
        for key in sorted(replaced):
            self._set(item, previous, key)

    def _overridden_keys(self, item: Item, appended: set[str], replaced: set[str]) -> None:
        for kind, keys in (("append", appended), ("replace", replaced)):
            for key in sorted(keys):
                if item.child(key) is None:
                    raise item.refuse(f"An {kind} override for '{key}' was specified but '{key}' is not defined")
        for key in sorted(REPLACEABLE["rule"] - appended - replaced):
            if item.child(key) is not None:
                message = f"Unexpected key '{key}': no corresponding entry under 'override' is defined."
                raise item.refuse(message, item.child(key))

    def _same_source(self, item: Item, previous: _Rule, source: str) -> None:
        if previous.source and source and previous.source != source:
            message = "Rule has been re-defined with a different source"
            raise RulesError(item.place(), "LOAD_ERR_VALIDATE", message)

    def _define(self, item: Item, name: str, previous: _Rule | None) -> None:
        rule = _Rule(name, item.place(), item.place(item.child("condition")), item.place(item.child("output")))
        for key in ("condition", "output", "desc", "priority"):
            self._set(item, rule, key)
        rule.source = item.optional("source", DEFAULT_SOURCE)
        for key in ("enabled", "tags", "exceptions", "skip-if-unknown-filter"):
            if item.child(key) is not None:
                self._set(item, rule, key)
        if previous is not None:
            self._same_source(item, previous, rule.source)
        if rule.source != self.source:
            self.warn(rule.place, "LOAD_UNKNOWN_SOURCE", f"Unknown source {rule.source}, skipping")
        # A dict keeps the place of a key that is set again, as Falco keeps the order of a redefined rule.
        self.rules[name] = rule

    def _set(self, item: Item, rule: _Rule, key: str) -> None:
        match key:
            case "condition":
                rule.condition, rule.condition_place = item.text(key), item.place(item.child(key))
            case "output":
                rule.output, rule.output_place = item.text(key).strip(), item.place(item.child(key))
            case "desc":
                rule.desc = item.text(key)
            case "priority":
                text = item.text(key)
                if text.lower() not in PRIORITIES:
                    allowed = ", ".join(p.name for p in Priority)
                    raise item.refuse(f"Invalid priority '{text}': one of {allowed}", item.child(key))
                rule.priority = PRIORITIES[text.lower()]
            case "tags":
                rule.tags = set(item.strings(key))
            case "exceptions":
                rule.exceptions = exceptions.read(item, self.warn, append=False)
                for exception in rule.exceptions:
                    exception.complete(self._catalogue_of(rule))
            case "enabled":
                rule.enabled = item.flag(key, True)
            case "skip-if-unknown-filter":
                rule.skip_unknown = item.flag(key, False)
            case _:
                # Captures and event types are of no use to a plugin's source.
                item.text(key)

    def _append(self, item: Item, rule: _Rule, key: str) -> None:
        match key:
            case "tags":
                rule.tags |= set(item.strings(key))
            case "exceptions":
                for exception in exceptions.read(item, self.warn, append=True):
                    exceptions.append(rule.exceptions, exception, self._catalogue_of(rule))
            case "condition":
                rule.condition += " " + item.text(key)
            case "output":
                rule.output += " " + item.text(key)
            case "desc":
                rule.desc += " " + item.text(key)

    def _catalogue_of(self, rule: _Rule) -> Catalogue | None:
        return self.catalogue if rule.source == self.source else None

    # --- compiling ----------------------------------------------------------------------------------------------------

    def compile(self) -> tuple[Rule, ...]:
        lists = {name: self._flat(entry) for name, entry in self.lists.items()}
        self._warn_of_several()
        used: set[str] = {item for entry in self.lists.values() for item in entry.items if item in self.lists}
        trees = {name: self._parse(entry.condition, entry.place, lists, used) for name, entry in self.macros.items()}
        macros: dict[str, Expr] = {}
        for name, macro in self.macros.items():
            visible = {
                other: macros.get(other, trees[other]) for other in trees if self.macros[other].index < macro.visibility
            }
            macros[name] = self._expand(trees[name], visible, macro.place, used)
        rules = [self._compile(rule, lists, macros, used) for rule in self.rules.values() if rule.source == self.source]
        for kind, names in (("Macro", self.macros), ("List", self.lists)):
            for name in names:
                if name not in used:
                    message = f"{kind} '{name}' not referred to by any other rule/macro"
                    self.warn(names[name].place, f"LOAD_UNUSED_{kind.upper()}", message)
        return tuple(rule for rule in rules if rule is not None)

    def _warn_of_several(self) -> None:
        """An item with a comma is several for Falco, which says nothing of that."""
        for entry in self.lists.values():
            for item in entry.items:
                if "," in item and (values := exceptions.values_of(item)) and len(values) > 1:
                    message = f"'{item}' is read as {', '.join(values)}; write {exceptions.spelling(item)} if it is one"
                    self.warn(entry.place, "LOAD_COMPILE_CONDITION", message)

    def _flat(self, entry: _List) -> list[str]:
        """The items, with those that name an earlier list replaced by its items."""
        items: list[str] = []
        for item in entry.items:
            other = self.lists.get(item)
            items += other.items if other is not None and other.index < entry.visibility else [item]
        return items

    def _parse(self, text: str, place: Place, lists: Mapping[str, list[str]], used: set[str]) -> Expr:
        for name, items in lists.items():
            replaced = substitute(text, name, items)
            if replaced != text:
                used.add(name)
                text = replaced
        try:
            return conditions.parse(text)
        except ConditionError as error:
            raise _condition_error(place, error, text, self._misread(lists)) from error

    def _misread(self, lists: Mapping[str, Sequence[str]]) -> str:
        """What to write for the first item of a list that Falco does not read as it was meant."""
        for name, items in lists.items():
            for item in items:
                if item not in self.lists and not exceptions.is_one_value(item):
                    return f"; list '{name}': write {exceptions.spelling(item)} for {item}"
        return ""

    def _expand(self, tree: Expr, macros: Mapping[str, Expr], place: Place, used: set[str]) -> Expr:
        try:
            expanded = conditions.expand(tree, macros)
        except ConditionError as error:
            raise RulesError(place, "LOAD_ERR_VALIDATE", str(error)) from error
        used.update(node.name for node in conditions.walk(tree) if isinstance(node, conditions.Macro))
        return expanded

    def _compile(
        self, rule: _Rule, lists: Mapping[str, list[str]], macros: Mapping[str, Expr], used: set[str]
    ) -> Rule | None:
        text = exceptions.with_exceptions(rule.condition, rule.exceptions)
        tree = self._expand(self._parse(text, rule.condition_place, lists, used), macros, rule.condition_place, used)
        extras = [extra for extra in self.extras if extra.fits(rule)]
        text_of_output = " ".join([rule.output, *(extra.output for extra in extras if extra.output)])
        fields = {name: form for extra in extras for name, form in extra.fields.items()}
        try:
            output = compile_format(text_of_output, self.catalogue)
            extra_fields = {
                name: (compile_format(form or f"%{name}", self.catalogue), not form) for name, form in fields.items()
            }
            matches = compile_condition(tree, self.catalogue)
        except (FieldError, ConditionError) as error:
            unknown = "nonexistent field" in str(error) or "invalid formatting token" in str(error)
            place = rule.output_place if isinstance(error, FieldError) else rule.condition_place
            if unknown and rule.skip_unknown:
                self.warn(place, "LOAD_UNKNOWN_FILTER", str(error))
                return None
            if isinstance(error, ConditionError):
                raise _condition_error(place, error, text) from error
            raise RulesError(place, "LOAD_ERR_COMPILE_OUTPUT", str(error)) from error
        for message in warnings(tree, self.catalogue):
            self.warn(rule.condition_place, "LOAD_COMPILE_CONDITION", message)
        return Rule(
            name=rule.name,
            desc=rule.desc,
            priority=rule.priority,
            source=rule.source,
            tags=tuple(sorted(rule.tags)),
            enabled=rule.enabled,
            output=text_of_output,
            format=output,
            condition=tree,
            matches=matches,
            extra_fields=extra_fields,
        )


def _condition_error(place: Place, error: ConditionError, text: str, hint: str = "") -> RulesError:
    line = text.split("\n")[min(error.line, text.count("\n") + 1) - 1]
    near = line[max(0, error.column - 1) :][:40].strip() or "the end"
    where = f"at line {error.line}, column {error.column} of the condition, near: {near}"
    return RulesError(place, "LOAD_ERR_COMPILE_CONDITION", f"{error}, {where}{hint}")


def substitute(text: str, name: str, items: Sequence[str]) -> str:
    """The condition with a list's name replaced by its items, on the text: wherever it stands between delimiters."""
    items_text = ", ".join(map(exceptions.quote, items))
    delimited = re.compile(rf"[ \t\n\r]*(?<![^ \t\n\r(),=]){re.escape(name)}(?![^ \t\n\r(),=])[ \t\n\r]*")
    done = ""
    while match := delimited.search(text):
        before, after = done + text[: match.start()], text[match.end() :]
        if not items:
            if before.endswith(","):
                before = before[:-1]
            else:
                after = after.removeprefix(",")
        done = f"{before} {items_text} " if before else f"{items_text} "
        text = after
    return done + text
