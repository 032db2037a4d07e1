"""Alerts: which rules an event matches, and what Falco prints for it (``formats.cpp``, ``falco_engine.cpp``)."""

import json
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence

from tfdrift_plugin.host.abi import NANOSECONDS, PluginEvent, hostname
from tfdrift_plugin.host.fields import Catalogue
from tfdrift_plugin.host.output import compile_format
from tfdrift_plugin.host.rules import Rule


class Alerts:
    """Evaluates ``rules`` in their order; with ``all_rules`` an event may raise several alerts, else one.

    What ``takes`` does not choose is neither printed nor counted.  ``escapes`` prints lines as Falco 0.45 does.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        catalogue: Catalogue,
        *,
        json_output: bool,
        iso_time: bool,
        all_rules: bool,
        json_members: Collection[str] = ("output", "output_fields", "tags"),
        takes: Callable[[Rule, PluginEvent], bool] = lambda rule, event: True,
        escapes: bool = False,
    ) -> None:
        self.rules = [rule for rule in rules if rule.enabled]
        self.json_output = json_output
        self.json_members = json_members
        self.all_rules = all_rules
        self.takes = takes
        self.escapes = escapes
        self.prefix = compile_format("%evt.time.iso8601: " if iso_time else "%evt.time: ", catalogue)
        self.hostname = hostname()
        self.events = 0
        self.counts: Counter[tuple[str, str]] = Counter()

    def of(self, event: PluginEvent) -> Iterator[Rule]:
        """The rules whose alerts are to be printed for an event."""
        self.events += 1
        for rule in self.rules:
            if rule.matches(event):
                if self.takes(rule, event):
                    self.counts[rule.priority.name, rule.name] += 1
                    yield rule
                if not self.all_rules:
                    return

    def line(self, rule: Rule, event: PluginEvent) -> bytes:
        """Falco's line, without its end."""
        message = rule.format.text(event)
        text = self.prefix.text(event) + rule.priority.name.encode() + b" " + message
        if not self.json_output:
            return _escaped(text) if self.escapes else text
        seconds, nanoseconds = divmod(event.time, NANOSECONDS)
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
        # The time fields of the prefix are numbers in JSON.
        times = {field.name: event.time for field in self.prefix.keys}
        extras = {
            name: form.values(event)[name] if raw else form.text(event).decode("utf-8", "replace")
            for name, (form, raw) in rule.extra_fields.items()
        }
        switched = {
            "output": text.decode("utf-8", "replace"),
            "message": message.decode("utf-8", "replace"),
            "output_fields": {**rule.format.values(event), **times, **extras},
            "tags": rule.tags,
        }
        alert = {
            "hostname": self.hostname,
            "priority": rule.priority.name,
            "rule": rule.name,
            "source": rule.source,
            "time": f"{stamp}.{nanoseconds:09d}Z",
            **{member: value for member, value in switched.items() if member in self.json_members},
        }
        return json.dumps(alert, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()

    def summary(self) -> str:
        """What Falco prints when it ends, and how many events there were."""
        priorities: Counter[str] = Counter()
        for (priority, _), count in self.counts.items():
            priorities[priority] += count
        lines = [f"Events detected: {self.counts.total()} (of {self.events} drift events)", "Rule counts by severity:"]
        lines += [f"   {priority.upper()}: {count}" for priority, count in priorities.most_common()]
        lines += ["Triggered rules by rule name:"]
        lines += [f"   {name}: {count}" for (_, name), count in self.counts.most_common()]
        return "\n".join(lines)


def _escaped(line: bytes) -> bytes:
    """As a JSON string without its quotes: no value can move the cursor or begin another line."""
    return json.dumps(line.decode("utf-8", "replace"), ensure_ascii=False)[1:-1].encode()
