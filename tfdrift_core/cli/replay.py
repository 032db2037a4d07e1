"""show the drift in CloudTrail records, without Falco, rules or shared library

tfdrift replay --state terraform.tfstate events.json
tfdrift replay --state s3://states/prod/ --config infra/ trail/ --json | jq .
tfdrift replay -c falco.yaml --since 7d   what the configured sources hold
tfdrift replay -s s3://states/prod/ s3://trail/AWSLogs/ --since 180d --at-the-time
tfdrift replay -s a.tfstate trail/ --by 'hanako*' --type 'aws_iam_*' --detailed-exitcode

Reads only: it keeps no checkpoints and takes no message from a queue, so a running Falco misses nothing.  A bucket or
lookup:// is read for the last 24 hours where neither --since nor its own start says otherwise, and then it ends.

Exit status: 0 for success, 1 for a failure; with --detailed-exitcode 2 where drift was shown.
"""

import argparse
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from tfdrift_core.at_the_time import AtTheTime
from tfdrift_core.cli import chosen, settings
from tfdrift_core.cli.chosen import Choice, ChosenSink
from tfdrift_core.cli.history import LATEST, only_shown, read_back
from tfdrift_core.config import ConfigError, Source
from tfdrift_core.drift.classify.identity import identify
from tfdrift_core.drift.event import Confidence, DriftEvent, Kind
from tfdrift_core.drift.opening import told
from tfdrift_core.metrics import Metrics
from tfdrift_core.output.fields import shown, values
from tfdrift_core.pipeline import Pipeline
from tfdrift_core.sources.base import SourceError
from tfdrift_core.sources.files import listing
from tfdrift_core.text import json_line, one_line

_log = logging.getLogger("tfdrift.replay")
_STYLES = {
    Kind.DELETED: "bold red",
    Kind.UNMANAGED: "magenta",
    Kind.MODIFIED: "yellow",
    Kind.EXPECTED: "dim",
    Kind.RESOLVED: "green",
    Kind.OPEN: "yellow",
    Kind.ATTEMPTED: "cyan",
}
_LONG = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "sources", nargs="*", metavar="SOURCE", help="files, directories, patterns, - or URLs of records"
    )
    parser.add_argument(
        "-s", "--state", action="append", default=[], metavar="STATE", help="a state file, pattern or URL"
    )
    parser.add_argument(
        "-c",
        "--config",
        action="append",
        default=[],
        metavar="PATH",
        help="a Terraform directory; or a falco.yaml, or a file with the plugin's init_config",
    )
    parser.add_argument("--expected", action="store_true", help="show expected changes too, with the reason")
    parser.add_argument(
        "--at-the-time",
        action="store_true",
        help="compare each record with the version of the state that was current then, not with today's",
    )
    parser.add_argument("--open", action="store_true", help="show only what is still open at the end")
    parser.add_argument("--json", action="store_true", help="print every event as one line of JSON, by field name")
    chosen.add_arguments(parser)
    parser.add_argument("--detailed-exitcode", action="store_true", help="exit with 2 where drift was shown")


def run(args: argparse.Namespace) -> int:
    try:
        choice = Choice.of(args)
        given = settings.configuration(args)
        given = replace(given, emit_expected=given.emit_expected or args.expected)
        if args.sources:
            given = replace(given, sources=tuple(map(Source, args.sources)))
        if not given.state and not given.config:
            raise ConfigError("no state: name one with --state, or a Terraform directory with --config")
        config = only_shown(given, "" if args.sources else settings.open_params(args), args.since, args.until)
        for url in read_back(config.sources):
            _log.info("%s: reading the last %s; --since reads another time", url, LATEST)
        pipeline = AtTheTime(config, Metrics()) if args.at_the_time else Pipeline(config, Metrics())
        pipeline.open("")
    except (ConfigError, SourceError) as error:
        print(f"tfdrift: error: {error}", file=sys.stderr)
        return 1
    console = Console(highlight=False, soft_wrap=True)
    sink = ChosenSink(_JsonSink(console) if args.json else _TextSink(console), choice.takes)
    try:
        with _progress(args.sources, pipeline.metrics, console if console.is_terminal else Console(stderr=True)):
            pipeline.run(_NoSink() if args.open else sink, threading.Event())
        if args.open:
            for opening in pipeline.open_drift:
                sink.put(told(opening))
    except SourceError as error:
        print(f"tfdrift: error: {error}", file=sys.stderr)
        return 1
    finally:
        pipeline.close()
    _summary(pipeline.metrics, len(pipeline.open_drift))
    if isinstance(pipeline, AtTheTime):
        for gap in pipeline.gaps():
            _log.warning("%s", one_line(gap))
    failures = any(name == "records_bad" or name.startswith("errors_") for name in pipeline.metrics.counters())
    if pipeline.store.errors or failures:
        return 1
    return 2 if args.detailed_exitcode and sink.shown else 0


