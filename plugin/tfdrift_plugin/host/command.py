"""run Falco's rules over CloudTrail with the real plugin, without Falco

Loads libtfdrift.so as Falco does, evaluates Falco rules files and prints alerts on stdout, all else on stderr: for
people on a terminal, as Falco prints them with --format falco and where the output goes elsewhere.  Ends after the last
record of files; queues are followed until Ctrl-C.  As Falco does, it takes messages from their queue and keeps
checkpoints in data_dir, whatever is shown of them: beside a Falco that reads the same, use tfdrift replay, which only
shows.

  tfdrift run --rules my.yaml --state terraform.tfstate events.json
  tfdrift run -c falco.yaml --min-severity error --detailed-exitcode

Exit status: 0 for success, 1 for a failure, a state that cannot be read included; with --detailed-exitcode 2 where an
alert was printed.
"""

import argparse
import json
import logging
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from tfdrift_core import config as core
from tfdrift_core.cli import chosen
from tfdrift_core.cli import settings as settings_of
from tfdrift_core.cli.chosen import Choice
from tfdrift_core.cli.progress import Reading
from tfdrift_core.text import counted
from tfdrift_plugin.host import falco_yaml, rules, view
from tfdrift_plugin.host.abi import Framework, Library, PluginError, PluginEvent
from tfdrift_plugin.host.alerts import Alerts
from tfdrift_plugin.host.falco_yaml import ConfigError, FalcoConfig
from tfdrift_plugin.host.fields import Catalogue
from tfdrift_plugin.host.rules import Extra, Rule
from tfdrift_plugin.host.rules_file import RulesError
from tfdrift_plugin.places import LIBRARY, RULES

_VERSIONS = ("0.43", "0.44", "0.45")
_NEWEST = "0.44"


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
    add("--format", choices=("readable", "falco"), help="default: readable on a terminal, else falco")
    add(
        "--falco-version",
        choices=_VERSIONS,
        default=_NEWEST,
        help="print alerts as this Falco does; from 0.45 on control characters, quotes and backslashes are escaped in"
        " lines (default: %(default)s, the newest release known)",
    )
    add("--json", action="store_true", help="print alerts as JSON, one a line (Falco's json_output)")
    add("--all", action="store_true", help="every rule that matches, not only the first (Falco's rule_matching: all)")
    add("--validate", action="store_true", help="only load the plugin and the rules, and report what is wrong")
    chosen.add_arguments(parser)
    add("--detailed-exitcode", action="store_true", help="exit with 2 where an alert was printed")
    add("--library", type=Path, metavar="FILE", help="the plugin (default: build/libtfdrift.so)")


def run(args: argparse.Namespace) -> int:
    # Both are orders to end in good order, as they are for Falco.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        choice = Choice.of(args)
        config = _config(args)
        return _run(config, args, choice)
    except (ConfigError, core.ConfigError, PluginError, RulesError) as error:
        for line in str(error).splitlines():
            print(f"tfdrift: error: {line}", file=sys.stderr)
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


def _run(config: FalcoConfig, args: argparse.Namespace, choice: Choice) -> int:
    path = config.library or LIBRARY
    if not path.exists():
        raise PluginError(f"{path} does not exist: build it with 'tfdrift plugin build', or name it with --library")
    for name, line in config.unset:
        _log(logging.WARNING, f"{args.config}:{line}: ${{{name}}} is not set, so nothing stands in its place")
    library = Library(path, Framework.FALCO_0_43)
    # The plugin's schema says the same in a schema's words.
    settings = core.load(config.init_config) if library.identity.name == settings_of.PLUGIN else core.Config()
    with library.init(config.init_config, _log) as plugin:
        for setting in config.ignored:
            _log(logging.WARNING, f"{setting} is not read here; Falco's alerts may differ from these")
        loaded = _load_rules(config.rules_files or (), library, config.extras, config.missing_rules)
        if args.validate:
            print(f"{counted(len(loaded), 'rule')} {'is' if len(loaded) == 1 else 'are'} valid", file=sys.stderr)
            return 0
        alerts = Alerts(
            [rule for rule in loaded if rule.priority <= config.least],
            library.catalogue,
            json_output=config.json_output,
            iso_time=config.iso_time,
            all_rules=config.all_rules,
            json_members=config.json_members,
            takes=_takes(choice, library.catalogue),
            # Conditions see a plugin's texts as they are in all of these (plugin_filtercheck.cpp of falco's libs).
            escapes=_VERSIONS.index(args.falco_version) >= _VERSIONS.index("0.45"),
        )
        out = view.Out(library.catalogue, _for_people(args))
        reading = Reading.of(config.open_params, settings)
        with (
            plugin.open(config.open_params) as instance,
            suppress(KeyboardInterrupt),
            view.told(reading, plugin.metrics, alerts.counts.total, lambda text: _log(logging.INFO, text), out),
        ):
            for event in instance.events():
                for rule in alerts.of(event):
                    out.put(rule, event, partial(alerts.line, rule, event))
        metrics = plugin.metrics()
    print(alerts.summary(), file=sys.stderr)
    if problem := _incomplete(metrics, bool(reading.followed)):
        print(f"tfdrift: error: {problem}", file=sys.stderr)
        return 1
    return 2 if args.detailed_exitcode and alerts.counts else 0


def _for_people(args: argparse.Namespace) -> bool:
    return args.format == "readable" or (args.format is None and not args.json and sys.stdout.isatty())


def _takes(choice: Choice, catalogue: Catalogue) -> Callable[[Rule, PluginEvent], bool]:
    if choice.is_all:
        return lambda rule, event: True
    names = [name for name in chosen.FIELDS if catalogue.has(name)]
    return lambda rule, event: choice.takes(view.values_of(event, catalogue, names), rule.priority.name)


def _incomplete(metrics: view.Metrics, followed: bool) -> str:
    """Why what was shown is not all: "" where nothing is known to be missing."""
    if failing := int(metrics.get("states_failing", 0)):
        return f"{counted(failing, 'state')} could not be read; what it holds was taken for unmanaged (see above)"
    # What is followed may have had trouble that is long over.
    wrong = [name for name in metrics if name == "records_bad" or name.startswith("errors_")]
    if not followed and any(metrics[name] for name in wrong):
        return "not everything could be read (see above)"
    return ""


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
