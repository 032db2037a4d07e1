"""show the drift that is open right now, and acknowledge it; Falco may be running

tfdrift open -c falco.yaml                 a table of what is open
tfdrift open --data-dir DIR --json         one JSON object a line
tfdrift open -c falco.yaml --exit-code     2 if anything is open, for CI
tfdrift open ack ID --reason TEXT [--until 7d]     no reminders of this drift
tfdrift open unack ID
"""

import argparse
import getpass
import logging
import re
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tfdrift_core import __version__
from tfdrift_core.cli import settings
from tfdrift_core.cli.progress import Reading
from tfdrift_core.config import ConfigError, duration, load
from tfdrift_core.delivery.drifts import Acknowledgement, Key, OpenDrift, OpenStore, StoreError
from tfdrift_core.delivery.shared import SharedStore
from tfdrift_core.drift.event import DriftEvent, Opening
from tfdrift_core.drift.finding import Finding, from_bytes, verified
from tfdrift_core.drift.memory import openings_of
from tfdrift_core.drift.opening import told
from tfdrift_core.drift.present import change
from tfdrift_core.output.fields import Value, values
from tfdrift_core.text import json_line, one_line
from tfdrift_plugin.host import falco_yaml, rules
from tfdrift_plugin.host.known import KnownEvent, catalogue
from tfdrift_plugin.host.rules import Rule
from tfdrift_plugin.host.rules_file import RulesError

_log = logging.getLogger("tfdrift.open")
_STYLES: Mapping[str, str] = {"modified": "yellow", "deleted": "bold red", "unmanaged": "magenta"}
_LONG = 120
_PIPED = 200
"""Columns of a table that is not printed on a terminal."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One open drift with what people and rules say of it; ``severity`` is "" where no rule matches."""

    opening: Opening
    severity: str
    acknowledged: Acknowledgement | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", nargs="?", choices=("ack", "unack"), help="acknowledge a drift, or withdraw that")
    parser.add_argument("id", nargs="?", metavar="ID", help="the drift.id of the alert, or its first characters")
    parser.add_argument(
        "-c", "--config", metavar="FILE", help="the falco.yaml, or a file with the plugin's init_config"
    )
    parser.add_argument("--data-dir", metavar="DIR", help="the plugin's data_dir, in place of a configuration")
    parser.add_argument(
        "-r", "--rules", action="append", type=Path, metavar="FILE", help="rules that tell the severity"
    )
    parser.add_argument("--account", action="append", metavar="ID", help="only drift in this account")
    parser.add_argument("--type", action="append", metavar="TYPE", help="only resources of this type")
    parser.add_argument("--since", metavar="TIME", help="only drift opened since then: 12h, 7d, 2026-01-31T08:00:00Z")
    parser.add_argument("--by", action="append", metavar="USER", help="only drift that this user opened")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line, by field name")
    parser.add_argument("--exit-code", action="store_true", help="end with status 2 if anything is shown")
    parser.add_argument("--reason", metavar="TEXT", help="with ack: why it may stay open")
    parser.add_argument("--until", metavar="TIME", help="with ack: remind again after that: 7d, 2026-01-31")


def run(args: argparse.Namespace) -> int:
    try:
        store = _store(args)
        return _acknowledge(store, args) if args.action else _show(store, args)
    except (ConfigError, StoreError, RulesError) as error:
        print(f"tfdrift: error: {error}", file=sys.stderr)
        return 1


def _store(args: argparse.Namespace) -> OpenStore:
    if args.data_dir:
        return OpenDrift(str(args.data_dir))
    if not args.config:
        raise ConfigError("which data_dir? Name it with --data-dir, or the configuration that does with -c falco.yaml")
    config = load(settings.file_text(Path(args.config)))
    if config.store:
        return SharedStore(config.store, config.aws)
    if not config.data_dir:
        raise ConfigError(f"{args.config}: has no data_dir, so nothing is kept; add one to init_config")
    return OpenDrift(config.data_dir)


def _show(store: OpenStore, args: argparse.Namespace) -> int:
    ruleset = _rules(args)
    known = store.acknowledgements()
    since = _moment(args.since, ago=True) if args.since else 0.0
    seen = _seen(store)
    shown = [
        Shown(opening, _severity(opening, ruleset), known.get(opening.id))
        for key, data in store.documents()
        for opening in verified(openings_of(data), seen.get(key))
        if (not args.account or opening.resource.account in args.account)
        and (not args.type or opening.resource.type in args.type)
        and (not args.by or opening.by in args.by)
        and opening.opened >= since * 1e9
    ]
    shown.sort(key=lambda item: (_urgency(item.severity), item.opening.opened))
    if args.json:
        for item in shown:
            sys.stdout.buffer.write(json_line(_as_json(item)))
        sys.stdout.buffer.flush()
    else:
        console = Console(highlight=False, width=None if sys.stdout.isatty() else _PIPED)
        console.print(_table(shown, bool(ruleset)) if shown else "Nothing is open.")
        if not shown and (files := _files_read_once(args)):
            _log.warning(
                "%s: files are read from their beginning each time, so nothing is kept of them; tfdrift replay --open "
                "shows what they leave open",
                ", ".join(files),
            )
    return 2 if args.exit_code and shown else 0


def _files_read_once(args: argparse.Namespace) -> Sequence[str]:
    """The configured sources, where they are of a kind that leaves nothing behind."""
    if args.data_dir or not args.config:
        return ()
    file = argparse.Namespace(config=[args.config])
    reading = Reading.of(settings.open_params(file), load(settings.file_text(Path(args.config))))
    return reading.files if reading.keeps_nothing else ()


