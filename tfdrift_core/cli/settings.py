"""The configuration of a command: from a falco.yaml, a file with the init_config, or the command line itself."""

import argparse
import json
import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from tfdrift_core.config import Config, ConfigError, load, parse

PLUGIN = "tfdrift"
_log = logging.getLogger("tfdrift.settings")
_VARIABLE = re.compile(r"(\$?)\$\{(\w+)\}")


@contextmanager
def errors_listed() -> Iterator[None]:
    """Errors of states are not logged: the command lists them itself."""
    logger = logging.getLogger("tfdrift.state")

    def passes(record: logging.LogRecord) -> bool:
        return record.levelno < logging.ERROR

    logger.addFilter(passes)
    try:
        yield
    finally:
        logger.removeFilter(passes)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "state", nargs="*", metavar="STATE", help="a file, directory or pattern, or s3://, https://, ..."
    )
    parser.add_argument(
        "-c",
        "--config",
        action="append",
        default=[],
        metavar="PATH",
        help="a Terraform configuration directory; or a falco.yaml, or a file with the plugin's init_config",
    )


def text_of(args: argparse.Namespace) -> str:
    """The ``init_config`` text that the arguments stand for.

    :raises ConfigError: when a file cannot be read, or two are given.
    """
    files = [path for path in args.config if not Path(path).is_dir()]
    if len(files) > 1:
        raise ConfigError(
            f"--config names {len(files)} configuration files; give one, and directories as many as needed"
        )
    directories = [path for path in args.config if Path(path).is_dir()]
    base = file_text(Path(files[0])) if files else ""
    if not directories and not args.state:
        return base
    document = parse(base, files[0]) if files else {}
    if not isinstance(document, dict):
        raise ConfigError(f"{files[0]}: not a map")
    for key, more in (("state", args.state), ("config", directories)):
        given = document.get(key) or []
        document[key] = [*(given if isinstance(given, list) else [given]), *more]
    return json.dumps(document)


def configuration(args: argparse.Namespace) -> Config:
    """The validated configuration of the arguments.  :raises ConfigError: when it is wrong."""
    return load(text_of(args))


def open_params(args: argparse.Namespace) -> str:
    """The ``open_params`` of the falco.yaml among the arguments, if any."""
    files = [path for path in args.config if not Path(path).is_dir()]
    return str(_plugin(Path(files[0])).get("open_params") or "") if files else ""


PLUGIN_DIR = Path("/usr/share/falco/plugins")
"""Where Falco looks for a ``library_path`` that is relative."""


def rules_files(args: argparse.Namespace) -> list[Path]:
    """The rules files that the falco.yaml among the arguments names, there or not."""
    found: list[Path] = []
    for path in (Path(path) for path in args.config if not Path(path).is_dir()):
        document = parse(path.read_text(encoding="utf-8"), str(path))
        if isinstance(document, dict) and "plugins" in document:
            given = document.get("rules_files") or document.get("rules_file") or []
            names = given if isinstance(given, list) else [given]
            found += [path.parent / _VARIABLE.sub(_substituted, name) for name in names if isinstance(name, str)]
    return found


def library(args: argparse.Namespace) -> Path | None:
    """The library that the falco.yaml among the arguments names, as Falco finds it; None where it names none."""
    files = [path for path in args.config if not Path(path).is_dir()]
    named = str(_plugin(Path(files[0])).get("library_path") or "") if files else ""
    return PLUGIN_DIR / named if named else None


def file_text(path: Path) -> str:
    """The ``init_config`` of a falco.yaml, or the whole file when it is none."""
    return str(_plugin(path)["init_config"])


def _plugin(path: Path) -> Mapping[str, Any]:
    """Our entry of ``plugins:``, or one with the whole file as ``init_config``."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {getattr(error, 'strerror', '') or 'not text'}; check the path") from None
    document = parse(text, str(path))
    if not isinstance(document, dict) or "plugins" not in document:
        return {"init_config": text}
    for entry in document["plugins"] or []:
        if isinstance(entry, dict) and entry.get("name") == PLUGIN:
            given = {key: _VARIABLE.sub(_substituted, _text(value)) for key, value in entry.items()}
            return {"init_config": "{}", **given}
    raise ConfigError(f"{path}: plugins: has no entry named {PLUGIN}; add one, tfdrift init writes it")


def _text(given: object) -> str:
    return given if isinstance(given, str) else json.dumps(given or {}, default=str)


def _substituted(match: re.Match[str]) -> str:
    """Falco replaces ``${NAME}`` by the environment, and ``$${NAME}`` by ``${NAME}``."""
    if match[1]:
        return match[0][1:]
    if match[2] not in os.environ:
        _tell_unset(match[2])
    return os.environ.get(match[2], "")


@cache
def _tell_unset(name: str) -> None:
    """Once for each variable: the file is read several times."""
    _log.warning("${%s} is not set here, so nothing stands in its place", name)
