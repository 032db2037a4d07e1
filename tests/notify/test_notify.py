"""From a line of Falco's output to Slack, PagerDuty, mail and a webhook: once, and again after a failure."""

import json
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import apprise.plugins.pagerduty
import apprise.plugins.slack
import pytest

from tests.notify.alerts import line
from tests.notify.conftest import MailServer, Web
from tfdrift_core.notify.message import MAX_ALERTS, compose
from tfdrift_core.notify.notifier import Notifier
from tfdrift_core.notify.spool import KEEP_SEEN, Spool, SpoolError
from tfdrift_core.notify.targets import Target, TargetError, load
from tfdrift_core.output.alert import Alert, AlertError, parse, priority_of
from tfdrift_core.output.markdown import MAX_VALUE

TFDRIFT = str(Path(sys.executable).with_name("tfdrift"))
SLACK = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#drift"
PAGERDUTY = "pagerduty://integrationkey0123456789abcdef@apikey0123456789/falco/tfdrift"


@pytest.fixture
def services(web: Web, monkeypatch: pytest.MonkeyPatch) -> Web:
    """Slack's and PagerDuty's addresses point to the stand-in."""
    monkeypatch.setattr(apprise.plugins.slack.NotifySlack, "webhook_url", f"{web.url}/slack")
    regions = dict.fromkeys(apprise.plugins.pagerduty.PAGERDUTY_API_LOOKUP, f"{web.url}/pagerduty")
    monkeypatch.setattr(apprise.plugins.pagerduty, "PAGERDUTY_API_LOOKUP", regions)
    return web


def targets(*urls: str, priority: str = "debug") -> list[Target]:
    return load({"TFDRIFT_NOTIFY_URLS": "\n".join(urls)}, None, priority_of(priority))


def notifier(tmp_path: Path, *urls: str, window: float = 5.0) -> Notifier:
    return Notifier(targets(*urls), Spool(tmp_path / "spool.db"), window)


def waiting(tmp_path: Path) -> int:
    with closing(sqlite3.connect(tmp_path / "spool.db")) as database:
        return int(database.execute("SELECT count(*) FROM waiting").fetchone()[0])


def test_all_four_get_it_once(services: Web, mail: MailServer, tmp_path: Path) -> None:
    webhook = f"json://127.0.0.1:{services.port}/webhook"
    smtp = f"mailto://127.0.0.1:{mail.port}?from=tfdrift@example.com&to=platform@example.com&mode=insecure"
    sender = notifier(tmp_path, SLACK, PAGERDUTY, smtp, webhook)
    for _ in range(3):
        sender.accept(parse(line()), 100.0)
    sender.flush(105.0)
    sender.flush(200.0)
    assert (sender.sent, sender.failed, sender.duplicates) == (4, 0, 2)
    by_path = {path.split("/")[1]: body for path, body in services.posts}
    assert len(services.posts) == 3
    assert "Security group opened to the world" in str(by_path["slack"])
    assert by_path["slack"]["channel"] == "#drift"
    assert by_path["pagerduty"]["event_action"] == "trigger"
    assert by_path["pagerduty"]["routing_key"] == "integrationkey0123456789abcdef"
    assert "aws_security_group.web" in str(by_path["pagerduty"])
    assert by_path["webhook"]["type"] == "failure"
    assert by_path["webhook"]["title"] == "Critical: Security group opened to the world: aws_security_group.web"
    (message,) = mail.messages
    assert message["Subject"] == "Critical: Security group opened to the world: aws_security_group.web"
    text = message.get_body(("plain", "html"))
    assert text is not None
    assert "dev-taro" in text.get_content()
    assert "terraform apply -target=aws_security_group.web" in text.get_content()


def test_a_burst_is_one_message(services: Web, tmp_path: Path) -> None:
    sender = notifier(tmp_path, f"json://127.0.0.1:{services.port}/webhook")
    for second in range(4):
        priority = "Critical" if second == 3 else "Warning"
        sender.accept(parse(line(priority, **{"drift.id": f"d{second}"})), 100.0 + second)
    sender.flush(104.0)
    assert services.posts == []
    sender.flush(105.0)
    ((_, body),) = services.posts
    assert body["title"] == "4 changes outside Terraform (1 Critical, 3 Warning)"
    assert body["message"].index("Critical") < body["message"].index("Warning")


