"""Every rule fires for what it is about, and only then; no drift is silent."""

import re
import runpy
from collections import Counter

import pytest
import yaml
from tfdrift_plugin.host.rules import Rule, load

from tests.events import drift_event
from tests.rules.sample_events import ROOT, RULES, Sample, SampleEvent, catalogue, samples
from tfdrift_core import __version__
from tfdrift_core.output.alert import LAST_RULES
from tfdrift_core.output.fields import BY_NAME, values

SAMPLES = samples()
COMMON_OUTPUT = (
    "(resource=%drift.resource type=%tf.type kind=%drift.kind path=%drift.path attribute=%drift.attribute "
    "from=%drift.old_value to=%drift.new_value added=%drift.added removed=%drift.removed change=%drift.change "
    "user=%drift.user user_arn=%drift.user.arn user_type=%drift.user.type role=%drift.user.role srcip=%drift.srcip "
    "console=%drift.console mfa=%drift.mfa agent=%drift.useragent call=%ct.name service=%cloud.service "
    "account=%cloud.account region=%cloud.region resource_id=%cloud.resource.id state=%tf.state "
    "workspace=%tf.workspace file=%tf.file line=%tf.line confidence=%drift.confidence reason=%drift.reason "
    "time=%ct.time record=%ct.id id=%drift.id link=%drift.link hint=%drift.hint"
)

FIRST_TOLD = " opened_id=%drift.opened_id duration=%drift.duration)"
ENDED_OUTPUT = (
    " opened=%drift.opened duration=%drift.duration opened_by=%drift.opened_by opened_id=%drift.opened_id "
    "resolution=%drift.resolution)"
)


def rules_with(*overrides: str) -> tuple[Rule, ...]:
    documents = [(RULES.name, RULES.read_text()), *((f"override{i}.yaml", text) for i, text in enumerate(overrides))]
    loaded = load(documents, catalogue(), "tfdrift", {"tfdrift": __version__})
    assert loaded.warnings == ()
    return loaded.rules


@pytest.fixture(scope="module")
def rules() -> tuple[Rule, ...]:
    return rules_with()


def first(rules: tuple[Rule, ...], sample: Sample) -> Rule | None:
    return next((rule for rule in rules if rule.enabled and rule.matches(SampleEvent(sample.values))), None)


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_the_right_rule_is_the_first_to_match(rules: tuple[Rule, ...], sample: Sample) -> None:
    found = first(rules, sample)
    assert (found is not None and found.name == sample.rule) == sample.matches, found and found.name


def test_every_rule_has_samples_of_both_kinds(rules: tuple[Rule, ...]) -> None:
    names = [rule.name for rule in rules]
    assert len(names) == len(set(names))
    for kind in (True, False):
        assert {sample.rule for sample in SAMPLES if sample.matches is kind} == set(names)


@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_no_drift_is_silent(rules: tuple[Rule, ...], sample: Sample) -> None:
    assert first(rules, sample) is not None


def test_outputs_carry_what_a_responder_needs(rules: tuple[Rule, ...]) -> None:
    for rule in rules:
        wanted = COMMON_OUTPUT + (ENDED_OUTPUT if rule.name == "Drift has ended" else FIRST_TOLD)
        assert " ".join(rule.output.split()) == f"{rule.name} {wanted}"


def test_outputs_name_only_fields_that_every_falco_takes() -> None:
    """Falco 0.44 (libs 0.24) and newer refuse a field without a dot, and with it the whole file."""
    for name in re.findall(r"%([\w.]+)", COMMON_OUTPUT + FIRST_TOLD + ENDED_OUTPUT):
        assert re.fullmatch(r"[a-z]+(\.[a-z_]+)+", name)
        assert name in BY_NAME


def test_tags_name_technique_and_control(rules: tuple[Rule, ...]) -> None:
    for rule in rules:
        assert {"tfdrift", "aws"} <= set(rule.tags)
        assert any(re.fullmatch(r"NIST_800-53_[A-Z]{2}-\d+", tag) for tag in rule.tags), rule.name
        if rule.name not in ("Expected change", "Drift has ended"):
            assert any(re.fullmatch(r"T\d{4}(\.\d{3})?", tag) for tag in rule.tags), rule.name


