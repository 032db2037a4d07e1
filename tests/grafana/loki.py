"""A real Loki, and what falcosidekick pushes into it."""

import json
import re
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from tests.rules.sample_events import ROOT
from tests.ship.parts import free_port, tool

TOOLS = Path(__file__).with_name("tools")
SIDEKICK: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "falcosidekick" / "config.yaml").read_text())
UUID = "00000000-0000-4000-8000-000000000000"
# Over 4096 bytes falcosidekick cuts every value of more than 512.
_ALERT, _VALUE, _KEPT = 4096, 512, 507


def binary() -> Path:
    """:raises tests.real.forky.MissingPartError: if it cannot be built."""
    return tool("loki", "github.com/grafana/loki/v3/cmd/loki", TOOLS)


class Loki:
    """One process with everything in it and its files in ``folder``; defaults, but for what a lone one needs."""

    def __init__(self, program: Path, folder: Path) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        config = {
            "auth_enabled": False,
            "analytics": {"reporting_enabled": False},
            "server": {
                "http_listen_address": "127.0.0.1",
                "http_listen_port": port,
                "grpc_listen_address": "127.0.0.1",
                "grpc_listen_port": free_port(),
                "log_level": "warn",
            },
            "common": {
                "instance_addr": "127.0.0.1",
                "path_prefix": str(folder),
                "replication_factor": 1,
                "ring": {"kvstore": {"store": "inmemory"}},
                "storage": {
                    "filesystem": {"chunks_directory": str(folder / "chunks"), "rules_directory": str(folder / "rules")}
                },
            },
            "ingester": {"lifecycler": {"min_ready_duration": "0s", "final_sleep": "0s"}},
            "schema_config": {
                "configs": [
                    {
                        "from": "2024-01-01",
                        "store": "tsdb",
                        "object_store": "filesystem",
                        "schema": "v13",
                        "index": {"prefix": "index_", "period": "24h"},
                    }
                ]
            },
        }
        (folder / "loki.yaml").write_text(yaml.safe_dump(config))
        self.log = folder / "loki.log"
        self.process = subprocess.Popen(
            [program, f"-config.file={folder / 'loki.yaml'}"],
            cwd=folder,
            stdout=self.log.open("wb"),
            stderr=subprocess.STDOUT,
        )

    def wait(self) -> None:
        for _ in range(900):
            try:
                urllib.request.urlopen(f"{self.url}/ready", timeout=10).close()
                return
            except OSError:
                assert self.process.poll() is None, self.log.read_text()
                time.sleep(0.1)
        raise AssertionError(f"Loki does not become ready:\n{self.log.read_text()}")

    def push(self, body: dict[str, Any]) -> tuple[int, str]:
        """The status and what Loki says; nothing where it takes the push."""
        request = urllib.request.Request(
            f"{self.url}/loki/api/v1/push", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def get(self, path: str, **parameters: object) -> Any:
        """The ``data`` of an answer.

        :raises AssertionError: with Loki's reason, if it answers with anything but 200.
        """
        url = f"{self.url}/loki/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{error.code} {error.read().decode()}: {parameters}") from None

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)


def _safe(text: str) -> str:
    """``safe`` of our templates: what holds mark-up is escaped as Go's ``js`` does."""
    if not set(text) & set("<>&'\""):
        return text
    return "".join({**_JS, "\\": "\\\\", "'": "\\'", '"': '\\"'}.get(char, char) for char in text)


_JS = {char: f"\\u{ord(char):04X}" for char in [*"<>&=", *map(chr, range(32))]}


def pushed(alert: dict[str, Any]) -> dict[str, Any]:
    """What falcosidekick posts to Loki for an alert of a whole second, with our configuration; its uuid is random.

    The facts are in its handlers.go (newFalcoPayload) and outputs/loki.go.
    """
    (name,) = SIDEKICK["templatedfields"]
    fields = alert["output_fields"]
    path = f" {_safe(fields['drift.path'])}" if fields["drift.path"] else ""
    who = _safe(fields["drift.user"] or "")
    drift = f"{_safe(fields['drift.resource'] or fields['cloud.resource.id'])}{path} by {who}"
    output = alert["output"]
    if re.search(rf"[0-9:]+\.[0-9]+: {alert['priority']} ", output):
        output = f"{output.split(' ')[0]} {alert['priority']} {name}={drift}"
    sent = {
        "uuid": UUID,
        **{key: alert[key] for key in ("priority", "rule", "time", "source", "hostname")},
        "output": output,
        "output_fields": {**fields, name: drift},
        "tags": sorted(alert["tags"]),
    }
    if len(_go(sent)) > _ALERT:
        for key, value in sent["output_fields"].items():
            if isinstance(value, str) and len(value.encode()) > _VALUE:
                sent["output_fields"][key] = value.encode()[:_KEPT].decode(errors="replace") + "[...]"
    labels = {key: sent[key] for key in ("rule", "source", "priority", "hostname")}
    labels |= {
        key.replace(".", "_"): sent["output_fields"][key].replace('"', "")
        for key in (name, *SIDEKICK["loki"]["extralabels"].split(","))
    }
    labels["tags"] = ",".join(sent["tags"])
    seconds = int(datetime.fromisoformat(alert["time"]).timestamp())
    return {"streams": [{"stream": labels, "values": [[f"{seconds}000000000", _go(sent).decode()]]}]}


_ORDER = ("uuid", "output", "priority", "rule", "time", "output_fields", "source", "tags", "hostname")


def _go(sent: dict[str, Any]) -> bytes:
    """As Go's encoding/json writes it."""
    ordered = {key: sent[key] for key in _ORDER} | {"output_fields": dict(sorted(sent["output_fields"].items()))}
    text = json.dumps(ordered, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text.encode()