def test_what_could_not_be_sent_is_sent_later_by_the_next_process(services: Web, tmp_path: Path) -> None:
    url = f"json://127.0.0.1:{services.port}/webhook"
    first = notifier(tmp_path, url)
    services.status = 503
    first.accept(parse(line()), 100.0)
    first.flush(105.0)
    assert (first.sent, first.failed, waiting(tmp_path)) == (0, 1, 1)
    assert first.next_due() == 115.0
    first.spool.close()
    services.status = 200
    second = notifier(tmp_path, url)
    second.accept(parse(line()), 110.0)
    second.flush(114.0)
    assert services.posts == []
    second.flush(115.0)
    assert (second.sent, second.duplicates, waiting(tmp_path)) == (1, 1, 0)
    assert len(services.posts) == 1


def test_one_target_that_fails_holds_nobody_up(services: Web, mail: MailServer, tmp_path: Path) -> None:
    services.status = 500
    smtp = f"mailto://127.0.0.1:{mail.port}?from=tfdrift@example.com&to=platform@example.com&mode=insecure"
    sender = notifier(tmp_path, f"json://127.0.0.1:{services.port}/webhook", smtp)
    sender.accept(parse(line()), 100.0)
    sender.flush(105.0)
    assert len(mail.messages) == 1
    sender.flush(500.0)
    assert len(mail.messages) == 1


def test_waits_longer_after_each_failure(services: Web, tmp_path: Path) -> None:
    services.status = 500
    sender = notifier(tmp_path, f"json://127.0.0.1:{services.port}/webhook", window=0.0)
    sender.accept(parse(line()), 0.0)
    now, waits = 0.0, []
    for _ in range(12):
        sender.flush(now)
        due = sender.next_due()
        assert due is not None
        waits.append(due - now)
        now = due
    assert waits == [10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0, 1280.0, 2560.0, 3600.0, 3600.0, 3600.0]


def test_two_processes_never_send_the_same_alert(services: Web, tmp_path: Path) -> None:
    url = f"json://127.0.0.1:{services.port}/webhook"
    one, two = notifier(tmp_path, url, window=0.0), notifier(tmp_path, url, window=0.0)
    one.accept(parse(line()), 100.0)
    (target,) = one.targets
    assert len(one.spool.claim(target.key, 100.0, 100.0, 10)) == 1
    two.flush(101.0)
    assert services.posts == []
    two.flush(401.0)
    assert len(services.posts) == 1


