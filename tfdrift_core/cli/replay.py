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
from dataclasses import replace

from rich.console import Console
from rich.text import Text

from tfdrift_core.at_the_time import AtTheTime
from tfdrift_core.cli import chosen, settings
from tfdrift_core.cli.chosen import Choice, ChosenSink
from tfdrift_core.cli.history import LATEST, only_shown, read_back
from tfdrift_core.cli.progress import over_files
from tfdrift_core.cli.readable import readable
from tfdrift_core.config import ConfigError, Source
from tfdrift_core.drift.event import DriftEvent, Kind
from tfdrift_core.drift.opening import told
from tfdrift_core.metrics import Metrics
from tfdrift_core.output.fields import values
from tfdrift_core.pipeline import Pipeline
from tfdrift_core.sources.base import SourceError
from tfdrift_core.text import counted, json_line, one_line

_log = logging.getLogger("tfdrift.replay")


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
    sink = ChosenSink(_JsonSink(console) if args.json else _TextSink(console), choice)
    try:
        with over_files(
            [source.url for source in config.sources],
            lambda: pipeline.metrics.counters().get("batches_read", 0),
            console if console.is_terminal else Console(stderr=True),
        ):
            pipeline.run(_NoSink() if args.open else sink, threading.Event())
        if args.open:
            for opening in pipeline.open_drift:
                sink.put(told(opening))
    except SourceError as error:
        print(f"tfdrift: error: {error}", file=sys.stderr)
        return 1
    finally:
        pipeline.close()
    chosen_of = "" if choice.is_all else f"; {sink.shown} of {counted(sink.handed_over(), 'event')} shown, as chosen"
    _summary(pipeline.metrics, len(pipeline.open_drift), chosen_of)
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
        self._console.print(readable(values(event)))
        self._count += 1
        return True

    def handed_over(self) -> int:
        return self._count


def _summary(metrics: Metrics, still_open: int, chosen_of: str) -> None:
    counters = metrics.counters()
    kinds = ", ".join(
        f"{counters.get(f'drift_{kind}', 0)} {kind}" for kind in (Kind.MODIFIED, Kind.DELETED, Kind.UNMANAGED)
    )
    expected = sum(count for name, count in counters.items() if name.startswith("expected_"))
    bad, unknown = counters.get("records_bad", 0), counters.get("records_unknown", 0)
    _log.info(
        "%s read, %d were changes: %s, %d expected%s%s; %d still open%s",
        counted(counters.get("records_read", 0), "record"),
        counters.get("records_relevant", 0),
        kinds,
        expected,
        f"; {counted(bad, 'record')} could not be read" if bad else "",
        f"; {counted(unknown, 'record')} with too much work, what they touch is told without values" if unknown else "",
        still_open,
        chosen_of,
    )
