"""Who made a call, for every form of userIdentity."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.shared import corpus
from tfdrift_core.drift.classify.globs import Globs
from tfdrift_core.drift.classify.identity import Identity, identify
from tfdrift_core.records.record import Record

ACCOUNT = "111122223333"


def who(identity: Any, **record: Any) -> Identity:
    return identify(Record({"userIdentity": identity, **record}))


def session(role: str, name: str, *, path: str = "/", account: str = ACCOUNT, **more: Any) -> dict[str, Any]:
    context = {
        "sessionIssuer": {
            "type": "Role",
            "principalId": "AROAEXAMPLE",
            "arn": f"arn:aws:iam::{account}:role{path}{role}",
            "accountId": account,
            "userName": role,
        },
        "attributes": {"creationDate": "2024-05-01T10:00:00Z", "mfaAuthenticated": "false"},
    }
    return {
        "type": "AssumedRole",
        "principalId": f"AROAEXAMPLE:{name}",
        "arn": f"arn:aws:sts::{account}:assumed-role/{role}/{name}",
        "accountId": account,
        "accessKeyId": "ASIAEXAMPLE",
        "sessionContext": context | more.pop("context", {}),
        **more,
    }


SSO_PATH = "/aws-reserved/sso.amazonaws.com/eu-west-1/"
SSO_ROLE = "AWSReservedSSO_PowerUser_0123456789abcdef"


def test_iam_user() -> None:
    found = who(
        {
            "type": "IAMUser",
            "principalId": "AIDAEXAMPLE",
            "arn": f"arn:aws:iam::{ACCOUNT}:user/ops/alice",
            "accountId": ACCOUNT,
            "accessKeyId": "AKIAEXAMPLE",
            "userName": "alice",
            "sessionContext": {"attributes": {"mfaAuthenticated": "true"}, "sessionIssuer": {}},
        }
    )
    assert (found.user, found.name, found.type, found.account) == ("alice", "alice", "IAMUser", ACCOUNT)
    assert (found.role, found.session, found.mfa, found.machine) == ("", "", True, False)


def test_iam_user_without_a_name_is_read_from_the_arn() -> None:
    found = who({"type": "IAMUser", "arn": f"arn:aws:iam::{ACCOUNT}:user/ops/alice"})
    assert (found.user, found.account) == ("alice", ACCOUNT)


def test_role_session_of_a_person() -> None:
    found = who(session("Admin", "alice@example.com"))
    assert (found.user, found.name) == ("alice@example.com", "Admin")
    assert (found.role, found.session) == ("Admin", "alice@example.com")
    assert found.role_arn == f"arn:aws:iam::{ACCOUNT}:role/Admin"
    assert found.mfa is False


@pytest.mark.parametrize(
    "name",
    [
        "i-0abc1234def567890",
        "1700000000000000000",
        "aws-go-sdk-1688990082523310002",
        "botocore-session-1700000000",
        "80ab9ef6-3b36-4dcb-8b8f-fe6b4b783856",
        "GitHubActions",
        "terraform-run-42",
        "AWSCLI-Session",
        "eks-prod-payments-80ab9ef6-3b36-4dcb-8b8f-fe6b4b783856",
        "AWSCloudFormation",
        "AWSCodeBuild-80ab9ef6-3b36-4dcb-8b8f-fe6b4b783856",
    ],
)
def test_role_session_of_a_program_is_the_role(name: str) -> None:
    found = who(session("deploy", name))
    assert (found.user, found.role, found.session, found.machine) == ("deploy", "deploy", name, True)


@pytest.mark.parametrize("name", ["ian", "i-robot", "terry", "jenkinson", "github.alice", "a1b2c3", "cli"])
def test_a_person_is_not_taken_for_a_program(name: str) -> None:
    assert who(session("Admin", name)).user == name


def test_function_and_instance_sessions_are_programs() -> None:
    lambda_agent = "Boto3/1.34 exec-env/AWS_Lambda_python3.12"
    assert who(session("fn-role", "my-function"), userAgent=lambda_agent).user == "fn-role"
    assert who(session("app", "whatever", context={"ec2RoleDelivery": "2.0"})).user == "app"


def test_identity_center_person() -> None:
    found = who(session(SSO_ROLE, "alice@example.com", path=SSO_PATH))
    assert (found.user, found.name, found.permission_set) == ("alice@example.com", "alice@example.com", "PowerUser")
    assert found.role == SSO_ROLE


def test_identity_center_person_whose_name_looks_like_a_program() -> None:
    assert who(session(SSO_ROLE, "1234567890", path=SSO_PATH)).user == "1234567890"


def test_role_that_only_looks_like_identity_center() -> None:
    found = who(session(SSO_ROLE, "alice"))
    assert (found.permission_set, found.name) == ("", SSO_ROLE)


def test_role_whose_path_only_contains_the_reserved_one() -> None:
    found = who(session(SSO_ROLE, "alice", path="/x:role" + SSO_PATH))
    assert (found.permission_set, found.name) == ("", SSO_ROLE)


def test_identity_center_user() -> None:
    found = who(
        {
            "type": "IdentityCenterUser",
            "accountId": ACCOUNT,
            "onBehalfOf": {"userId": "94482488-3041", "identityStoreArn": "arn:aws:identitystore::1:identitystore/d-9"},
            "credentialId": "90e292de",
        }
    )
    assert (found.user, found.on_behalf_of, found.account) == ("94482488-3041", "94482488-3041", ACCOUNT)


def test_role_acting_on_behalf_of_an_identity_center_user() -> None:
    found = who(session("svc", "1700000000000000000", onBehalfOf={"userId": "94482488-3041"}))
    assert (found.user, found.name, found.on_behalf_of) == ("94482488-3041", "svc", "94482488-3041")


def test_source_identity_wins_but_is_not_trusted() -> None:
    found = who(session("deploy", "aws-go-sdk-17", context={"sourceIdentity": "alice"}))
    assert (found.user, found.name, found.source_identity) == ("alice", "deploy", "alice")


def test_root() -> None:
    found = who({"type": "Root", "principalId": ACCOUNT, "arn": f"arn:aws:iam::{ACCOUNT}:root", "accountId": ACCOUNT})
    assert (found.user, found.name, found.account) == ("root", "root", ACCOUNT)


def test_federated_user() -> None:
    found = who(
        {
            "type": "FederatedUser",
            "principalId": f"{ACCOUNT}:bob",
            "arn": f"arn:aws:sts::{ACCOUNT}:federated-user/bob",
            "accountId": ACCOUNT,
            "sessionContext": {"sessionIssuer": {"type": "IAMUser", "userName": "alice"}},
        }
    )
    assert (found.user, found.session, found.name, found.role) == ("bob", "bob", "alice", "")


def test_saml_and_web_identity() -> None:
    saml = who({"type": "SAMLUser", "principalId": "Ab+c=:alice", "userName": "alice", "identityProvider": "Ab+c="})
    assert (saml.user, saml.provider, saml.name) == ("alice", "Ab+c=", "")
    web = who({"type": "WebIdentityUser", "principalId": "accounts.google.com:app:1234"})
    assert web.user == "1234"
    provider = f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"
    role = who(session("ci", "GitHubActions", context={"webIdFederationData": {"federatedProvider": provider}}))
    assert (role.user, role.provider) == ("ci", provider)


def test_cross_account() -> None:
    found = who(session("Admin", "alice", account="999999999999"), recipientAccountId=ACCOUNT)
    assert (found.account, found.cross_account) == ("999999999999", True)
    assert not who(session("Admin", "alice"), recipientAccountId=ACCOUNT).cross_account
    account = who({"type": "AWSAccount", "principalId": "AROAEXAMPLE:alice", "accountId": "999999999999"})
    assert (account.user, account.name, account.session) == ("alice", "999999999999", "alice")


def test_aws_service() -> None:
    found = who({"type": "AWSService", "invokedBy": "rds.amazonaws.com"})
    assert (found.user, found.invoked_by, found.machine) == ("rds.amazonaws.com", "rds.amazonaws.com", True)
    event = who({"accountId": ACCOUNT, "invokedBy": "backup.amazonaws.com"})
    assert (event.user, event.type) == ("backup.amazonaws.com", "")


def test_service_linked_role() -> None:
    found = who(session("AWSServiceRoleForRDS", "SLR", path="/aws-service-role/rds.amazonaws.com/"))
    assert (found.user, found.service_role) == ("AWSServiceRoleForRDS", "rds.amazonaws.com")
    assert who(session("AWSServiceRoleForRDS", "SLR")).service_role == ""


def test_service_acting_for_a_person_keeps_the_person() -> None:
    raw = {"type": "IAMUser", "userName": "alice", "invokedBy": "cloudformation.amazonaws.com"}
    found = who(raw | {"arn": f"arn:aws:iam::{ACCOUNT}:user/alice"})
    assert (found.user, found.invoked_by, found.machine) == ("alice", "cloudformation.amazonaws.com", False)


@pytest.mark.parametrize(
    "record",
    [
        {"sessionCredentialFromConsole": "true"},
        {"sessionCredentialFromConsole": True},
        {"userAgent": "console.ec2.amazonaws.com"},
        {"userAgent": "signin.amazonaws.com"},
        {"userAgent": "[S3Console/0.4, aws-internal/3 aws-sdk-java/1.11.1030]"},
        {"userAgent": "EC2ConsoleFrontend, aws-internal/3 aws-sdk-java/1.12"},
        {"userAgent": "Mozilla/5.0 (X11; Linux x86_64)"},
        {"eventType": "AwsConsoleSignIn"},
    ],
)
def test_console(record: dict[str, Any]) -> None:
    assert who(session("Admin", "alice"), **record).console


@pytest.mark.parametrize(
    "agent", ["aws-cli/2.17.32", "APN/1.0 HashiCorp/1.0 Terraform/1.5.7", "aws-sdk-go/1.4", "Boto3/1.34", ""]
)
def test_not_console(agent: str) -> None:
    assert not who(session("Admin", "alice"), userAgent=agent, sessionCredentialFromConsole="false").console


def test_lower_cased_keys() -> None:
    raw = {
        "type": "AssumedRole",
        "principalid": "AROAEXAMPLE:alan",
        "accountid": ACCOUNT,
        "sessioncontext": {
            "attributes": {"mfaauthenticated": "true"},
            "sessionissuer": {"arn": f"arn:aws:iam::{ACCOUNT}:role/TestAdmin", "type": "Role"},
        },
    }
    found = who(raw)
    assert (found.user, found.role, found.account, found.mfa) == ("alan", "TestAdmin", ACCOUNT, True)


@pytest.mark.parametrize("identity", [None, "alice", 7, [], {}, {"type": 5, "arn": [], "sessionContext": "x"}])
def test_garbage_gives_nobody(identity: Any) -> None:
    assert who(identity) == Identity()


def test_no_identity_at_all() -> None:
    assert identify(Record({})) == Identity()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
KEYS = [
    "type",
    "arn",
    "principalId",
    "accountId",
    "userName",
    "invokedBy",
    "accessKeyId",
    "sessionContext",
    "onBehalfOf",
]
CONTEXT = ["sessionIssuer", "attributes", "webIdFederationData", "sourceIdentity", "ec2RoleDelivery"]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(st.sampled_from(KEYS), JSON | st.sampled_from(["AssumedRole", "Root", "arn:aws:sts::1:x/", "a:b"]))
    | st.fixed_dictionaries({"sessionContext": st.dictionaries(st.sampled_from(CONTEXT), JSON)})
)
def test_any_json_is_answered(raw: dict[str, Any]) -> None:
    found = who(raw, userAgent=raw.get("type"))
    assert isinstance(found.user, str)
    assert found.mfa in (None, True, False)


class TestMatches:
    """Whom a glob in the configuration means, and whom it must not."""

    def test_names_and_arns(self) -> None:
        ci = who(session("terraform-ci", "run-7", path="/automation/"))
        for pattern in (
            "terraform-ci",
            "terraform-*",
            f"arn:aws:iam::{ACCOUNT}:role/automation/terraform-ci",
            f"arn:aws:sts::{ACCOUNT}:assumed-role/terraform-ci/*",
            "terraform-ci/run-*",
        ):
            assert ci.matches(Globs.of([pattern])), pattern

    def test_identity_center_person_is_a_name(self) -> None:
        assert who(session(SSO_ROLE, "alice", path=SSO_PATH)).matches(Globs.of(["alice"]))

    @pytest.mark.parametrize("name", ["terraform-ci", "terraform-ci:x", "x/terraform-ci", "terraform-ci/run-7"])
    def test_a_chosen_session_name_does_not_make_the_role(self, name: str) -> None:
        evil = who(session("Developer", name))
        assert not evil.matches(Globs.of(["terraform-ci", "*terraform*", "terraform-ci/*", "*:role/terraform-ci"]))

    def test_a_chosen_source_identity_does_not_make_the_role(self) -> None:
        evil = who(session("Developer", "x", context={"sourceIdentity": "terraform-ci"}))
        assert not evil.matches(Globs.of(["terraform-ci"]))

    def test_a_chosen_federated_name_does_not_make_the_user(self) -> None:
        evil = who(
            {
                "type": "FederatedUser",
                "principalId": f"{ACCOUNT}:terraform-ci",
                "arn": f"arn:aws:sts::{ACCOUNT}:federated-user/terraform-ci",
                "sessionContext": {"sessionIssuer": {"type": "IAMUser", "userName": "mallory"}},
            }
        )
        assert not evil.matches(Globs.of(["terraform-ci"]))
        assert evil.matches(Globs.of(["mallory"]))

    def test_nobody_matches_nothing(self) -> None:
        assert not Identity().matches(Globs.of(["*", "*:*", "*/*"]))


def test_globs_take_brackets_literally() -> None:
    assert Globs.of(["aws_instance.app[0]"]).match("aws_instance.app[0]")
    assert not Globs.of(["aws_instance.app[0]"]).match("aws_instance.app0")
    assert Globs.of(["module.a*.b?"]).match("", 'module.a["x"].b1')


def test_hostile_sizes_end() -> None:
    for text in ("Console" * 200_000, "a" * 1_000_000, "Terraform/" * 100_000, "AWSReservedSSO_" * 70_000):
        found = who(session(text, text, path=SSO_PATH), userAgent=text, eventType=text)
        assert text in found.arn


def test_every_real_record_has_a_caller() -> None:
    for entry in corpus():
        record = Record(entry["record"])
        found = identify(record)
        assert isinstance(found, Identity)
        if found.type == "AssumedRole" and ":assumed-role/" in found.arn:
            assert found.user in (found.session, found.role, found.source_identity)
            assert found.role or found.session
        if found.type == "IAMUser":
            assert found.user
        assert bool(found.user) == bool(record.raw.get("userIdentity"))