def test_ids_are_forgotten_in_the_end(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.db")
    alert = parse(line())
    assert spool.add(alert, ["k"], 0.0, 0.0)
    assert not spool.add(alert, ["k"], KEEP_SEEN, 0.0)
    assert spool.add(alert, ["k"], KEEP_SEEN + 1, 0.0)


def test_a_target_may_want_only_the_worst(services: Web, tmp_path: Path) -> None:
    file = tmp_path / "urls"
    file.write_text(
        f"# pages\ncritical json://127.0.0.1:{services.port}/pager\n\njson://127.0.0.1:{services.port}/chat\n"
    )
    file.chmod(0o600)
    sender = Notifier(load({}, file, "Warning"), Spool(tmp_path / "spool.db"), 0.0)
    for priority in ("Critical", "Error", "Notice"):
        sender.accept(parse(line(priority, **{"drift.id": priority})), 1.0)
    sender.flush(1.0)
    assert [path for path, _ in services.posts] == ["/pager", "/chat"]
    assert "2 changes" in services.posts[1][1]["title"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("nonsense", "urls:1: it is not a URL that Apprise knows or is incomplete; see its list"),
        ("foo://secret-token", "urls:1: foo is not a URL that Apprise knows or is incomplete; see its list"),
        ("slack://secret-token", "urls:1: slack is not a URL that Apprise knows or is incomplete; see its list"),
        ("worst json://h/", "urls:1: 'worst' is not a priority; use one of emergency, alert"),
        ("# nothing", "nowhere to send to: put Apprise URLs into $TFDRIFT_NOTIFY_URLS"),
    ],
)
def test_bad_targets(content: str, message: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "urls"
    file.write_text(content)
    with pytest.raises(TargetError) as error:
        load({}, file, "Debug")
    assert message in str(error.value)
    assert "secret-token" not in str(error.value) + caplog.text


HOST = "json://h/"


def routed(tmp_path: Path, *targets: object) -> Path:
    file = tmp_path / "targets.yaml"
    file.write_text(json.dumps({"targets": targets}))
    file.chmod(0o600)
    return file


ROUTES: list[tuple[dict[str, object], list[str]]] = [
    ({"priority": "error"}, ["1"]),
    ({"accounts": ["222233334444", "1111*"]}, ["1", "2"]),
    ({"accounts": ["111122223333"], "priority": "critical"}, ["1"]),
    ({"modules": ["module.shop"]}, ["1", "2"]),
    ({"modules": ["module.shop.module.cart"]}, ["2"]),
    ({"modules": ['module.shop["*"]']}, ["1"]),
    ({"modules": ["module.*.module.cart"]}, ["2"]),
    ({"tags": {"Team": ["a", "b"]}}, ["1"]),
    ({"tags": {"Team": ["a"], "Stage": ["prod"]}}, []),
    ({"rule_tags": ["pci_*"]}, ["1", "2", "3"]),
    ({"rule_tags": ["none"]}, []),
]


@pytest.mark.parametrize(("route", "expected"), ROUTES)
def test_routes_are_data(route: dict[str, object], expected: list[str], services: Web, tmp_path: Path) -> None:
    target = {"url": f"json://127.0.0.1:{services.port}/${{NAME}}", "routes": [{"accounts": ["none"]}, route]}
    [loaded] = load({"NAME": "team"}, routed(tmp_path, target), "Debug")
    given = [
        ("Critical", {"drift.id": "1", "drift.resource": 'module.shop["x"].aws_instance.a', "tf.tags[Team]": "a"}),
        ("Notice", {"drift.id": "2", "drift.resource": "module.shop.module.cart.aws_instance.a"}),
        ("Notice", {"drift.id": "3", "drift.resource": "module.shop2.aws_instance.a", "cloud.account": "333344445555"}),
    ]
    alerts = [parse(line(priority, **fields)) for priority, fields in given]
    assert [one.id for one in alerts if loaded.wants(replace(one, tags=("pci_dss",)))] == expected


def test_a_target_without_routes_gets_what_the_command_asks_for(tmp_path: Path) -> None:
    [bare, named] = load({}, routed(tmp_path, "json://127.0.0.1/", {"url": "json://h/", "name": "ops"}), "Error")
    assert (bare.wants(parse(line("Error"))), bare.wants(parse(line("Warning")))) == (True, False)
    assert named.name.startswith("ops (")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ({"ulr": "slack://secret-token"}, "targets[0].ulr: unknown key; did you mean 'url'?"),
        ({"url": ["slack://secret-token"]}, "targets[0].url: this value is not allowed here; write text"),
        (["slack://secret-token"], "targets[0]: this value is not allowed here; write a map or text"),
        ("slack://secret-token", "targets[0]: slack is not a URL that Apprise knows"),
        ("slack://${TFDRIFT_NO_SUCH}", "targets[0].url: TFDRIFT_NO_SUCH is not set in the environment"),
        (
            {"url": "json://h/", "routes": [{"account": ["1"]}]},
            "routes[0].account: unknown key; did you mean 'accounts'?",
        ),
        (
            {"url": "json://h/", "routes": [{"priority": "worst"}]},
            'routes[0].priority: "worst" is not known; use one of',
        ),
        ({"url": HOST, "routes": [{}]}, "routes[0]: is empty; name at least 1"),
        ({"url": HOST, "routes": [{"accounts": [1]}]}, "accounts[0]: 1 is not allowed here; write text"),
    ],
)
def test_bad_routes(target: object, message: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(TargetError) as error:
        load({}, routed(tmp_path, target), "Debug")
    assert message in str(error.value)
    assert "secret-token" not in str(error.value) + caplog.text


def test_a_sample_to_each_target(services: Web, tmp_path: Path) -> None:
    url = f"json://127.0.0.1:{services.port}"
    file = routed(tmp_path, f"{url}/chat", {"url": f"{url}/pager", "routes": [{"priority": "critical"}]})
    spool = tmp_path / "spool.db"
    command = [TFDRIFT, "notify", "--test", "--urls", str(file), "--spool", str(spool)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout.count("sent to JSON")) == (0, 2), done.stdout + done.stderr
    assert [path for path, _ in services.posts] == ["/chat", "/pager"]
    assert services.posts[0][1]["title"] == "Notice: Test of tfdrift notify: aws_instance.sample"
    assert not spool.exists()
    services.status = 500
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout.count("FAILED:  JSON")) == (1, 2)


