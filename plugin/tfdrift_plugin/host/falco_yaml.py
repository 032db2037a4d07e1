"""falco.yaml: the few settings that matter to this host, read as Falco reads them (``configuration.cpp``)."""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from tfdrift_plugin.host.rules import PRIORITIES, Extra, Priority
from tfdrift_plugin.host.rules_file import FALSE, TRUE

# Settings of Falco that change its alerts and that this host does not read.
_NOT_READ = ("config_files", "rules", "static_fields")
_JSON_SWITCHES = {"output": True, "tags": True, "message": False, "output_fields": True}
JSON_MEMBERS = frozenset(member for member, on in _JSON_SWITCHES.items() if on)
PLUGIN_DIR = Path("/usr/share/falco/plugins")


class ConfigError(ValueError):
    """A configuration file that cannot be used; the message names the file and what to change."""


@dataclass(frozen=True, slots=True)
class FalcoConfig:
    """``init_config`` is the JSON text that the plugin gets; the paths are as Falco resolves them.

    ``rules_files`` is ``None`` where the file does not name any; ``missing_rules`` are named and not there.  Rules less
    urgent than ``least`` are left out.
    ``json_members`` are the members of an alert in JSON that can be switched, ``extras`` what ``append_output`` adds,
    and ``ignored`` the settings that would change alerts in Falco and do not here.
    """

    library: Path | None = None
    init_config: str = ""
    open_params: str = ""
    rules_files: tuple[Path, ...] | None = None
    missing_rules: tuple[Path, ...] = ()
    json_output: bool = False
    iso_time: bool = False
    all_rules: bool = False
    least: Priority = Priority.Debug
    json_members: frozenset[str] = JSON_MEMBERS
    extras: tuple[Extra, ...] = ()
    ignored: tuple[str, ...] = ()
    unset: tuple[tuple[str, int], ...] = ()
    """Variables that the environment does not have, and the lines that name them."""


def load(path: Path, name: str = "tfdrift") -> FalcoConfig:
    """A falco.yaml, or a file that is just the ``init_config`` of the plugin ``name``.  Raises `ConfigError`."""
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError(f"{path} is not a YAML mapping")
    settings = {key.value: value for key, value in node.value}
    if "plugins" not in settings:
        return FalcoConfig(init_config=json.dumps(as_falco_json(node)), unset=tuple(_unset(node)))
    plugin = _plugin(path, settings, name)
    named = _files(path.parent, settings.get("rules_files") or settings.get("rules_file"))
    return FalcoConfig(
        library=_library(plugin),
        init_config=_init_config(plugin.get("init_config")),
        open_params=_scalar(plugin, "open_params").strip(),
        rules_files=None if named is None else tuple(rules_files(named)),
        missing_rules=tuple(file for file in named or () if not file.exists()),
        json_output=_flag(settings, "json_output"),
        iso_time=_flag(settings, "time_format_iso_8601"),
        all_rules=_scalar(settings, "rule_matching") == "all",
        least=_priority(path, _scalar(settings, "priority")),
        json_members=_json_members(settings),
        extras=tuple(_extras(path, settings.get("append_output"))),
        ignored=tuple(name for name in _NOT_READ if name in settings and not _is_empty(settings[name])),
        unset=tuple(_unset(node)),
    )


def _plugin(path: Path, settings: Mapping[str, yaml.Node], name: str) -> dict[str, yaml.Node]:
    found = settings["plugins"]
    entries = found.value if isinstance(found, yaml.SequenceNode) else []
    plugins = [{key.value: value for key, value in e.value} for e in entries if isinstance(e, yaml.MappingNode)]
    chosen = settings.get("load_plugins")
    if isinstance(chosen, yaml.SequenceNode) and name not in [_expanded(node) for node in chosen.value]:
        raise ConfigError(f"{path}: load_plugins does not list '{name}', so Falco would not load it")
    plugin = next((p for p in plugins if _scalar(p, "name") == name), None)
    if plugin is None:
        raise ConfigError(f"{path}: no entry of plugins has the name '{name}'")
    return plugin


def _is_empty(node: yaml.Node) -> bool:
    return not node.value or node.tag == "tag:yaml.org,2002:null"


def _json_members(settings: Mapping[str, yaml.Node]) -> frozenset[str]:
    switches = {member: f"json_include_{member}_property" for member in _JSON_SWITCHES}
    return frozenset(
        member
        for member, usual in _JSON_SWITCHES.items()
        if (_flag(settings, switches[member]) if switches[member] in settings else usual)
    )


