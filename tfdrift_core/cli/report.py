"""turn Falco's alerts, or a replay, into one HTML page, JSON or CSV

Reads the JSON lines that Falco writes (json_output: true), or those of tfdrift replay --json:

  tfdrift report /var/log/falco/alerts.json -o drift.html
  tfdrift replay --json --state app.tfstate --config app/ trail/ | tfdrift report -o drift.html
"""

import argparse
import logging
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from tfdrift_core.output.alert import Alert, AlertError, parse, priority_of
from tfdrift_core.report.render import FORMATS
from tfdrift_core.report.rows import rows

logger = logging.getLogger("tfdrift.report")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("alerts", nargs="*", metavar="FILE", help="files with JSON lines (default: stdin)")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="where to write (default: stdout)")
    parser.add_argument("-f", "--format", choices=FORMATS, help="default: what the output file's name says, else html")
    parser.add_argument("--priority", default="debug", help="leave out what is less severe", metavar="PRIORITY")


def run(args: argparse.Namespace) -> int:
    suffix = args.output.suffix.lstrip(".").lower() if args.output else ""
    render = FORMATS[args.format or (suffix if suffix in FORMATS else "html")]
    errors: list[AlertError] = []
    try:
        least = Alert("", priority_of(args.priority), "", "", {}).rank
        alerts = [alert for alert in _alerts(_lines(args.alerts), errors) if alert.rank <= least]
        # JSON can spell half a surrogate pair, UTF-8 cannot.
        text = render(rows(alerts)).encode("utf-8", "replace").decode()
        if args.output:
            args.output.write_text(text, encoding="utf-8")
        else:
            sys.stdout.write(text)
    except (OSError, AlertError) as error:
        logger.error("%s", error)
        return 1
    if errors:
        logger.error("left out %d lines; the first is %s", len(errors), errors[0])
    if args.output:
        logger.info("%d alerts in %s", len(alerts), args.output)
    return 1 if errors else 0


def _lines(files: list[str]) -> Iterator[tuple[str, int, bytes]]:
    for name in files or ["-"]:
        if name == "-":
            yield from (("stdin", number, line) for number, line in enumerate(sys.stdin.buffer, 1))
            continue
        with Path(name).open("rb") as file:
            yield from ((name, number, line) for number, line in enumerate(file, 1))


def _alerts(lines: Iterable[tuple[str, int, bytes]], errors: list[AlertError]) -> Iterator[Alert]:
    for name, number, line in lines:
        if not line.strip():
            continue
        try:
            yield parse(line)
        except AlertError as error:
            errors.append(AlertError(f"{name}:{number}: {error}"))
