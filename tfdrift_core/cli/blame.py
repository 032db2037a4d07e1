"""say who made the drift that a plan shows, and when

terraform plan -refresh-only -out=drift.plan && terraform show -json drift.plan > plan.json
tfdrift blame plan.json                              asks CloudTrail's event history (90 days)
tfdrift blame plan.json --source s3://org-trail/AWSLogs/ --since 180d
tfdrift blame plan.json --source trail/ --json | jq .
"""

import argparse
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.text import Text

from tfdrift_core import aws
from tfdrift_core.blame import trace
from tfdrift_core.blame.history import EventHistory, from_source
from tfdrift_core.blame.plan import Plan, PlanError, load
from tfdrift_core.blame.trace import Part
from tfdrift_core.cli.history import only_shown
from tfdrift_core.config import Aws, Config, ConfigError, Source, duration
from tfdrift_core.drift.change.catalog import Catalog
from tfdrift_core.drift.change.catalog import load as load_catalog
from tfdrift_core.drift.classify.identity import identify
from tfdrift_core.drift.event import DriftEvent
from tfdrift_core.output.fields import shown
from tfdrift_core.records.ordered import Ordered
from tfdrift_core.sources.base import SourceError
from tfdrift_core.sources.location import locate
from tfdrift_core.text import json_line, one_line

_HISTORY = "90d"
_ALWAYS = "1970-01-01"
_LONG = 200


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("plans", nargs="+", type=Path, metavar="PLAN", help="a refresh-only plan, as terraform show -json prints it")
    add("--source", action="append", default=[], metavar="SOURCE", help="a trail: files, directories, s3://")
    add("--since", metavar="TIME", help="how far back to look: 30d, 2026-01-31 (default: all of a source, else 90d)")
    add("--history", action="store_true", help="show the earlier calls that touched the attribute, too")
    add("--profile", default="", help="a profile of the AWS configuration files")
    add("--region", default="", help="the region of resources that do not tell theirs")
    add("--endpoint-url", default="", help=argparse.SUPPRESS)
    add("--json", action="store_true", help="print one JSON object a line")
    add("--detailed-exitcode", action="store_true", help="end with 0 for no drift, 2 for drift, 1 for an error")


def run(args: argparse.Namespace) -> int:
    try:
        since = _moment(args.since or (_ALWAYS if args.source else _HISTORY))
        plans = [load(path) for path in args.plans]
        config = Config(aws=Aws(profile=args.profile, region=args.region, endpoint_url=args.endpoint_url))
        catalog = load_catalog()
        records = _records(plans, args.source, config, catalog, since)
        begin = max(since, records.first / 1e9) if args.source else since
        day = _day(begin) if records.first or not args.source else ""
        parts = [part for plan in plans for part in trace.blame(plan, records, catalog, day)]
    except (PlanError, ConfigError, SourceError) as error:
        print(f"tfdrift: error: {error}", file=sys.stderr)
        return 1
    except aws.ERRORS as error:
        problem = aws.explain(error, allow="cloudtrail:LookupEvents")
        print(f"tfdrift: error: CloudTrail's event history: {problem}", file=sys.stderr)
        return 1
    for plan in plans:
        for note in plan.notes:
            print(f"tfdrift: {one_line(plan.origin)}: {note}", file=sys.stderr)
    _print(parts, args.json, args.history)
    return 2 if args.detailed_exitcode and parts else 0


def _records(plans: Sequence[Plan], sources: Sequence[str], config: Config, catalog: Catalog, since: float) -> Ordered:
    """What may explain the drift of all plans: read once, for each of them may have something to do with any."""
    found = Ordered()
    begin = datetime.fromtimestamp(since, UTC).isoformat()
    entries = tuple(_in_question(source, plans) for source in sources)
    for entry in only_shown(replace(config, sources=entries), "", begin).sources if entries else ():
        found.add(from_source(entry, config, catalog, since))
    if sources or not any(plan.drifted for plan in plans):
        return found
    session = aws.session(config.aws)
    history = EventHistory(lambda region: aws.client(config.aws, "cloudtrail", region, within=session), since)
    region = config.aws.region or session.region_name or "us-east-1"
    console = Console(stderr=True)
    drifted = [one for plan in plans for one in plan.drifted]
    for one in track(drifted, "asking CloudTrail", console=console, disable=not console.is_terminal):
        found.add(history.of(one, region))
    return found


def _in_question(url: str, plans: Sequence[Plan]) -> Source:
    """A source of which only the accounts and regions are read that the drift is in, as far as all of it tells them."""
    place, instances = locate(url), [one.instance for plan in plans for one in plan.drifted]
    found = {"accounts": {one.account for one in instances}, "regions": {one.region for one in instances}}
    # What is global is logged in one region or another, and so is what does not tell its own.
    known = {name: ",".join(sorted(values)) for name, values in found.items() if values and "" not in values}
    options = known if place.scheme in ("s3", "lookup") else {}
    return Source(url, {name: value for name, value in options.items() if not place.options.texts(name)})


def _print(parts: Sequence[Part], as_json: bool, history: bool) -> None:
    if as_json:
        for part in parts:
            sys.stdout.buffer.write(json_line(trace.as_row(part, history)))
        sys.stdout.buffer.flush()
        return
    console = Console(highlight=False, soft_wrap=True)
    if not parts:
        console.print("The plan shows no drift.")
    for place, part in enumerate(parts):
        again = place > 0 and parts[place - 1].drifted is part.drifted
        console.print(_text(part, history, again))


def _text(part: Part, history: bool, again: bool) -> Text:
    """What is told of a part, below the address of its resource, which is not told ``again``."""
    text = Text()
    if not again:
        text.append(one_line(part.drifted.instance.address), "bold")
    if part.path:
        text.append(f"{'' if again else chr(10)}    {one_line(part.path)}: ")
        if part.element:
            text.append(_short(part.element), "green" if part.element.startswith("+") else "red")
        else:
            text.append(_short(part.old), "red").append(" → ").append(_short(part.new), "green")
    else:
        text.append(" deleted", "bold red")
    if part.cause is not None:
        text.append(f"\n      {_who(part.cause)}", "cyan")
    if part.reason:
        text.append(f"\n      {one_line(part.reason)}", "dim")
    for step in map(shown, part.earlier) if history else ():
        text.append(f"\n        before: {_who(step)}: {_short(step.old_value)} → {_short(step.new_value)}", "dim")
    return text


def _who(event: DriftEvent) -> str:
    record = event.record
    when = datetime.fromtimestamp(record.time / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S") if record.time else "no time"
    user = identify(record).user or "unknown"
    return one_line(f"{when} by {user} with {record.event_name} from {record.source_ip or 'unknown address'}")


def _short(value: str | None) -> str:
    text = one_line(value or "(unset)")
    return text if len(text) <= _LONG else f"{text[:_LONG]}…"


def _moment(text: str) -> float:
    if re.fullmatch(r"[0-9.]+ ?[smhd]", text):
        return time.time() - duration(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"--since {text!r} is not a time; write 2026-01-31, or 12h, 30d") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _day(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d")
