"""turn Falco's alerts, or a replay, into one HTML page, Markdown, SARIF, CSV or JSON

Reads the JSON lines that Falco writes (json_output: true), or those of tfdrift replay --json:

  tfdrift report /var/log/falco/alerts.json -o drift.html
  tfdrift replay --json --state app.tfstate --config app/ trail/ | tfdrift report -o drift.html
  tfdrift report alerts.json -f markdown | gh issue create --title Drift --body-file -
  tfdrift report alerts.json -o drift.sarif          for code scanning: what is open, at file and line
"""

import argparse
import logging
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from tfdrift_core.output.alert import Alert, AlertError, parse, priority_of
from tfdrift_core.report.about import About
from tfdrift_core.report.render import FORMATS, SUFFIXES
from tfdrift_core.report.rows import rows
from tfdrift_core.report.sarif import unplaced
from tfdrift_core.text import counted

logger = logging.getLogger("tfdrift.report")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("alerts", nargs="*", metavar="FILE", help="files with JSON lines (default: stdin)")
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", help="where to write (default: stdout)")
    parser.add_argument("--force", action="store_true", help="replace FILE if it is there")
    parser.add_argument(
        "-f", "--format", choices=(*FORMATS, "md"), help="default: what the output file's name says, else html"
    )
    parser.add_argument("--priority", default="debug", help="leave out what is less severe", metavar="PRIORITY")
    parser.add_argument(
        "--root",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="the repository that SARIF's paths are relative to (default: here)",
    )


class _ArgumentsError(ValueError):
    """Arguments that do not fit together; the message says what to do."""


def run(args: argparse.Namespace) -> int:
    errors: list[AlertError] = []
    try:
        form = _format(args)
        if args.output and args.output.is_file() and not args.force:
            raise _ArgumentsError(f"{args.output} is there already; give another name, or --force to replace it")
        least = Alert("", priority_of(args.priority), "", "", {}).rank
        alerts = [alert for alert in _alerts(_lines(args.alerts), errors) if alert.rank <= least]
        sources = ("standard input" if name == "-" else name for name in args.alerts or ["-"])
        about = About(datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), tuple(sources), str(args.root.absolute()))
        # JSON can spell half a surrogate pair, UTF-8 cannot.
        found = rows(alerts)
        text = FORMATS[form](found, about).encode("utf-8", "replace").decode()
        if args.output:
            args.output.write_text(text, encoding="utf-8")
        else:
            sys.stdout.write(text)
    except (OSError, AlertError, _ArgumentsError) as error:
        logger.error("%s", error)
        return 1
    if form == "sarif" and (missing := len(unplaced(found))):
        logger.warning(
            "%s left out: no file declares what they change; replay with --config, or name config in falco.yaml",
            counted(missing, "open change"),
        )
    if errors:
        logger.error("left out %s; the first is %s", counted(len(errors), "line"), errors[0])
    if args.output:
        logger.info("%s in %s", counted(len(alerts), "alert"), args.output)
    return 1 if errors else 0


def _format(args: argparse.Namespace) -> str:
    """The format asked for, or what the output file's name says; a name that says nothing needs ``--format``."""
    if args.format or not args.output:
        return "markdown" if args.format == "md" else str(args.format or "html")
    known = SUFFIXES.get(args.output.suffix.lower())
    if known is None:
        names = ", ".join(SUFFIXES)
        raise _ArgumentsError(f"{args.output}: its name says no format; end it with one of {names}, or give --format")
    return known


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