def test_a_missing_file_and_a_bad_spool(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match=r"cannot read .*none"):
        load({}, tmp_path / "none", "Debug")
    (tmp_path / "spool.db").write_text("this is no database, and long enough to be looked at as one" * 10)
    with pytest.raises(SpoolError, match=r"cannot use the spool .*spool\.db: file is not a database"):
        Spool(tmp_path / "spool.db")


def test_a_spool_is_nobody_elses_and_no_link(tmp_path: Path) -> None:
    (tmp_path / "spool.db").touch(mode=0o644)
    Spool(tmp_path / "spool.db").close()
    assert (tmp_path / "spool.db").stat().st_mode & 0o777 == 0o600
    (tmp_path / "link.db").symlink_to(tmp_path / "victim")
    with pytest.raises(SpoolError, match="name a writable file with --spool"):
        Spool(tmp_path / "link.db")
    assert not (tmp_path / "victim").exists()


def test_a_record_s_time_before_the_first_year_leaves_the_alert_s() -> None:
    assert "at 2026-03-17 10:06:02 UTC" in compose([alert(**{"ct.time": "0001-01-01T00:00:00+10:00"})]).body


def test_an_open_file_of_secrets_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "urls"
    file.write_text("json://127.0.0.1/")
    file.chmod(0o644)
    load({}, file, "Debug")
    assert "holds secrets and others may read it" in caplog.text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("10:06:02 Critical text output", "not JSON: .*set json_output: true"),
        ("[]", "not an object"),
        ('{"rule": 1}', "it has no rule"),
        ('{"rule": "x", "priority": "Bad"}', "'Bad' is not a priority"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_lines_that_are_no_alerts(text: str, message: str) -> None:
    with pytest.raises(AlertError, match=message):
        parse(text)


def alert(**fields: Any) -> Alert:
    return parse(line(**fields))


def test_the_message() -> None:
    message = compose([alert()])
    assert message.body.split("\n\n") == [
        "**Critical: Security group opened to the world**",
        "Resource: `aws_security_group.web` (111122223333, eu-central-1)",
        'Change: `ingress`: + `{"cidr_blocks":["0.0.0.0/0"],"from_port":22}`',
        "Who: `dev-taro` (IAMUser) from 198.51.100.24 with AuthorizeSecurityGroupIngress at 2026-03-17 10:06:02 UTC",
        "`Undo: terraform apply -target=aws_security_group.web. Keep: set ingress in network/main.tf:43.`",
        "CloudTrail: https://console.aws.amazon.com/cloudtrailv2/home?region=eu-central-1#/events/8e2d1c7b",
    ]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"drift.kind": "deleted"}, "Change: deleted"),
        ({"drift.kind": "unmanaged"}, "Change: created outside Terraform (aws_security_group)"),
        (
            {"drift.added": None, "drift.path": "instance_type", "drift.old_value": "a", "drift.new_value": "b"},
            "Change: `instance_type`: `a` → `b`",
        ),
        ({"drift.added": None, "drift.new_value": "b"}, "Change: `ingress`: `(none)` → `b`"),
        ({"drift.path": None}, "Change: unknown; see the call"),
        ({"drift.kind": "attempted", "drift.added": None, "drift.new_value": "b"}, "Tried: `ingress`: `(none)` → `b`"),
        ({"drift.kind": "attempted", "drift.path": None, "drift.reason": "X was denied"}, "Tried: X was denied"),
    ],
)
def test_kinds_of_change(fields: dict[str, object], expected: str) -> None:
    assert expected in compose([alert(**fields)]).body.split("\n\n")


