"""Writes ``tfdrift_core/catalog/derived.txt.gz``: what the calls of every service do, from public sources.

    python -m tools.derive PROVIDER

PROVIDER is a checkout of the AWS provider for Terraform; Go has to be on the PATH, to read its source.  Taken from it
are names: which calls each resource makes, and which member of a call is which attribute.  botocore's service models
tell the rest.  ``--check`` says whether the file is what would be written.
"""

import argparse
import gzip
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tools.derive import models, provider
from tools.derive.derive import Deriver, Entry

TARGET = Path(__file__).parents[2] / "tfdrift_core" / "catalog" / "derived.txt.gz"


@dataclass
class Line:
    """What is written of one event source, to which several services may belong."""

    types: set[str] = field(default_factory=set)
    events: dict[str, list[Entry]] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    open: set[str] = field(default_factory=set)

    def add(self, service: provider.Service, deriver: Deriver) -> None:
        self.types.update(service.types)
        for operation, effects in deriver.entries().items():
            known = self.events.setdefault(operation, [])
            known += [effect for effect in effects if effect not in known]

    def text(self) -> str:
        silent = self.names - self.events.keys() - self.open
        document = {"types": sorted(self.types), "events": self.events, "silent": sorted(silent)}
        return json.dumps(document, separators=(",", ":"), sort_keys=True)


def derive(source: Path) -> str:
    """The text of the file: a line for each event source, which it begins with, then a tab and JSON."""
    services: dict[str, provider.Service] = {}
    lines: dict[str, Line] = {}
    for service in provider.read(source):
        if service.model in models.services():
            services[service.model] = service
        elif service.model:
            # botocore has no model of it any more: what its calls name is looked for among its types.
            lines[f"{service.model}.amazonaws.com"] = Line(types=set(service.types))
    for model in sorted(models.services()):
        operations = models.operations(model)
        known = services.get(model)
        deriver = Deriver(known, operations) if known else None
        for name in models.event_sources(model):
            line = lines.setdefault(name, Line())
            if known and deriver:
                line.add(known, deriver)
            line.names.update(filter(models.changes, operations))
            line.open.update(deriver.open if deriver else ())
    return "".join(f"{name}\t{line.text()}\n" for name, line in sorted(lines.items()))


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("provider", type=Path, help="a checkout of hashicorp/terraform-provider-aws")
    parser.add_argument("--check", action="store_true", help="only say whether the file is current")
    arguments = parser.parse_args(argv)
    text = derive(arguments.provider)
    if arguments.check:
        current = gzip.decompress(TARGET.read_bytes()).decode() == text
        print("current" if current else f"{TARGET.name} is not what the sources say; run python -m tools.derive")
        return 0 if current else 1
    TARGET.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    print(f"{TARGET.name}: {len(text.splitlines())} event sources, {len(TARGET.read_bytes())} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
