"""Which provider configuration each resource of a plan has: they tell regions and accounts apart.

Source of the form: https://developer.hashicorp.com/terraform/internals/json-format#configuration-representation
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

_INDEX: Final = re.compile(r'\[(?:\d+|"(?:[^"\\]|\\.)*")\]')
_VARIABLE: Final = re.compile(r"var\.([\w-]+)")


class Providers:
    """The providers of a plan's ``configuration``, with the values of its ``variables``."""

    def __init__(self, configuration: object, variables: object) -> None:
        given = _mapping(configuration)
        self._variables = _mapping(variables)
        self._keys = dict(_keys(_mapping(given.get("root_module")), ""))
        self._regions = {
            _alias(key): region
            for key, provider in _mapping(given.get("provider_config")).items()
            if (region := self._region(_mapping(_mapping(provider).get("expressions")).get("region")))
        }

    def alias(self, module: str, type: str, name: str) -> str:
        """The alias, with its module in front, that the provider of a resource has; "" for the root's default one."""
        address = f"{_INDEX.sub('', module)}.{type}.{name}".removeprefix(".")
        return _alias(self._keys.get(address, ""))

    def scopes(self, origin: str, alias: str) -> tuple[str, str]:
        """Account and region of a provider, as far as the configuration says them."""
        return "", self._regions.get(alias, "")

    def _region(self, expression: object) -> str:
        told = _mapping(expression)
        value = told.get("constant_value")
        references = told.get("references")
        if isinstance(references, list) and len(references) == 1 and isinstance(references[0], str):
            named = _VARIABLE.fullmatch(references[0])
            value = _mapping(self._variables.get(named[1])).get("value") if named else None
        return value if isinstance(value, str) else ""


def _keys(module: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    """Address without indexes to the key of the provider configuration, in a module and those that it calls."""
    resources = module.get("resources")
    for resource in resources if isinstance(resources, list) else ():
        address, key = (_mapping(resource).get(name) for name in ("address", "provider_config_key"))
        if isinstance(address, str) and isinstance(key, str):
            yield f"{path}{address}", key
    for name, call in _mapping(module.get("module_calls")).items():
        yield from _keys(_mapping(_mapping(call).get("module")), f"{path}module.{name}.")


def _alias(key: str) -> str:
    """``module.net:aws.eu`` is ``module.net.eu``, which is what an index calls ``module.net.provider["…"].eu``."""
    module, _, provider = key.rpartition(":")
    alias = provider.partition(".")[2]
    return f"{module}.{alias}" if module and alias else alias


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