class _NoSink:
    """Shows nothing."""

    def __init__(self) -> None:
        self._count = 0

    def put(self, event: DriftEvent) -> bool:
        self._count += 1
        return True

    def handed_over(self) -> int:
        return self._count


class _JsonSink:
    """Every event as one JSON object of field name to value."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._count = 0

    def put(self, event: DriftEvent) -> bool:
        line = json_line(values(event))
        if self._console.is_terminal:
            # Through the console, which knows of the bar.
            self._console.print(Text(line.decode().rstrip()))
        else:
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
        self._count += 1
        return True

    def handed_over(self) -> int:
        return self._count


class _TextSink:
    """Every event in a few lines that a person reads."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._count = 0

    def put(self, event: DriftEvent) -> bool:
        self._console.print(_text(shown(event)))
        self._count += 1
        return True

    def handed_over(self) -> int:
        return self._count


def _text(event: DriftEvent) -> Text:
    record, resource = event.record, event.resource
    text = Text()

    def add(ours: str, theirs: str = "", style: str = "") -> None:
        """Our own text and layout, and behind it what a record or a state says, which may hold anything."""
        text.append(ours + one_line(theirs), style=style)

    # A drift that a version of the state ended has no call.
    add(_time(record.time or (event.time if event.resolution is not None else 0)))
    text.append("  ")
    text.append(f"{event.kind:<9}", style=_STYLES[event.kind])
    add("  ", resource.address or resource.type or "unknown type", "bold")
    if resource.id:
        add("  ", resource.id, "dim")
    if resource.state:
        workspace = "" if resource.workspace in ("", "default") else f" (workspace {resource.workspace})"
        add("\n    in ", f"{resource.state}{workspace}", "dim")
    if event.path:
        add("\n    ", event.path)
        add(": ")
        add("", _shorten(event.old_value, "(unset)"), "red")
        add(" → ")
        add("", _shorten(event.new_value, "(unset)"), "green")
    for sign, elements, style in (("-", event.removed, "red"), ("+", event.added, "green")):
        for element in elements:
            add(f"\n      {sign} ", _shorten(element, ""), style)
    if event.resolution is not None and event.opening is not None:
        since = _time(event.opening.opened)
        add(
            "\n    ",
            f"{event.resolution}: {event.reason}; open since {since} by {event.opening.by or 'unknown'}",
            "green",
        )
    if record.event_name:
        who = identify(record).user or "unknown"
        place = " ".join(part for part in (record.account, record.region) if part)
        add("\n    by ", f"{who} with {record.event_name}", "cyan")
        add(" from ", f"{record.source_ip or 'unknown address'} in {place}", "dim")
    if event.confidence is Confidence.INFERRED or event.kind is Kind.EXPECTED:
        add("\n    ", f"{event.confidence}: {event.reason}", "dim")
    if resource.file:
        add("\n    ", f"{resource.file}:{resource.line}", "dim")
    return text


def _time(nanoseconds: int) -> str:
    return datetime.fromtimestamp(nanoseconds / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S") if nanoseconds else "no time"


def _shorten(value: str | None, absent: str, length: int = 300) -> str:
    if value is None or value == "":
        return absent
    return value if len(value) <= length else f"{value[:length]}… ({len(value)} characters)"


@contextmanager
def _progress(sources: list[str], metrics: Metrics, console: Console) -> Iterator[None]:
    """A bar over the files, when ``console`` is a terminal and there are more than a few; all else prints above it."""
    total = _files(sources)
    if total <= _LONG or not console.is_terminal:
        yield
        return
    columns = (TextColumn("reading"), BarColumn(), MofNCompleteColumn(), TextColumn("files"), TimeElapsedColumn())
    done = threading.Event()
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("reading", total=total)

        def follow() -> None:
            while not done.wait(0.1):
                progress.update(task, completed=metrics.counters().get("batches_read", 0))

        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


def _files(sources: list[str]) -> int:
    try:
        return sum(len(listing(source)) for source in sources if "://" not in source and source != "-")
    except SourceError:
        return 0


def _summary(metrics: Metrics, still_open: int) -> None:
    counters = metrics.counters()
    kinds = ", ".join(
        f"{counters.get(f'drift_{kind}', 0)} {kind}" for kind in (Kind.MODIFIED, Kind.DELETED, Kind.UNMANAGED)
    )
    expected = sum(count for name, count in counters.items() if name.startswith("expected_"))
    bad, unknown = counters.get("records_bad", 0), counters.get("records_unknown", 0)
    _log.info(
        "%d records read, %d were changes: %s, %d expected%s%s; %d still open",
        counters.get("records_read", 0),
        counters.get("records_relevant", 0),
        kinds,
        expected,
        f"; {bad} records could not be read" if bad else "",
        f"; {unknown} records take too much work, what they touch is told without values" if unknown else "",
        still_open,
    )