def test_levels(rules: tuple[Rule, ...]) -> None:
    levels = Counter(rule.priority.name for rule in rules)
    assert set(levels) == {"Critical", "Error", "Warning", "Notice", "Informational"}
    by_name = {rule.name: rule.priority.name for rule in rules}
    assert by_name["Managed resource deleted"] == "Error"
    assert by_name["Managed resource changed"] == "Warning"
    assert by_name["Resource created outside Terraform"] == "Notice"
    assert [rule.name for rule in rules][-5:] == [
        "Managed resource changed",
        "Drift is still open",
        "Drift has ended",
        "Change was denied",
        "Expected change",
    ]


def test_a_reminder_is_told_under_the_rule_that_told_of_the_drift(rules: tuple[Rule, ...]) -> None:
    opened = {
        "drift.kind": "open",
        "tf.type": "aws_security_group",
        "tf.address": "aws_security_group.web",
        "drift.attribute": "ingress",
        "drift.path": "ingress",
        "drift.new_value": '[{"cidr_blocks":["0.0.0.0/0"],"from_port":22,"protocol":"tcp","to_port":22}]',
        "drift.added": ['{"cidr_blocks":["0.0.0.0/0"],"from_port":22,"protocol":"tcp","to_port":22}'],
        "ct.name": "AuthorizeSecurityGroupIngress",
        "cloud.service": "ec2",
        "ct.request": '{"groupId":"sg-1","ipProtocol":"tcp","fromPort":22,"toPort":22,"cidrIp":"0.0.0.0/0"}',
    }
    found = next(rule for rule in rules if rule.matches(SampleEvent(opened)))
    assert (found.name, found.priority.name) == ("Security group opened to the world", "Critical")
    apart = rules_with(
        '- macro: tfdrift_reminder\n  condition: (drift.kind = "never")\n  override: {condition: replace}\n'
    )
    assert next((rule for rule in apart if rule.matches(SampleEvent(opened))), None) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("tfdrift_trusted_users", "hanako.suzuki@example.com"),
        ("tfdrift_trusted_roles", "AWSReservedSSO_AdministratorAccess_9f3c1b7d2e8a4065"),
        ("tfdrift_ignored_accounts", '"111122223333"'),
        ("tfdrift_ignored_resources", "aws_instance.this"),
        ("tfdrift_ignored_modules", "module.web"),
        ("tfdrift_ignored_types", "aws_instance"),
        ("tfdrift_ignored_paths", "instance_type"),
    ],
)
def test_lists_of_exceptions_silence(name: str, value: str) -> None:
    rules = rules_with(f"- list: {name}\n  items: [{value}]\n  override: {{items: append}}\n")
    sample = next(s for s in SAMPLES if s.matches and s.rule == "EC2 instance type changed")
    assert first(rules, Sample(sample.rule, True, sample.values | {"tf.module": "module.web"})) is None


CHOSEN = {
    "type": "AssumedRole",
    "accountId": "111122223333",
    "arn": "arn:aws:sts::111122223333:assumed-role/Developer/break-glass",
    "sessionContext": {"sessionIssuer": {"type": "Role", "arn": "arn:aws:iam::111122223333:role/Developer"}},
}
FOREIGN = {
    **CHOSEN,
    "accountId": "999988887777",
    "arn": "arn:aws:sts::999988887777:assumed-role/break-glass/x",
    "sessionContext": {"sessionIssuer": {"type": "Role", "arn": "arn:aws:iam::999988887777:role/break-glass"}},
}
FEDERATED = {
    "type": "FederatedUser",
    "accountId": "111122223333",
    "arn": "arn:aws:sts::111122223333:federated-user/break-glass",
    "sessionContext": {"sessionIssuer": {"type": "IAMUser", "userName": "mallory"}},
}
USER = {"type": "IAMUser", "accountId": "111122223333", "arn": "arn:aws:iam::111122223333:user/x", "userName": "x"}
WRITTEN = {
    "user": {**USER, "arn": "arn:aws:iam::111122223333:user/break-glass", "userName": "break-glass"},
    "role": {
        **CHOSEN,
        "arn": "arn:aws:sts::111122223333:assumed-role/break-glass/x",
        "sessionContext": {"sessionIssuer": {"type": "Role", "arn": "arn:aws:iam::111122223333:role/break-glass"}},
    },
}


