"""list the API calls that TFDrift knows, and what each does to which Terraform resource

tfdrift coverage                          every call: resource types, attributes, and how it is known
tfdrift coverage --service s3             one service
tfdrift coverage --summary                the numbers
tfdrift coverage --json                   the same as data
tfdrift coverage --markdown               write docs/coverage.md, and docs/services with a page for each service

A call counts as resolved when it is known to which resource it belongs.  It is exact when the catalog says, for at
least one of its resource types and not by guess, that the call creates or deletes it or which attributes it changes;
derived when a program took that from the provider's source and AWS's service models; else inferred.  A call of a known
service that none of this describes is still reported when it names a managed resource, as inferred.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tfdrift_core.drift.change.catalog import Catalog, CatalogError, load
from tfdrift_core.drift.change.effect import Effect, Event
from tfdrift_core.drift.change.transforms.blocks import Gone
from tfdrift_core.drift.event import Confidence

BY_NAME = "(by name)"
"""Every parameter that is named as an attribute of the resource."""
CREATED, DELETED = "(created)", "(deleted)"
_FOLDER = Path("docs")
_HEADER = ("service", "event", "resource types", "attributes", "how")


@dataclass(frozen=True, slots=True)
class Row:
    """One call.  ``how`` is ``exact``, ``derived``, ``inferred`` or ``ignored``; then ``reason`` says why."""

    service: str
    event: str
    types: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    how: str = "ignored"
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Summary:
    """Numbers of calls, but for ``resource_types`` and ``services``.  ``attributes`` of the exact calls change some."""

    services: int
    resource_types: int
    resolved: int
    exact: int
    attributes: int
    inferred: int
    ignored: int
    derived: int = 0


def rows(catalog: Catalog) -> list[Row]:
    """One row for each call of each service, by service and name."""
    known = (*catalog.derived.values(), *catalog.events.values())
    events = {(event.service, event.name): event for event in known}
    return [_row(event) for _, event in sorted(events.items())]


def summarize(table: Iterable[Row]) -> Summary:
    table = list(table)
    resolved = [row for row in table if not row.reason]
    exact = [row for row in resolved if row.how == "exact"]
    derived = sum(row.how == "derived" for row in resolved)
    return Summary(
        services=len({row.service for row in table}),
        resource_types=len({name for row in resolved for name in row.types if name != "*"}),
        resolved=len(resolved),
        exact=len(exact),
        attributes=sum(bool(set(row.attributes) - {CREATED, DELETED}) for row in exact),
        inferred=len(resolved) - len(exact) - derived,
        ignored=len(table) - len(resolved),
        derived=derived,
    )


def _row(event: Event) -> Row:
    if event.ignored:
        return Row(event.service, event.name, reason=event.ignored)
    sure = [effect.confidence for effect in event.effects if any(_changes(effect))]
    how = next((level for level in (Confidence.EXACT, Confidence.DERIVED) if level in sure), Confidence.INFERRED)
    return Row(
        event.service,
        event.name,
        types=tuple(dict.fromkeys(name for effect in event.effects for name in effect.types)),
        attributes=tuple(dict.fromkeys(name for effect in event.effects for name in _changes(effect))),
        how=str(how),
    )


def _changes(effect: Effect) -> Iterator[str]:
    """What the effect changes: attributes as the catalog names them, and what stands for a whole resource."""
    if effect.create:
        yield CREATED
    if effect.delete:
        yield DELETED
    yield from (*effect.set, *effect.const, *effect.add, *effect.remove, *effect.unknown, *effect.clear)
    if effect.roots:
        yield from (attribute for name, attribute in effect.rename.items() if attribute and "." not in name)
        yield BY_NAME
    if effect.tags:
        yield "tags"
    if effect.transform is not None:
        yield DELETED if isinstance(effect.transform, Gone) else effect.transform.changes
    if effect.restore:
        yield CREATED


def add_arguments(parser: argparse.ArgumentParser) -> None:
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--summary", action="store_true", help="only the numbers")
    form.add_argument("--json", action="store_true", help="print one JSON document")
    form.add_argument(
        "--markdown",
        nargs="?",
        const=_FOLDER,
        type=Path,
        metavar="FOLDER",
        help=f"write coverage.md and services/*.md into a folder (default {_FOLDER})",
    )
    parser.add_argument("--service", action="append", metavar="NAME", help="only this service")
    parser.add_argument("--catalog", action="append", default=[], metavar="FILE", help="also what this file adds")


def run(args: argparse.Namespace) -> int:
    try:
        catalog = load(args.catalog)
        table = rows(catalog)
    except CatalogError as error:
        print(f"tfdrift: error: {error}", file=sys.stderr)
        return 1
    services = {row.service for row in table}
    unknown = sorted(set(args.service or ()) - services)
    if unknown:
        print(
            f"tfdrift: error: no service {', '.join(unknown)}; there are {', '.join(sorted(services))}", file=sys.stderr
        )
        return 1
    chosen = [row for row in table if not args.service or row.service in args.service]
    if args.json:
        json.dump(_as_json(chosen), sys.stdout, indent=2)
        sys.stdout.write("\n")
    elif args.markdown:
        try:
            _write(args.markdown, pages(catalog, chosen))
        except OSError as error:
            print(f"tfdrift: error: cannot write {error.filename}: {error.strerror}", file=sys.stderr)
            return 1
    else:
        lines = [] if args.summary else [*_as_text(chosen), ""]
        print("\n".join([*lines, *_sentences(summarize(chosen)), "", *_levels(chosen)]))
    return 0


def _sentences(summary: Summary) -> list[str]:
    return [
        f"services        {summary.services:>6}",
        f"resource types  {summary.resource_types:>6}",
        f"calls resolved  {summary.resolved:>6}",
        f"  exact         {summary.exact:>6}  {summary.attributes} of them to attributes, the others create or delete",
        f"  derived       {summary.derived:>6}",
        f"  inferred      {summary.inferred:>6}",
        f"calls ignored   {summary.ignored:>6}  each with the reason",
    ]


def _levels(table: Sequence[Row]) -> Iterator[str]:
    """How many services, types and calls are known in each way."""
    yield f"{'':<10}{'services':>9}{'types':>7}{'calls':>7}"
    for level in Confidence:
        own = [row for row in table if row.how == level]
        types = {name for row in own for name in row.types if name != "*"}
        yield f"{level:<10}{len({row.service for row in own}):>9}{len(types):>7}{len(own):>7}"


def _as_json(table: Sequence[Row]) -> dict[str, Any]:
    return {"summary": asdict(summarize(table)), "events": [asdict(row) for row in table]}


def _cells(row: Row) -> tuple[str, ...]:
    return (row.service, row.event, ", ".join(row.types), ", ".join(row.attributes) or row.reason, row.how)


def _as_text(table: Sequence[Row]) -> Iterator[str]:
    lines = [_HEADER, *map(_cells, table)]
    # The two long columns come last, so that the short ones line up.
    order = (0, 1, 4, 2, 3)
    widths = [max(len(line[column]) for line in lines) for column in order[:3]]
    for line in lines:
        short = "  ".join(line[column].ljust(width) for column, width in zip(order, widths, strict=False))
        yield f"{short}  {line[2]}{'; ' if line[2] and line[3] else ''}{line[3]}".rstrip()


def _write(folder: Path, texts: Mapping[str, str]) -> None:
    services = folder / "services"
    services.mkdir(exist_ok=True)
    for page in set(services.glob("*.md")) - {folder / name for name in texts}:
        page.unlink()
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")


def pages(catalog: Catalog, table: Sequence[Row]) -> dict[str, str]:
    """File name to text: the page with the numbers, and one for each service that has a resource type."""
    by_service: dict[str, list[Row]] = {}
    for row in table:
        by_service.setdefault(row.service, []).append(row)
    types: dict[str, set[str]] = {service: set() for service in by_service}
    for (source, _), event in (*catalog.derived.items(), *catalog.events.items()):
        if event.service in types:
            types[event.service].update(catalog.types(source))
    named = {f"services/{service}.md": _service(service, rows, types[service]) for service, rows in by_service.items()}
    return {"coverage.md": _index(by_service), **named}


def _index(by_service: Mapping[str, Sequence[Row]]) -> str:
    table = [row for rows in by_service.values() for row in rows]
    summary = summarize(table)
    page = [
        "# What TFDrift knows of AWS",
        "",
        "Written by `tfdrift coverage --markdown`; do not edit.",
        "",
        f"{summary.resolved} API calls of {summary.services} services lead to {summary.resource_types} Terraform"
        " resource types. Each service has a page with its calls, and with what is not seen.",
        "",
        f"* **Exact**: {summary.exact} calls, described by hand; {summary.attributes} of them change an attribute, the"
        " others create or delete a resource.",
        f"* **Derived**: {summary.derived} calls, taken by a program from the provider's source and AWS's service"
        " models.",
        f"* **Inferred**: {summary.inferred} calls. Any other call of a known service that names a managed resource of"
        " that service is reported as inferred, too.",
        f"* **Ignored**: {summary.ignored} calls, each with the reason.",
        "",
        "`drift.confidence` says of an event which of them it is.",
        "",
        "| service | exact | derived | inferred | ignored | resource types |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for service, rows in by_service.items():
        numbers = summarize(rows)
        page.append(
            f"| [{service}](services/{service}.md) | {numbers.exact} | {numbers.derived} | {numbers.inferred} |"
            f" {numbers.ignored} | {numbers.resource_types} |"
        )
    return "\n".join([*page, ""])


def _service(service: str, table: Sequence[Row], types: Iterable[str]) -> str:
    """The page of one service; ``types`` are all that the provider has for it."""
    numbers = summarize(table)
    page = [
        f"# {service}",
        "",
        "Written by `tfdrift coverage --markdown`; do not edit. [All services](../coverage.md)",
        "",
        f"Calls: {numbers.resolved}. Resource types: {numbers.resource_types}.",
        "",
        f"`{BY_NAME}`: every parameter that is named as an attribute. Other words in brackets: a rule in code.",
        "",
        "| call | resource types | attributes | how |",
        "|---|---|---|---|",
        *(
            f"| {row.event} | {' '.join(f'`{name}`' for name in row.types)} | {_code(row.attributes)} | {row.how} |"
            for row in table
            if not row.reason
        ),
    ]
    reasons: dict[str, list[str]] = {}
    for row in table:
        if row.reason:
            reasons.setdefault(row.reason, []).append(row.event)
    unseen = sorted(set(types) - {name for row in table for name in row.types})
    if reasons or unseen:
        page += ["", "## Not seen", ""]
    page += [f"* {reason}: {', '.join(names)}" for reason, names in sorted(reasons.items())]
    if unseen:
        page.append(f"* Resource types that no call is known to change: {' '.join(f'`{name}`' for name in unseen)}")
    return "\n".join([*page, ""])


def _code(attributes: Iterable[str]) -> str:
    return " ".join(name if name.startswith("(") else f"`{name}`" for name in attributes)