def test_hostile_values_stay_text() -> None:
    body = compose([alert(**{"drift.user": "<!channel> `x` \x1b[2J\n**b**", "drift.srcip": "<@U1>"})]).body
    assert "<" not in body
    assert "\x1b" not in body
    assert body.count("\n\n") == 5


LINKS = (
    "[Sign in](https://evil.example/aws)",
    "<https://evil.example/aws|Sign in>",
    "![x](https://evil.example/x.png)",
)
MENTIONS = ("@here", "@everyone", "<!channel>", "!channel&gt;", "@U1|a&gt;", "<@U1>")


@pytest.mark.parametrize("planted", [*LINKS, *MENTIONS, "`**bold**`", "<b>bold</b>", "\u202eturned"])
def test_nobody_plants_links_mentions_or_mark_up(services: Web, mail: MailServer, tmp_path: Path, planted: str) -> None:
    """A tag's key is chosen by the caller, and reaches every part of a message."""
    smtp = f"mailto://127.0.0.1:{mail.port}?from=tfdrift@example.com&to=platform@example.com&mode=insecure"
    sender = notifier(tmp_path, SLACK, smtp)
    names = ("drift.path", "drift.new_value", "drift.user", "drift.srcip", "ct.name", "cloud.region", "drift.resource")
    hint = f'Undo: x. Keep: set tags["{planted}"] in main.tf:3.'
    sender.accept(parse(line(**dict.fromkeys(names, f"a {planted}"), **{"drift.hint": hint, "drift.added": None})), 0.0)
    sender.flush(10.0)
    assert sender.failed == 0
    ((_, slack),) = services.posts
    texts = [found for found in _texts(slack) if "evil" in found or "a " in found]
    assert texts
    for text in texts:
        assert not re.search(r"<[!@h]|(?<!\w)@\w|\]\(|\u202e", text), text
    (message,) = mail.messages
    html = message.get_body(("html",))
    assert html is not None
    tags = re.findall(r"<(\w+)", html.get_content())
    assert set(tags) <= {"html", "head", "body", "meta", "style", "p", "code", "strong", "br", "h1"}, set(tags)
    assert "\u202e" not in html.get_content()


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for item in items for text in _texts(item)]


def test_long_values_and_bursts_are_cut() -> None:
    one = alert(**{"drift.added": ["x" * 5000]})
    assert len(compose([one]).body) < MAX_VALUE + 1000
    many = [alert(**{"drift.id": str(i)}) for i in range(MAX_ALERTS + 5)]
    assert compose(many).body.endswith("… and 5 more.")