def _seen(store: OpenStore) -> Mapping[Key, Finding]:
    """What ``tfdrift verify`` found and the running plugin has not taken over yet."""
    found: dict[Key, Finding] = {}
    rows = store.verified()
    salt = store.salt if rows else b""
    for key, data in rows:
        try:
            found[key] = from_bytes(key, data, salt)
        except (KeyError, TypeError, ValueError) as error:
            _log.debug("%s: what was verified of it cannot be read: %r", key[1], error)
    return found


def _rules(args: argparse.Namespace) -> Sequence[Rule]:
    files = args.rules or (falco_yaml.load(Path(args.config)).rules_files if args.config else None) or ()
    there = [path for path in files if path.is_file()]
    for path in files:
        if path not in there:
            _log.warning("%s: no such rules file; severities that its rules give are not shown", path)
    documents = [(str(path), path.read_text(encoding="utf-8")) for path in there]
    return rules.load(documents, catalogue(), "tfdrift", {"tfdrift": __version__}).rules


def _event(opening: Opening) -> DriftEvent:
    """The event that told of it, as far as it is kept."""
    return replace(told(opening), opening=opening)


def _severity(opening: Opening, ruleset: Sequence[Rule]) -> str:
    if not ruleset:
        return ""
    event = KnownEvent(values(_event(opening)))
    return next((rule.priority.name for rule in ruleset if rule.matches(event)), "")


def _urgency(severity: str) -> int:
    return rules.PRIORITIES.get(severity.lower(), len(rules.Priority))


def _as_json(item: Shown) -> Mapping[str, Value | Mapping[str, object]]:
    found: dict[str, Value | Mapping[str, object]] = dict(values(_event(item.opening)))
    if item.severity:
        found["severity"] = item.severity
    if item.acknowledged is not None:
        note = item.acknowledged
        found["acknowledged"] = {"by": note.by, "reason": note.reason, "at": note.at, "until": note.until}
    return found


def _table(shown: Iterable[Shown], with_severity: bool) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    columns = [*(("severity",) if with_severity else ()), "id", "resource", "change", "by", "open for", "state"]
    for name in columns:
        table.add_column(name, overflow="fold", no_wrap=name in ("id", "open for", "severity"))
    for item in shown:
        opening, note = item.opening, item.acknowledged
        cells = [
            Text(opening.id[:8]),
            Text(one_line(opening.resource.address or opening.resource.arn or opening.resource.id), "bold"),
            _change(opening),
            Text(one_line(opening.by or "unknown"), "cyan"),
            Text(_age(time.time() - opening.opened / 1e9)),
            Text(
                one_line(" ".join(part for part in (opening.resource.state, opening.resource.workspace) if part)), "dim"
            ),
        ]
        if note is not None and note.holds(time.time()):
            cells[2].append(f"\nacknowledged by {one_line(note.by)}: {one_line(note.reason)}", "dim")
        table.add_row(*([Text(item.severity)] if with_severity else []), *cells)
    return table


def _change(opening: Opening) -> Text:
    text = Text(opening.kind.value, _STYLES.get(opening.kind.value, ""))
    if opening.path:
        text.append(f" {one_line(opening.path)}", "")
        text.append(f"\n{_words(opening)}", "dim")
    return text


def _words(opening: Opening) -> str:
    """What was added and removed, as alerts say it; the two sides of a long value look alike where they are cut."""
    found = change.parts(opening.old_value, opening.new_value, opening.added, opening.removed)
    said = change.in_words(found, opening.resource.account or opening.record.account)
    return one_line(said) or f"{_short(opening.old_value)} → {_short(opening.new_value)}"


def _short(value: str | None) -> str:
    text = one_line(value or "(unset)")
    return text if len(text) <= _LONG else f"{text[:_LONG]}…"


def _age(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(int(seconds), 0)} s"


def _acknowledge(store: OpenStore, args: argparse.Namespace) -> int:
    id = _whole_id(store, args.id or "")
    if args.action == "unack":
        if not store.withdraw(id):
            raise StoreError(f"{id}: was not acknowledged")
        print(f"{id}: reminders are given again")
        return 0
    if not args.reason:
        raise ConfigError("why may it stay open? Say it with --reason")
    until = int(_moment(args.until, ago=False)) if args.until else None
    store.acknowledge(Acknowledgement(id, args.reason, getpass.getuser(), int(time.time()), until))
    end = f" until {datetime.fromtimestamp(until, UTC):%Y-%m-%d %H:%M} UTC" if until else ""
    print(f"{id}: acknowledged{end}; a new change of the same attribute is reported all the same")
    return 0


def _whole_id(store: OpenStore, start: str) -> str:
    """The one open or acknowledged drift whose id begins so."""
    ids = {opening.id for _, data in store.documents() for opening in openings_of(data)} | set(store.acknowledgements())
    found = sorted(id for id in ids if start and id.startswith(start))
    if len(found) == 1:
        return found[0]
    problem = "several drifts have this id" if found else "no open drift has this id"
    raise StoreError(f"{start or 'ID is missing'}: {problem}; tfdrift open shows all")


def _moment(text: str, *, ago: bool) -> float:
    """A time, or one so far from now, in seconds since the epoch.  :raises ConfigError: when it is neither."""
    if re.fullmatch(r"[0-9.]+ ?[smhd]", text):
        return time.time() + (-duration(text) if ago else duration(text))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{text!r} is not a time; write 2026-01-31T08:00:00Z, or 12h, 7d") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
