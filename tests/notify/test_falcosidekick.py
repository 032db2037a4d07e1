"""The real falcosidekick, with the shipped configuration, in front of stand-ins for what it sends to."""

import datetime
import http.client
import json
import os
import re
import socket
import socketserver
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.notify.alerts import line
from tests.notify.conftest import MailServer, Web
from tests.real.parts import optional
from tests.rules.sample_events import ROOT, RULES

CONFIG = ROOT / "deploy" / "falcosidekick" / "config.yaml"
BINARY = optional("falcosidekick")
needs_falcosidekick = pytest.mark.usefixtures("falcosidekick")


def test_the_templates_name_only_fields_that_the_rules_print() -> None:
    named = set(re.findall(r'index \.(?:OutputFields)? ?"([\w.]+)"', CONFIG.read_text()))
    extra = set(yaml.safe_load(CONFIG.read_text())["loki"]["extralabels"].split(","))
    assert len(named) > 8
    of_an_end = {"drift.resolution", "drift.opened_by"}
    for rule in (item for item in yaml.safe_load(RULES.read_text()) if "rule" in item):
        needed = named | extra if rule["rule"] == "Drift has ended" else (named | extra) - of_an_end
        assert needed <= set(re.findall(r"%([\w.]+\w)", rule["output"])), rule["rule"]


def test_no_field_is_printed_as_mark_up() -> None:
    config = yaml.safe_load(CONFIG.read_text())
    for template in (config["slack"]["messageformat"], config["templatedfields"]["drift"]):
        text = template.partition("{{ end }}{{ end }}{{ end }}")[2]
        # The plugin makes the link, and quotes what it puts into it.
        text = text.replace("<{{ . }}|Open the record in CloudTrail>", "")
        printed = re.findall(r"{{ (?!with|else|end|if|range|\$\w+ :=|template \"safe\")([^}]*) }}", text)
        assert set(printed) <= {".Priority", ".Rule"}


def test_the_configuration_holds_no_secret() -> None:
    config = yaml.safe_load(CONFIG.read_text())
    assert not {"webhookurl", "routingKey", "password", "user", "address", "hostport"} & {
        key for output in config.values() if isinstance(output, dict) for key in output
    }


HOSTS = ("events.pagerduty.com", "hooks.slack.com")


