"""The configuration: Falco's ``init_config``, or the same document in a file."""

import difflib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from itertools import chain, islice
from typing import Any
from urllib.parse import SplitResult, urlsplit

import yaml
from jsonschema import Draft7Validator, ValidationError

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "": 1.0}
_NUMBER = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_ROLE_ARN = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[\x21-\x7e]+")
_NO_ADDRESS = re.compile(r"[\\\s\x00-\x20\x7f]")
_LONGEST = 100 * 365 * 86400.0
_LARGEST = 1 << 50
_DEEPEST, _MOST = 50, 1_000_000
_SIZES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_SECRETS = {
    "password": "password_env",
    "token": "token_env",
    "headers": "headers_env",
    "access_key": "profile or role_arn",
    "secret_key": "profile or role_arn",
}


class ConfigError(ValueError):
    """The configuration is wrong.  The message has one line for each fault: where, what, and what to do."""


def web_url(text: str, what: str) -> SplitResult:
    """The parts of an http or https URL.

    :raises ConfigError: naming ``what``, when the text is none.
    """
    try:
        # Readers of addresses differ in what such characters end.
        parts = urlsplit("" if _NO_ADDRESS.search(text) else text)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return parts
    except ValueError:
        pass  # brackets or a port that are none
    raise ConfigError(f"{what} {text!r} is not an http or https URL")


def check_role(arn: object, where: str) -> None:
    """:raises ConfigError: when there is a text, and it is not the ARN of a role."""
    if arn and not _ROLE_ARN.fullmatch(str(arn)):
        raise ConfigError(f"{where}: {_shown(arn)} is not the ARN of a role: write arn:aws:iam::ACCOUNT:role/NAME")


@dataclass(frozen=True, slots=True)
class Aws:
    """How AWS is reached.  ``timeout`` is in seconds.

    :raises ConfigError: when ``endpoint_url`` is no URL.
    """

    profile: str = ""
    region: str = ""
    role_arn: str = ""
    external_id: str = ""
    session_name: str = "tfdrift"
    endpoint_url: str = ""
    max_attempts: int = 5
    timeout: float = 60.0

    def __post_init__(self) -> None:
        if self.endpoint_url:
            web_url(self.endpoint_url, "endpoint_url")


@dataclass(frozen=True, slots=True)
class Account:
    """One entry of ``accounts:``.  ``state`` holds location patterns, ``provider`` provider aliases."""

    id: str
    name: str = ""
    role_arn: str = ""
    external_id: str = ""
    session_name: str = ""
    state: tuple[str, ...] = ()
    provider: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Organization:
    """The role that every account of the organization has: a name, or an ARN with ``{account}`` in it."""

    role: str = ""
    external_id: str = ""
    session_name: str = ""


@dataclass(frozen=True, slots=True)
class Region:
    """One entry of ``regions:``."""

    name: str
    state: tuple[str, ...] = ()
    provider: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """One entry of ``sources:``; ``options`` is everything beside its URL."""

    url: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Baseline:
    """One entry of ``baseline:``; ``history`` is in seconds, ``options`` are those of S3 or HCP Terraform."""

    url: str
    complete: bool = False
    history: float = 90 * 86_400.0
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Config:
    """The validated configuration, with Falco's rewriting of YAML undone.

    ``state`` entries are mappings; a plain string is ``{"url": string}``.  Durations are seconds.
    """

    state: tuple[Mapping[str, Any], ...] = ()
    config: tuple[str, ...] = ()
    credential_hosts: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    aws: Aws = Aws()
    accounts: tuple[Account, ...] = ()
    organization: Organization = Organization()
    regions: tuple[Region, ...] = ()
    expected: Mapping[str, Any] = field(default_factory=dict)
    catalog: tuple[str, ...] = ()
    refresh_interval: float = 60.0
    apply_wait: float = 30.0
    max_state_size: int = 1 << 30
    data_dir: str = ""
    emit_expected: bool = False
    emit_attempts: bool = False
    coalesce: bool = True
    authors: bool = True
    remind_after: float = 0.0
    store: str = ""
    redeliver: float = 10.0
    baseline: tuple[Baseline, ...] = ()


@cache
def schema_text() -> str:
    """The JSON Schema of the configuration, as ``plugin_get_init_schema`` returns it."""
    return files("tfdrift_core").joinpath("config.schema.json").read_text(encoding="utf-8")


@cache
def _schema() -> Mapping[str, Any]:
    schema: dict[str, Any] = json.loads(schema_text())
    for name in ("accountId", "account"):
        # Not in the text: Falco's own validator ends the process over it.
        schema["$defs"][name]["multipleOf"] = 1
    return schema


def load(text: str) -> Config:
    """Read the configuration from YAML or JSON text; empty text is the configuration ``{}``.

    :raises ConfigError: with one line for each fault.
    """
    document = parse(text)
    check(document, _schema())
    repaired = _repair(document, _schema())
    # What was null is missing now.
    check(repaired, _schema())
    return _build(repaired)


