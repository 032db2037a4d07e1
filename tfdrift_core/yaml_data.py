"""YAML as plain data, read by PyYAML's C parser where it has one: that is several times as fast."""

from importlib.resources import files
from typing import Any, Final

import yaml

LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load(text: str) -> Any:
    """:raises yaml.YAMLError: when it is not YAML."""
    return yaml.load(text, LOADER)  # noqa: S506 - both are safe loaders


def resource(package: str, name: str) -> Any:
    """A file that ships with TFDrift."""
    return load(files(package).joinpath(name).read_text("utf-8"))
