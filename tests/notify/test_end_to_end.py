"""A CloudTrail record goes in at SQS; a chat message, a page, a mail and a webhook call come out."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import boto3
import yaml

from tests.notify.conftest import MailServer, Web
from tests.notify.test_falcosidekick import Pager, Sidekick, needs_falcosidekick, outputs, pager, sidekick, wait_for
from tests.notify.test_notify import PAGERDUTY, SLACK
from tests.plugin.conftest import library
from tests.rules.example_day import EXAMPLES
from tests.rules.sample_events import RULES
from tests.trails import moto_url

__all__ = ["library", "moto_url", "pager", "sidekick"]

TFDRIFT = str(Path(sys.executable).with_name("tfdrift"))
RULE = "Security group opened to the world"


def record() -> dict[str, Any]:
    """The record of the examples that opens a security group to the world."""
    for path in sorted((EXAMPLES / "trail").glob("*.json")):
        for found in json.loads(path.read_text())["Records"]:
            if found["eventName"] == "AuthorizeSecurityGroupIngress" and "cidrIp" in found["requestParameters"]:
                return dict(found)
    raise AssertionError("the examples have lost their open security group")


@contextmanager
def plugin(library: Path, moto_url: str, folder: Path, output: int | IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """``tfdrift run`` on a queue that holds the record twice, as EventBridge delivers it."""
    queue = boto3.client(
        "sqs", region_name="eu-central-1", endpoint_url=moto_url, aws_access_key_id="t", aws_secret_access_key="t"
    )
    url = queue.create_queue(QueueName="drift")["QueueUrl"]
    body = json.dumps({"detail-type": "AWS API Call via CloudTrail", "detail": record()})
    for _ in range(2):
        queue.send_message(QueueUrl=url, MessageBody=body)
    config = {
        "state": [str(EXAMPLES / "state" / "network.tfstate")],
        "config": [str(EXAMPLES / "infrastructure" / "network")],
        "data_dir": str(folder / "data"),
        "aws": {"region": "eu-central-1", "endpoint_url": moto_url},
    }
    (folder / "tfdrift.yaml").write_text(yaml.safe_dump(config))
    command = [
        TFDRIFT,
        "run",
        "--json",
        "--library",
        str(library),
        "-r",
        str(RULES),
        "-c",
        str(folder / "tfdrift.yaml"),
    ]
    environment = {
        **os.environ,
        "AWS_ACCESS_KEY_ID": "t",
        "AWS_SECRET_ACCESS_KEY": "t",
        "AWS_EC2_METADATA_DISABLED": "1",
    }
    with (folder / "plugin.log").open("wb") as log:
        process = subprocess.Popen([*command, "sqs://drift"], stdout=output, stderr=log, env=environment)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(30)


def test_to_notify(library: Path, moto_url: str, web: Web, mail: MailServer, pager: Pager, tmp_path: Path) -> None:
    smtp = f"mailto://127.0.0.1:{mail.port}?from=tfdrift@example.com&to=platform@example.com&mode=insecure"
    urls = tmp_path / "urls"
    urls.write_text("\n".join((f"json://127.0.0.1:{web.port}/webhook", f"critical {smtp}", SLACK, PAGERDUTY)))
    urls.chmod(0o600)
    command = [TFDRIFT, "notify", "--urls", str(urls), "--spool", str(tmp_path / "spool.db"), "--window", "1"]
    environment = {**os.environ, "HTTPS_PROXY": pager.url, "REQUESTS_CA_BUNDLE": str(pager.ca)}
    log = tmp_path / "notify.log"
    with log.open("wb") as errors:
        notify = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=errors, env=environment)
        assert notify.stdin is not None
        with plugin(library, moto_url, tmp_path, notify.stdin):
            wait_for(
                lambda: mail.messages and web.posts and pager.events and pager.messages,
                "a delivery to all four",
                tmp_path / "plugin.log",
            )
        notify.stdin.close()
        assert notify.wait(30) == 0, log.read_text()
    assert [len(got) for got in (mail.messages, web.posts, pager.events, pager.messages)] == [1, 1, 1, 1]
    title = f"Critical: {RULE}: aws_security_group.web"
    assert mail.messages[0]["Subject"] == title
    assert web.posts[0][1]["title"] == title
    assert "dev-taro" in web.posts[0][1]["message"]
    assert pager.events[0]["event_action"] == "trigger"
    assert "aws_security_group.web" in json.dumps(pager.events[0])
    assert pager.messages[0]["channel"] == "#drift"
    assert "dev-taro" in json.dumps(pager.messages[0])


@needs_falcosidekick
def test_to_falcosidekick(
    library: Path, moto_url: str, sidekick: Sidekick, web: Web, mail: MailServer, pager: Pager, tmp_path: Path
) -> None:
    """What Falco's http_output does with every line is done here by a thread."""
    with plugin(library, moto_url, tmp_path, subprocess.PIPE) as running:
        stdout = running.stdout
        assert stdout is not None

        def post() -> None:
            for line in stdout:
                sidekick.request("POST", "/", line.decode())

        threading.Thread(target=post, daemon=True).start()
        wait_for(
            lambda: all(outputs(web, name) for name in ("slack", "webhook", "loki")) and mail.messages and pager.events,
            "a delivery to all five",
            sidekick.log,
        )
    assert [len(outputs(web, name)) for name in ("slack", "webhook", "loki")] == [1, 1, 1]
    assert (len(mail.messages), len(pager.events)) == (1, 1)
    text = outputs(web, "slack")[0]["text"]
    assert text.startswith(f"*Critical: {RULE}*\n*aws_security_group.web* in 111122223333 eu-central-1\n`ingress`: + ")
    assert "by *dev-taro* from 198.51.100.24 with AuthorizeSecurityGroupIngress" in text
    assert "aws ec2 revoke-security-group-ingress --group-id sg-0d4f7a92b1c8e3605" in text