def _sample_of(rule: str, identity: dict[str, object]) -> Sample:
    """A sample of a rule, made by another caller."""
    sample = next(s for s in SAMPLES if s.matches and s.rule == rule)
    event = drift_event({"userIdentity": identity, "recipientAccountId": "111122223333"})
    who = {name: value for name, value in values(event).items() if name.startswith("drift.user")}
    return Sample(rule, True, {n: v for n, v in sample.values.items() if not n.startswith("drift.user")} | who)


@pytest.mark.parametrize("list", ["tfdrift_trusted_users", "tfdrift_trusted_roles"])
@pytest.mark.parametrize("identity", [CHOSEN, FOREIGN, FEDERATED], ids=["session", "foreign", "federated"])
@pytest.mark.parametrize("rule", ["Bucket made public by its policy", "EC2 instance type changed"])
def test_a_name_that_its_caller_chose_silences_nothing(rule: str, identity: dict[str, object], list: str) -> None:
    rules = rules_with(f"- list: {list}\n  items: [break-glass]\n  override: {{items: append}}\n")
    found = first(rules, _sample_of(rule, identity))
    assert found is not None
    assert found.name == rule


@pytest.mark.parametrize(("list", "who"), [("tfdrift_trusted_users", "user"), ("tfdrift_trusted_roles", "role")])
def test_a_name_that_aws_wrote_silences(list: str, who: str) -> None:
    rules = rules_with(f"- list: {list}\n  items: [break-glass]\n  override: {{items: append}}\n")
    assert first(rules, _sample_of("Bucket made public by its policy", WRITTEN[who])) is None


def test_a_role_of_another_account_is_trusted_by_its_arn() -> None:
    arn = "arn:aws:iam::999988887777:role/break-glass"
    rules = rules_with(f"- list: tfdrift_trusted_roles\n  items: ['{arn}']\n  override: {{items: append}}\n")
    assert first(rules, _sample_of("Bucket made public by its policy", FOREIGN)) is None


def test_unmanaged_resources_have_their_own_level() -> None:
    rules = rules_with(
        "- rule: Resource created outside Terraform\n  priority: ERROR\n  override: {priority: replace}\n"
        "- list: tfdrift_ignored_unmanaged_types\n  items: [aws_sqs_queue]\n  override: {items: replace}\n"
    )
    mine = [s for s in SAMPLES if s.matches and s.rule == "Resource created outside Terraform"]
    found = [first(rules, sample) for sample in mine]
    assert [rule and rule.priority.name for rule in found] == [None, "Error"]


def test_a_macro_silences_what_lists_cannot_tell() -> None:
    rules = rules_with(
        "- macro: tfdrift_exception\n"
        "  condition: or (drift.user.role startswith AWSReservedSSO_ and tf.type = aws_instance)\n"
        "  override: {condition: append}\n"
    )
    by_rule = {s.rule: s for s in SAMPLES if s.matches}
    assert first(rules, by_rule["EC2 instance type changed"]) is None
    assert first(rules, by_rule["Database made public"]) is not None


def test_the_overview_rule_fires() -> None:
    text = (ROOT / "rules" / "examples" / "overview_rule.yaml").read_text()
    (rule,) = load([("overview_rule.yaml", text)], catalogue(), "tfdrift", {}).rules
    sample = next(s for s in SAMPLES if s.matches and s.rule == "EC2 instance type changed")
    event = SampleEvent(sample.values | {"evt.name": sample.values["ct.name"], "user": "taro", "resource": "i-1"})
    assert rule.matches(event)
    assert rule.format.text(event).decode() == (
        "EC2 Instance Type Changed (instance=i-1 from=t3.micro to=t3.small user=taro)"
    )


def test_the_file_is_plain_yaml() -> None:
    for item in yaml.safe_load(RULES.read_text()):
        assert item.get("source", "tfdrift") == "tfdrift"
        if "rule" in item:
            assert item["priority"] == item["priority"].upper()


def test_the_readme_is_generated_from_the_rules() -> None:
    readme = ROOT / "rules" / "readme.py"
    generated = runpy.run_path(str(readme))["markdown"](RULES.read_text())
    assert readme.with_name("README.md").read_text() == generated, "run: python rules/readme.py"
    for rule in yaml.safe_load(RULES.read_text()):
        assert "rule" not in rule or f"| {rule['rule']} |" in generated


def test_replays_are_reported_under_the_last_rules(rules: tuple[Rule, ...]) -> None:
    assert set(LAST_RULES.values()) <= {(rule.name, rule.priority.name) for rule in rules}