def check(document: object, schema: Mapping[str, Any], name: str = "init_config") -> None:
    """Hold a document that ``parse`` gave to a schema.

    :raises ConfigError: with one line for each fault, which begins with ``name``.
    """
    faults = sorted(Draft7Validator(schema).iter_errors(document), key=lambda e: [str(p) for p in e.absolute_path])
    if faults:
        raise ConfigError("\n".join(line for fault in faults for line in _explain(fault, name)))


def duration(value: str | float) -> float:
    """Seconds of ``"60s"``, ``"5m"``, ``"1.5h"`` or a plain number of seconds."""
    match = re.fullmatch(rf"({_NUMBER}) ?(ms|s|m|h|d)?", value) if isinstance(value, str) else None
    number = -1.0 if isinstance(value, str) else value
    seconds = float(match[1]) * _UNITS[match[2] or ""] if match else number
    if not 0 <= seconds <= _LONGEST:
        raise ConfigError(f"{_shown(value)} is not a duration: write a number of seconds, or 60s, 5m, 1h")
    return float(seconds)


def _seconds(value: str | float, key: str) -> float:
    try:
        return duration(value)
    except ConfigError as error:
        raise ConfigError(f"init_config.{key}: {error}") from None


def _size(value: str | float) -> int:
    match = re.fullmatch(rf"({_NUMBER}) ?(?:([KMG])i?)?B?", str(value))
    size = float(match[1]) * _SIZES[match[2] or ""] if match else 0.0
    if not 1 <= size <= _LARGEST:
        raise ConfigError(f"init_config.max_state_size: {_shown(value)} is not a size: write bytes, or 512M, 2G")
    return int(size)


_NESTED = "it is nested too deeply, or an alias stands for itself"