class Pager(socketserver.ThreadingTCPServer):
    """For addresses that are fixed in a sender: an HTTPS proxy that answers in their name, with a CA of its own.

    ``events`` are what PagerDuty would have got, ``messages`` what Slack would.
    """

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        self.events: list[dict[str, Any]] = []
        self.messages: list[dict[str, Any]] = []
        self.ca = folder / "ca.pem"
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOSTS[0])])
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName(list(map(x509.DNSName, HOSTS))), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        self.ca.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        key_file = folder / "key.pem"
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.ca, key_file)
        super().__init__(("127.0.0.1", 0), PagerHandler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class PagerHandler(socketserver.BaseRequestHandler):
    server: Pager

    def handle(self) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += self.request.recv(4096)
        host = head.split(b" ")[1].decode().removesuffix(":443")
        assert host in HOSTS
        self.request.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        with self.server.context.wrap_socket(self.request, server_side=True) as secure:
            stream = secure.makefile("rwb")
            assert stream.readline().startswith(b"POST ")
            headers = http.client.parse_headers(stream)
            body = json.loads(stream.read(int(headers["Content-Length"])))
            (self.server.messages if host == "hooks.slack.com" else self.server.events).append(body)
            answer, status = (b"ok", 200) if host == "hooks.slack.com" else (b'{"status":"success"}', 202)
            stream.write(b"HTTP/1.1 %d OK\r\nConnection: close\r\n" % status)
            stream.write(b"Content-Length: %d\r\n\r\n" % len(answer) + answer)
            stream.flush()


@pytest.fixture
def pager(tmp_path: Path) -> Iterator[Pager]:
    server = Pager(tmp_path)
    yield server
    server.shutdown()
    server.server_close()


class Sidekick:
    def __init__(self, environment: dict[str, str], log: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self.log = log
        environment = {**os.environ, "LISTENADDRESS": "127.0.0.1", "LISTENPORT": str(self.port), **environment}
        assert BINARY is not None
        self.process = subprocess.Popen(
            [BINARY, "-c", str(CONFIG)], env=environment, stdout=log.open("wb"), stderr=subprocess.STDOUT
        )

    def request(self, method: str, path: str, body: str | None = None) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"})
            return connection.getresponse().status
        finally:
            connection.close()

    def ready(self) -> bool:
        try:
            return self.request("GET", "/ping") == 200
        except OSError:
            return False


def wait_for(condition: Any, what: str, log: Path) -> None:
    for _ in range(900):
        if condition():
            return
        time.sleep(0.1)
    pytest.fail(f"{what} never happened; falcosidekick said:\n{log.read_text()}")


@pytest.fixture
def sidekick(web: Web, mail: MailServer, pager: Pager, tmp_path: Path) -> Iterator[Sidekick]:
    environment = {
        "SLACK_WEBHOOKURL": f"{web.url}/slack",
        "PAGERDUTY_ROUTINGKEY": "0123456789abcdef0123456789abcdef",
        "SMTP_HOSTPORT": f"127.0.0.1:{mail.port}",
        "SMTP_TLS": "false",
        "SMTP_AUTHMECHANISM": "none",
        "SMTP_FROM": "tfdrift@example.com",
        "SMTP_TO": "platform@example.com",
        "WEBHOOK_ADDRESS": f"{web.url}/webhook",
        "LOKI_HOSTPORT": web.url,
        "HTTPS_PROXY": pager.url,
        "SSL_CERT_FILE": str(pager.ca),
    }
    started = Sidekick(environment, tmp_path / "sidekick.log")
    try:
        wait_for(started.ready, "its start", started.log)
        yield started
    finally:
        started.process.terminate()
        started.process.wait(10)


def outputs(web: Web, name: str) -> list[Any]:
    return [body for path, body in list(web.posts) if name in path]


@needs_falcosidekick
def test_slack_pagerduty_mail_webhook_and_loki_get_it_once(
    sidekick: Sidekick, web: Web, mail: MailServer, pager: Pager
) -> None:
    assert sidekick.request("POST", "/", line()) == 200
    everything = {"slack": 1, "webhook": 1, "loki": 1}
    wait_for(
        lambda: all(outputs(web, name) for name in everything) and mail.messages and pager.events,
        "a delivery to all five",
        sidekick.log,
    )
    assert {name: len(outputs(web, name)) for name in everything} == everything
    assert (len(mail.messages), len(pager.events)) == (1, 1)

    text = outputs(web, "slack")[0]["text"].split("\n")
    assert text == [
        "*Critical: Security group opened to the world*",
        "*aws_security_group.web* in 111122223333 eu-central-1",
        r"`ingress`: + `{\"cidr_blocks\":[\"0.0.0.0/0\"],\"from_port\":22}`",
        "by *dev-taro* from 198.51.100.24 with AuthorizeSecurityGroupIngress at 2026-03-17T10:06:02Z",
        "Undo: terraform apply -target=aws_security_group.web. Keep: set ingress in network/main.tf:43.",
        "<https://console.aws.amazon.com/cloudtrailv2/home?region=eu-central-1#/events/8e2d1c7b"
        "|Open the record in CloudTrail>",
    ]
    (event,) = pager.events
    assert event["event_action"] == "trigger"
    assert event["payload"]["severity"] == "critical"
    assert "aws_security_group.web ingress by dev-taro" in event["payload"]["summary"]
    assert event["payload"]["custom_details"]["drift.link"].startswith("https://console.aws.amazon.com/")
    (message,) = mail.messages
    assert message["Subject"] is not None
    assert "aws_security_group.web ingress by dev-taro" in message["Subject"]
    body = message.get_body(("plain",))
    assert body is not None
    assert "drift.user: dev-taro" in body.get_content()
    assert "Rule: Security group opened to the world" in body.get_content()
    assert "drift.link: https://console.aws.amazon.com/" in body.get_content()
    (posted,) = outputs(web, "webhook")
    assert posted["output_fields"]["drift.id"] == "d1"
    (pushed,) = outputs(web, "loki")
    (stream,) = pushed["streams"]
    assert stream["stream"]["cloud_service"] == "ec2"
    assert stream["stream"]["priority"] == "Critical"
    assert json.loads(stream["values"][0][1])["output_fields"]["drift.user"] == "dev-taro"


@needs_falcosidekick
def test_nobody_plants_links_or_mentions(sidekick: Sidekick, web: Web, pager: Pager) -> None:
    planted = '<!channel> <https://evil.example/aws|sign in> "&lt;!here&gt;"'
    names = ("drift.resource", "drift.path", "drift.user", "drift.srcip", "ct.name", "cloud.region", "drift.hint")
    assert sidekick.request("POST", "/", line(**dict.fromkeys(names, planted), **{"drift.added": [planted]})) == 200
    wait_for(lambda: outputs(web, "slack"), "a message in Slack", sidekick.log)
    (message,) = outputs(web, "slack")
    for text in (message["text"], *(attachment.get("text", "") for attachment in message["attachments"])):
        assert "sign in" in text
        assert all("console.aws.amazon.com" in link for link in re.findall("<[^>]*>", text))
        assert "&lt;" not in text


@needs_falcosidekick
def test_levels_go_where_they_belong(sidekick: Sidekick, web: Web, mail: MailServer, pager: Pager) -> None:
    change = {"drift.path": "instance_type", "drift.old_value": "t3.micro", "drift.added": None}
    for priority in ("Informational", "Warning", "Error"):
        assert sidekick.request("POST", "/", line(priority, **change)) == 200
    wait_for(
        lambda: len(outputs(web, "webhook")) == 3 and len(outputs(web, "slack")) == 2 and mail.messages,
        "three webhook calls, two Slack messages and a mail",
        sidekick.log,
    )
    assert len(mail.messages) == 1
    assert pager.events == []
    assert {body["text"].split("\n")[2] for body in outputs(web, "slack")} == {"`instance_type`: `t3.micro` → `(none)`"}