def _extras(path: Path, node: yaml.Node | None) -> Iterator[Extra]:
    """The entries of ``append_output``, in their order."""
    if node is None or _is_empty(node):
        return
    if not isinstance(node, yaml.SequenceNode):
        raise ConfigError(f"{path}: append_output is not a list")
    for entry in node.value:
        members = _members(path, "an entry of append_output", entry)
        match = _members(path, "match of append_output", members.get("match"))
        fields: dict[str, str] = {}
        for listed in _items(members.get("extra_fields")):
            pairs = listed.value if isinstance(listed, yaml.MappingNode) else [(listed, None)]
            fields.update((_expanded(key), "" if value is None else _expanded(value)) for key, value in pairs)
        yield Extra(
            source=_scalar(match, "source"),
            rule=_scalar(match, "rule"),
            tags=frozenset(_expanded(tag) for tag in _items(match.get("tags"))),
            output=_scalar(members, "extra_output"),
            fields=fields,
        )


def _members(path: Path, what: str, node: yaml.Node | None) -> Mapping[str, yaml.Node]:
    if node is None:
        return {}
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError(f"{path}: {what} is not a map")
    return {key.value: value for key, value in node.value}


def _items(node: yaml.Node | None) -> Sequence[yaml.Node]:
    if isinstance(node, yaml.SequenceNode):
        return list(node.value)
    return [] if node is None else [node]


def _priority(path: Path, text: str) -> Priority:
    if text and text.lower() not in PRIORITIES:
        raise ConfigError(f"{path}: unknown priority '{text}': one of {', '.join(p.name for p in Priority)}")
    return PRIORITIES[text.lower()] if text else Priority.Debug


def _library(plugin: Mapping[str, yaml.Node]) -> Path | None:
    text = _scalar(plugin, "library_path")
    return PLUGIN_DIR / text if text else None


def _init_config(node: yaml.Node | None) -> str:
    if node is None:
        return ""
    # A string is handed over as it is, a mapping goes through Falco's YAML to JSON conversion.
    return _expanded(node) if isinstance(node, yaml.ScalarNode) else json.dumps(as_falco_json(node))


def _files(base: Path, node: yaml.Node | None) -> tuple[Path, ...] | None:
    if node is None:
        return None
    names = [_expanded(n) for n in node.value] if isinstance(node, yaml.SequenceNode) else [_expanded(node)]
    return tuple(base / name for name in names)


def rules_files(paths: Iterable[Path]) -> list[Path]:
    """Files, and the YAML files of directories in the order of their names; what is missing is skipped, as by Falco."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(p for p in path.iterdir() if p.suffix in (".yaml", ".yml") and p.is_file())
        elif path.is_file():
            found.append(path)
    return found


def _scalar(settings: Mapping[str, yaml.Node], key: str) -> str:
    node = settings.get(key)
    return _expanded(node) if isinstance(node, yaml.ScalarNode) else ""


def _flag(settings: Mapping[str, yaml.Node], key: str) -> bool:
    return _scalar(settings, key).lower() in TRUE


_VARIABLE = re.compile(r"(\$?)\$\{([^}]*)\}")


def _expanded(node: yaml.Node) -> str:
    """The scalar with ``${VARIABLE}`` replaced from the environment; ``$${X}`` stays as ``${X}``."""
    return _VARIABLE.sub(
        lambda match: f"${{{match[2]}}}" if match[1] else os.environ.get(match[2].strip(), ""), str(node.value)
    )


def _unset(node: yaml.Node) -> Iterator[tuple[str, int]]:
    waiting = [node]
    while waiting:
        current = waiting.pop()
        if isinstance(current, yaml.MappingNode):
            waiting += [value for _, value in reversed(current.value)]
        elif isinstance(current, yaml.SequenceNode):
            waiting += reversed(current.value)
        else:
            for match in _VARIABLE.finditer(str(current.value)):
                if not match[1] and match[2].strip() not in os.environ:
                    yield match[2].strip(), current.start_mark.line + 1


_INTEGER = re.compile(r"[+-]?(?:0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)")
_FLOAT = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def as_falco_json(node: yaml.Node) -> object:
    """What Falco 0.43 makes of YAML (``yaml_helper.h``): quotes do not count, and an empty container becomes null."""
    if isinstance(node, yaml.MappingNode):
        return {key.value: as_falco_json(value) for key, value in node.value} or None
    if isinstance(node, yaml.SequenceNode):
        return [as_falco_json(value) for value in node.value] or None
    text = _expanded(node)
    if node.tag == "tag:yaml.org,2002:null":
        return None
    if _INTEGER.fullmatch(text):
        octal = re.fullmatch(r"([+-]?)0([0-7]+)", text)
        number = int(f"{octal[1]}0o{octal[2]}", 0) if octal else int(text, 0)
        if -(2**31) <= number < 2**31:
            return number
    if _FLOAT.fullmatch(text):
        return float(text)
    if text.lower() in TRUE | FALSE:
        return text.lower() in TRUE
    return text