class _Loader(yaml.SafeLoader):
    """YAML where digits with a leading zero stay text, so that an account id is not read as an octal number."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.yaml_implicit_resolvers["0"] = [
    ("tag:yaml.org,2002:str", re.compile(r"0[0-9]+$")),
    *_Loader.yaml_implicit_resolvers["0"],
]


def parse(text: str, name: str = "init_config") -> Any:
    """The document that YAML or JSON text holds, account ids and times as they are written; nothing is ``{}``.

    :raises ConfigError: naming the text by ``name``.
    """
    if not text.strip():
        return {}
    try:
        document = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        place = f", line {where.line + 1}, column {where.column + 1}" if where else ""
        problem = getattr(error, "problem", None) or "it is neither YAML nor JSON"
        raise ConfigError(f"{name}{place}: cannot be read: {problem}") from None
    except RecursionError:
        raise ConfigError(f"{name}: cannot be read: {_NESTED}") from None
    except ValueError as error:  # a number that no machine word holds, a date that is none
        raise ConfigError(f"{name}: cannot be read: {error}") from None
    except (LookupError, TypeError, AttributeError, ArithmeticError):
        # PyYAML does not expect what a tag may stand before: !!bool x, !!int ''.
        raise ConfigError(f"{name}: cannot be read: a tag does not fit its value; leave the tags (!!...) out") from None
    _check_extent(document, name)
    return {} if document is None else document


def _check_extent(document: object, name: str) -> None:
    """A few lines of YAML can mean a document without end: an alias inside of what it stands for, or many in a row."""
    left = _MOST
    level: Sequence[object] = [document]
    for _ in range(_DEEPEST):
        left -= len(level)
        if not level or left < 0:
            break
        if any(isinstance(value, str) and "\0" in value for value in level):
            raise ConfigError(f"{name}: cannot be read: a text holds a NUL character")
        inner = (
            value.values() if isinstance(value, dict) else value for value in level if isinstance(value, (dict, list))
        )
        level = list(islice(chain.from_iterable(inner), left + 1))
    if level:
        raise ConfigError(f"{name}: cannot be read: {_NESTED}")


def _explain(fault: ValidationError, name: str) -> Iterator[str]:
    where = name + "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in fault.absolute_path)
    value: Any = fault.instance
    wanted: Any = fault.validator_value
    schema: Any = fault.schema
    shown = "this value" if schema.get("writeOnly") else _shown(value)
    match fault.validator:
        case "additionalProperties":
            known = list(schema.get("properties", {}))
            for key in sorted(str(k) for k in value if k not in known):
                yield f"{where}.{key}: {_unknown(key, known)}"
        case "required":
            missing = [key for key in wanted if key not in value]
            yield f"{where}: {', '.join(missing)} is missing; add it"
        case "type":
            names = [wanted] if isinstance(wanted, str) else [name for name in wanted if name != "null"]
            yield f"{where}: {shown} is not allowed here; write {_either(names)}"
        case "pattern" | "minimum" | "maximum" | "multipleOf":
            yield f"{where}: {shown} does not fit; write {schema.get('title', fault.message)}"
        case "enum":
            choices = [str(choice) for choice in wanted if choice is not None]
            near = difflib.get_close_matches(str(value), choices, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(choices)}"
            yield f"{where}: {_shown(value)} is not known; {hint}"
        case "minItems" | "minProperties":
            yield f"{where}: is empty; name at least {wanted}, or leave it out"
        case _:
            yield f"{where}: {fault.message}"


def _unknown(key: str, known: list[str]) -> str:
    if key in _SECRETS and _SECRETS[key].split()[0] in known:
        return f"secrets do not belong into the configuration; use {_SECRETS[key]}"
    near = difflib.get_close_matches(key, known, 1)
    return f"unknown key; did you mean {near[0]!r}?" if near else f"unknown key; known here: {', '.join(known)}"


def _shown(value: object) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def _either(names: list[str]) -> str:
    words = {"object": "a map", "array": "a list", "string": "text", "boolean": "true or false"}
    return " or ".join(words.get(name, f"a {name}") if name != "integer" else "a whole number" for name in names)


def _repair(value: Any, schema: Mapping[str, Any]) -> Any:
    """Undo what Falco's YAML to JSON conversion did, as far as the schema tells what was meant.

    Falco re-reads every scalar by its looks: quoted digits become numbers, an empty list or map becomes null.
    """
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        schema = {**_schema()["$defs"][name], "name": name}
    types = schema.get("type", ())
    if isinstance(value, dict):
        properties, other = schema.get("properties", {}), schema.get("additionalProperties")
        rest = other if isinstance(other, dict) else {}
        return {str(k): _repair(v, properties.get(k, rest)) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [_repair(item, schema.get("items", {})) for item in value]
    if "array" in types:
        return [_repair(value, schema.get("items", {}))]
    if schema.get("name") in ("accountId", "account"):
        return _account_id(value)
    if isinstance(value, bool) and "boolean" in types and "string" in types:
        return "true" if value else "false"
    if isinstance(value, (int, float)) and schema.get("name") not in ("duration",) and "string" in types:
        return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
    return value


def _account_id(value: str | float) -> str:
    """Twelve digits.  Falco reads a quoted id that starts with 0 and has no 8 or 9 as an octal 32-bit integer,
    every other id as a floating-point number; so an integer with eleven octal digits was octal."""
    if isinstance(value, int) and len(f"{value:o}") == 11 and value < 1 << 31:
        return f"0{value:o}"
    return (value if isinstance(value, str) else str(int(value))).zfill(12)


def _check_roles(document: Mapping[str, Any]) -> None:
    check_role(document.get("aws", {}).get("role_arn"), "init_config.aws.role_arn")
    for key in ("accounts", "state", "baseline"):
        for place, entry in enumerate(document.get(key, ())):
            if isinstance(entry, dict):
                check_role(entry.get("role_arn"), f"init_config.{key}[{place}].role_arn")


def _build(document: Mapping[str, Any]) -> Config:
    _check_roles(document)
    values = dict(document)
    aws = dict(values.get("aws", {}))
    if "timeout" in aws:
        aws["timeout"] = _seconds(aws["timeout"], "aws.timeout")
    for name in ("refresh_interval", "apply_wait", "remind_after", "redeliver"):
        if name in values:
            values[name] = _seconds(values[name], name)
    if "max_state_size" in values:
        values["max_state_size"] = _size(values["max_state_size"])
    return Config(
        **{
            **values,
            "state": tuple({"url": s} if isinstance(s, str) else s for s in values.get("state", ())),
            "config": tuple(values.get("config", ())),
            "credential_hosts": tuple(values.get("credential_hosts", ())),
            "catalog": tuple(values.get("catalog", ())),
            "sources": tuple(_source(s) for s in values.get("sources", ())),
            "baseline": tuple(_baseline(b, place) for place, b in enumerate(values.get("baseline", ()))),
            "aws": Aws(**aws),
            "organization": Organization(**values.get("organization", {})),
            "accounts": tuple(Account(**_scope(a, "id")) for a in values.get("accounts", ())),
            "regions": tuple(Region(**_scope(r, "name")) for r in values.get("regions", ())),
        }
    )


def _source(entry: str | Mapping[str, Any]) -> Source:
    if isinstance(entry, str):
        return Source(entry)
    return Source(entry["url"], {k: v for k, v in entry.items() if k != "url"})


def _baseline(entry: str | Mapping[str, Any], place: int) -> Baseline:
    given: Mapping[str, Any] = {"url": entry} if isinstance(entry, str) else entry
    history = _seconds(given.get("history", "90d"), f"baseline[{place}].history")
    options = {k: str(v) for k, v in given.items() if k not in ("url", "complete", "history")}
    return Baseline(given["url"], given.get("complete") is True, history, options)


def _scope(entry: str | Mapping[str, Any], key: str) -> Mapping[str, Any]:
    values = {key: entry} if isinstance(entry, str) else entry
    return {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
