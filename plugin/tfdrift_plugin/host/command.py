"""run Falco's rules over CloudTrail with the real plugin, without Falco

Loads libtfdrift.so as Falco does, evaluates Falco rules files and prints what Falco prints: alerts on stdout, all else
on stderr.  Ends after the last record of files; queues are followed until Ctrl-C.  As Falco does, it takes messages
from their queue and keeps checkpoints in data_dir: beside a Falco that reads the same, use tfdrift replay, which only
shows.

  tfdrift run --rules my.yaml --state terraform.tfstate events.json
"""

import argparse
import json
import logging
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from tfdrift_plugin.host import falco_yaml, rules
from tfdrift_plugin.host.abi import Framework, Library, PluginError
from tfdrift_plugin.host.alerts import Alerts
from tfdrift_plugin.host.falco_yaml import ConfigError, FalcoConfig
from tfdrift_plugin.host.rules import Extra, Rule
from tfdrift_plugin.host.rules_file import RulesError
from tfdrift_plugin.places import LIBRARY, RULES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "events",
        nargs="*",
        metavar="EVENTS",
        help="CloudTrail files, directories or patterns, s3://, sqs://, lookup://",
    )
    add("-r", "--rules", action="append", type=Path, metavar="FILE", help="rules file or directory (default: ours)")
    add("-s", "--state", action="append", metavar="STATE", help="Terraform state: a file or s3://bucket/key")
    add("-c", "--config", type=Path, metavar="FILE", help="a falco.yaml, or a YAML file with the plugin's init_config")
    add("--json", action="store_true", help="print alerts as JSON, one a line (Falco's json_output)")
    add("--all", action="store_true", help="every rule that matches, not only the first (Falco's rule_matching: all)")
    add("--validate", action="store_true", help="only load the plugin and the rules, and report what is wrong")
    add("--library", type=Path, metavar="FILE", help="the plugin (default: build/libtfdrift.so)")


def run(args: argparse.Namespace) -> int:
    # Both are orders to end in good order, as they are for Falco.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _run(_config(args), args.validate)
    except (ConfigError, PluginError, RulesError) as error:
        print(f"tfdrift: error: {error}", file=sys.stderr)
        return 1


def _config(args: argparse.Namespace) -> FalcoConfig:
    """The configuration file, if any, with the command line on top."""
    config = falco_yaml.load(args.config) if args.config else FalcoConfig()
    changes: dict[str, object] = {}
    if args.state:
        changes["state"] = args.state
    if len(args.events) > 1:
        changes["sources"] = args.events
    if args.events:
        config = replace(config, open_params=args.events[0] if len(args.events) == 1 else "")
    if config.library is not None and not config.library.exists() and not args.library:
        _log(
            logging.WARNING,
            f"library_path {config.library} does not exist, so Falco would not start; {LIBRARY} is used here",
        )
        config = replace(config, library=None)
    return replace(
        config,
        library=args.library or config.library or LIBRARY,
        init_config=_changed(config.init_config, changes) if changes else config.init_config,
        rules_files=tuple(args.rules) if args.rules else (RULES,) if config.rules_files is None else config.rules_files,
        json_output=args.json or config.json_output,
        all_rules=args.all or config.all_rules,
    )


def _changed(init_config: str, changes: Mapping[str, object]) -> str:
    try:
        settings = json.loads(init_config or "{}")
    except json.JSONDecodeError as error:
        raise ConfigError(f"init_config is not valid JSON: {error}") from error
    if not isinstance(settings, dict):
        raise ConfigError("init_config is not an object")
    return json.dumps({**settings, **changes})


def _run(config: FalcoConfig, validate: bool) -> int:
    path = config.library or LIBRARY
    if not path.exists():
        raise PluginError(f"{path} does not exist: build it with 'tfdrift plugin build', or name it with --library")
    library = Library(path, Framework.FALCO_0_43)
    with library.init(config.init_config, _log) as plugin:
        for setting in config.ignored:
            _log(logging.WARNING, f"{setting} is not read here; Falco's alerts may differ from these")
        loaded = _load_rules(config.rules_files or (), library, config.extras, config.missing_rules)
        if validate:
            print(f"{len(loaded)} rules are valid", file=sys.stderr)
            return 0
        alerts = Alerts(
            [rule for rule in loaded if rule.priority <= config.least],
            library.catalogue,
            json_output=config.json_output,
            iso_time=config.iso_time,
            all_rules=config.all_rules,
            json_members=config.json_members,
        )
        with plugin.open(config.open_params) as instance, suppress(KeyboardInterrupt):
            for event in instance.events():
                for line in alerts.of(event):
                    sys.stdout.buffer.write(line + b"\n")
                    sys.stdout.buffer.flush()
    print(alerts.summary(), file=sys.stderr)
    return 0


def _load_rules(
    paths: Sequence[Path], library: Library, extras: Sequence[Extra], missing_rules: Sequence[Path] = ()
) -> tuple[Rule, ...]:
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise ConfigError(f"no such rules file: {', '.join(missing)}")
    files = falco_yaml.rules_files(paths)
    identity = library.identity
    try:
        documents = [(str(file), file.read_text(encoding="utf-8")) for file in files]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read a rules file: {error}") from error
    found = rules.load(documents, library.catalogue, identity.source, {identity.name: identity.version}, extras)
    for warning in found.warnings:
        _log(logging.WARNING, str(warning))
    if not any(rule.enabled for rule in found.rules):
        where = ", ".join(map(str, paths)) or "no file"
        lacking = f"; not there: {', '.join(map(str, missing_rules))}" if missing_rules else ""
        raise ConfigError(f"no enabled rule for source {identity.source} in {where}{lacking}")
    return found.rules


def _log(level: int, message: str) -> None:
    # Not through the logging module: in this process it is the plugin that logs there, and its messages come here.
    print(f"tfdrift: {logging.getLevelName(level)}: {message}", file=sys.stderr)
