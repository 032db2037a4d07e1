"""Which target gets which alert, as data: the YAML form of the file that ``tfdrift notify --urls`` names."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from tfdrift_core import config
from tfdrift_core.output.alert import Alert, priority_of, rank

_VARIABLE = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Route:
    """What an alert must be like; what is empty is not asked for.  ``*`` in a text is any text."""

    priority: str = "Debug"
    accounts: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    rule_tags: tuple[str, ...] = ()
    tags: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def takes(self, alert: Alert) -> bool:
        return (
            alert.rank <= rank(self.priority)
            and (not self.accounts or _fits(alert.text("cloud.account"), self.accounts))
            and (not self.modules or any(_is_in(alert.resource, module) for module in self.modules))
            and (not self.rule_tags or any(_fits(tag, self.rule_tags) for tag in alert.tags))
            and all(_fits(alert.text(f"tf.tags[{key}]"), values) for key, values in self.tags)
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """One target: where it stands in the file, its URL and its routes."""

    place: str
    url: str
    name: str
    routes: tuple[Route, ...]


def read(text: str, file: str, environment: Mapping[str, str]) -> list[Entry]:
    """The targets of a YAML file.

    :raises ConfigError: with one line for each fault, and none of the URLs.
    """
    document = config.parse(text, file)
    config.check(document, _schema(), file)
    found = []
    for number, given in enumerate(document["targets"]):
        place = f"{file}: targets[{number}]"
        entry: dict[str, Any] = {"url": given} if isinstance(given, str) else given
        routes = tuple(_route(route) for route in entry.get("routes", ()))
        found.append(Entry(place, _with(environment, entry["url"], place), entry.get("name", ""), routes))
    return found


@cache
def _schema() -> Mapping[str, Any]:
    schema: dict[str, Any] = json.loads(files(__package__).joinpath("routes.schema.json").read_text(encoding="utf-8"))
    return schema


def _route(given: Mapping[str, Any]) -> Route:
    def texts(name: str) -> tuple[str, ...]:
        return tuple(given.get(name, ()))

    tags = tuple((key, tuple(values)) for key, values in given.get("tags", {}).items())
    priority = priority_of(given.get("priority", "debug"))
    return Route(priority, texts("accounts"), texts("modules"), texts("rule_tags"), tags)


def _with(environment: Mapping[str, str], url: str, place: str) -> str:
    missing = [name for name in _VARIABLE.findall(url) if not environment.get(name)]
    if missing:
        raise config.ConfigError(f"{place}.url: {', '.join(missing)} is not set in the environment")
    return _VARIABLE.sub(lambda match: environment[match[1]], url)


def _fits(text: str, patterns: Sequence[str]) -> bool:
    return any(re.fullmatch(_pattern(pattern), text, re.DOTALL) for pattern in patterns)


def _is_in(address: str, module: str) -> bool:
    """``module.a`` holds ``module.a["x"].module.b.aws_instance.c``, and not ``module.ab.aws_instance.c``."""
    return re.match(rf"{_pattern(module)}[.\[]", address, re.DOTALL) is not None


def _pattern(text: str) -> str:
    return ".*".join(map(re.escape, text.split("*")))
