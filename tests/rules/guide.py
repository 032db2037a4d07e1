"""Writes ``docs/rules.md``: ``python -m tests.rules.guide``.

Each rule with an example from its samples, what usually causes it, what to do, and how to except it.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.rules.sample_events import ROOT, RULES, samples

GUIDE = ROOT / "rules" / "guide.yaml"
PAGE = ROOT / "docs" / "rules.md"
_LONGEST = 140

HEAD = """\
# What each rule tells, and what to do

Written by `python -m tests.rules.guide`; do not edit. The examples are the rules' own tests. The list with MITRE ATT&CK
and controls is [rules/README.md](../rules/README.md); how to change rules is in [alerts.md](alerts.md).

"Apply again" is `terraform apply`, as `drift.hint` has it. "Put it into the configuration" is to make the configuration
say what is there now. Either ends the drift, and TFDrift says so.

To except something, append to a list in a rules file of your own that Falco loads after ours:

```yaml
- list: tfdrift_ignored_resources
  items: [aws_security_group.bastion]
  override: {items: append}
```
"""


def entries() -> dict[str, dict[str, str]]:
    """Rule to ``causes`` and ``do``."""
    found: dict[str, dict[str, str]] = yaml.safe_load(GUIDE.read_text(encoding="utf-8"))
    return found


def markdown() -> str:
    examples: dict[str, Mapping[str, Any]] = {}
    for sample in samples():
        if sample.matches:
            examples.setdefault(sample.rule, sample.values)
    guide, lines = entries(), [HEAD]
    for part in re.split(r"^# --- (?=[A-Z])", RULES.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        rules = [item for item in yaml.safe_load(part.partition("\n")[2]) or [] if "rule" in item]
        if rules:
            lines += [f"## {part.partition(' -----')[0]}", ""]
        for rule in rules:
            lines += [*_section(rule, guide[rule["rule"]], examples.get(rule["rule"])), ""]
    return "\n".join(lines)


def _section(rule: Mapping[str, Any], guide: Mapping[str, str], example: Mapping[str, Any] | None) -> Iterator[str]:
    yield f"### {rule['rule']}"
    yield ""
    yield f"**{rule['priority'].capitalize()}.** {rule['desc'].strip()}"
    yield ""
    if example is not None:
        yield "```text"
        yield from _alert(rule, example)
        yield "```"
        yield ""
    yield f"* Usual cause: {guide['causes']}"
    yield f"* What to do: {guide['do']}"
    levers = _levers(example or {}, rule["priority"])
    if levers:
        yield f"* To except it: {'; or, '.join(levers)}."


def _alert(rule: Mapping[str, Any], event: Mapping[str, Any]) -> Iterator[str]:
    resource = event.get("tf.address") or event.get("cloud.resource.id")
    path = f"  {event['drift.path']}" if event.get("drift.path") else f"  {event['drift.kind']}"
    yield f"{rule['priority'].capitalize()}: {rule['rule']}"
    yield f"  {resource}{path}"
    if event.get("drift.path"):
        yield f"  {_short(event.get('drift.old_value'))} → {_short(event.get('drift.new_value'))}"
    yield f"  {event['drift.user']} with {event.get('ct.name')} at {event['ct.time']}"


def _short(value: object) -> str:
    text = "(absent)" if value is None else str(value) or '""'
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _levers(event: Mapping[str, Any], priority: str) -> list[str]:
    """What silences an alert like this one; nobody should silence a critical path everywhere."""
    if event.get("drift.kind") == "unmanaged":
        return [f"`tfdrift_ignored_unmanaged_types` with `{event['tf.type']}`"] if event.get("tf.type") else []
    if event.get("drift.kind") not in ("modified", "deleted"):
        return []
    found = [f"`tfdrift_ignored_resources` with `{event['tf.address']}`"] if event.get("tf.address") else []
    if event.get("drift.path") and priority != "CRITICAL":
        found.append(f"for every resource, `tfdrift_ignored_paths` with `{event['drift.path']}`")
    return found


if __name__ == "__main__":
    Path(PAGE).write_text(markdown(), encoding="utf-8")