def test_the_command(web: Web, tmp_path: Path) -> None:
    """As Falco runs it: alerts on stdin, then the pipe closes."""
    environment = {**os.environ, "TFDRIFT_NOTIFY_URLS": f"json://127.0.0.1:{web.port}/webhook"}
    command = [TFDRIFT, "notify", "--spool", str(tmp_path / "deep" / "spool.db")]
    lines = "\n".join((line(), line(**{"drift.id": "d2"}), line(), "no alert"))
    done = subprocess.run(command, input=lines, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "ignored a line: not JSON" in done.stderr
    ((_, body),) = web.posts
    assert body["title"] == "2 changes outside Terraform (2 Critical)"


def test_the_command_without_targets(tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "TFDRIFT_NOTIFY_URLS"}
    command = [TFDRIFT, "notify", "--spool", str(tmp_path / "spool.db")]
    done = subprocess.run(command, input="", env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "nowhere to send to" in done.stderr


def test_state_and_workspace_tell_two_resources_of_one_address_apart() -> None:
    prod = parse(line(**{"tf.state": "s3://states/env:/prod/app", "tf.workspace": "prod"}))
    plain = parse(line(**{"tf.state": "s3://states/app", "tf.workspace": "default"}))
    assert compose([prod]).title.endswith(": aws_security_group.web (workspace prod)")
    assert "State: `s3://states/env:/prod/app` (workspace prod)" in compose([prod, plain]).body
    assert "State: `s3://states/app`\n" in compose([prod, plain]).body
    assert compose([plain]).title.endswith(": aws_security_group.web")


def test_a_policy_is_shown_by_what_changed_in_it() -> None:
    change = "Statement[1].Principal.AWS: role/shop-app → *"
    policy = {"drift.path": "policy", "drift.added": None, "drift.old_value": "{" * 900, "drift.change": change}
    assert f"Change: `policy`: `{change}`" in compose([parse(line(**policy))]).body


END = {
    "drift.id": "e1",
    "drift.kind": "resolved",
    "drift.opened_id": "d1",
    "drift.opened_by": "dev-taro",
    "drift.duration": 7_500_000_000_000,
    "drift.resolution": "reverted",
    "drift.user": "ops-hanako",
}


def ordered(services: Web, name: str) -> list[Any]:
    return [body for path, body in services.posts if name in path]


def test_an_end_resolves_the_incident_and_answers_where_the_drift_was_told(services: Web, tmp_path: Path) -> None:
    """Both take Critical only, and an end is a Notice."""
    file = tmp_path / "urls"
    file.write_text(f"critical {SLACK}\ncritical {PAGERDUTY}\n")
    file.chmod(0o600)
    sender = Notifier(load({}, file, "Debug"), Spool(tmp_path / "spool.db"), 0.0)
    reminder = {"drift.id": "r1", "drift.kind": "open", "drift.opened_id": "d1", "drift.duration": 86_400_000_000_000}
    alerts = (line(), line(**reminder), line("Notice", **END), line("Notice", **{**END, "drift.id": "e2"}))
    for now, text in enumerate(alerts):
        sender.accept(parse(text), float(now))
        sender.flush(float(now))
    events = ordered(services, "pagerduty")
    assert [(event["event_action"], event["dedup_key"]) for event in events] == [
        ("trigger", "d1"),
        ("trigger", "d1"),
        ("resolve", "d1"),
    ]
    texts = [str(message) for message in ordered(services, "slack")]
    assert len(texts) == 3
    assert "Still open, Critical: Security group opened to the world" in texts[1]
    assert "Open for: 1 d" in texts[1]
    assert "Ended: put back by another call after 2 h 5 min" in texts[2]
    assert "ops-hanako" in texts[2]
    assert "terraform apply" not in texts[2]


def test_who_was_not_told_of_a_drift_is_not_told_of_its_end(services: Web, tmp_path: Path) -> None:
    file = tmp_path / "urls"
    file.write_text(f"critical {PAGERDUTY}\n")
    sender = Notifier(load({}, file, "Debug"), Spool(tmp_path / "spool.db"), 0.0)
    sender.accept(parse(line("Error")), 1.0)
    sender.accept(parse(line("Notice", **END)), 2.0)
    sender.flush(2.0)
    assert services.posts == []


def test_an_end_never_overtakes_its_drift(services: Web, tmp_path: Path) -> None:
    """The process that was to send the drift died on the way: nobody may send it before its claim has run out."""
    sender = notifier(tmp_path, PAGERDUTY, window=0.0)
    sender.accept(parse(line()), 100.0)
    assert sender.spool.claim(sender.targets[0].key, 100.0, 100.0, 10)
    sender.accept(parse(line("Notice", **END)), 101.0)
    sender.flush(102.0)
    assert services.posts == []
    sender.flush(400.0)
    assert [event["event_action"] for event in ordered(services, "pagerduty")] == ["trigger", "resolve"]


def test_each_drift_of_a_burst_is_an_incident_of_its_own(services: Web, tmp_path: Path) -> None:
    sender = notifier(tmp_path, PAGERDUTY)
    for id in ("d1", "d2"):
        sender.accept(parse(line(**{"drift.id": id})), 1.0)
    sender.flush(6.0)
    assert [event["dedup_key"] for event in ordered(services, "pagerduty")] == ["d1", "d2"]
    assert sender.sent == 2


def test_a_burst_counts_ends_and_reminders_apart() -> None:
    texts = (line(), line(**{"drift.id": "r1", "drift.kind": "open"}), line("Notice", **END))
    message = compose([parse(text) for text in reversed(texts)])
    assert message.title == "1 change outside Terraform (1 Critical), 1 still open, 1 ended"
    assert message.level == "failure"
    assert compose([parse(texts[2])]).level == "success"
