"""Sample events for the rules, as field values; the host tests run the same ones in libsinsp."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from tfdrift_plugin.host.known import KnownEvent, catalogue

SampleEvent = KnownEvent
__all__ = ["ROOT", "RULES", "Sample", "SampleEvent", "catalogue", "samples"]

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
RULES = ROOT / "rules" / "tfdrift_rules.yaml"


@dataclass(frozen=True)
class Sample:
    """One event: all its field values, the rule it is about, and whether that rule is the first to match."""

    rule: str
    matches: bool
    values: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.rule}: {'yes' if self.matches else 'no'}"


def samples() -> list[Sample]:
    common = yaml.safe_load((HERE / "common.yaml").read_text())
    return [
        Sample(entry["rule"], key == "matches", common | values)
        for file in sorted((HERE / "samples").glob("*.yaml"))
        for entry in yaml.safe_load(file.read_text())
        for key in ("matches", "not_matches")
        for values in entry[key]
    ]
