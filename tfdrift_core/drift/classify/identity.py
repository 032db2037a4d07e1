"""Who made a call: one plain form for every ``userIdentity`` that CloudTrail writes.

Source of the forms: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from tfdrift_core import yaml_data
from tfdrift_core.drift.classify.globs import Globs, fits
from tfdrift_core.records.record import Lately, Record


@dataclass(frozen=True, slots=True)
class Identity:
    """Who made a call; every text is "" where the record does not tell.

    ``user`` is what a responder wants to read: the IAM user, the person of a role session, the role of a program's
    session, ``root``, or the AWS service.  ``name`` is the part of it that the caller cannot choose for itself (IAM
    user, role, Identity Center person, ``root``, service; "" where there is none): only this and the ARNs are fit for
    trusting somebody.
    ``role_arn`` is the IAM role behind a session, with its path.  ``mfa`` is ``None`` where AWS does not say.
    """

    user: str = ""
    name: str = ""
    arn: str = ""
    type: str = ""
    account: str = ""
    role: str = ""
    role_arn: str = ""
    session: str = ""
    permission_set: str = ""
    source_identity: str = ""
    on_behalf_of: str = ""
    provider: str = ""
    principal_id: str = ""
    access_key: str = ""
    invoked_by: str = ""
    service_role: str = ""
    mfa: bool | None = None
    console: bool = False
    machine: bool = False
    cross_account: bool = False

    @property
    def verified(self) -> str:
        """Who this is, as AWS vouches for it: ``name``, or the ARN where another account gives its names itself."""
        if not self.cross_account or self.type == "AWSAccount":
            return self.name
        return self.role_arn or ("" if self.session else self.arn)

    def matches(self, globs: Globs) -> bool:
        """Whether any glob names this caller.

        A glob with a colon is compared with the ARNs, one with a slash with ``role/session``, any other with ``name``.
        A session name alone never counts: whoever may assume a role chooses it.
        """
        role_session = f"{self.role}/{self.session}" if self.role and self.session else ""
        for pattern in globs.patterns:
            named = (self.arn, self.role_arn) if ":" in pattern else (role_session if "/" in pattern else self.name,)
            if any(text and fits(pattern, text) for text in named):
                return True
        return False


@dataclass(frozen=True, slots=True)
class _Patterns:
    machine_sessions: re.Pattern[str]
    machine_agents: re.Pattern[str]
    console_agents: re.Pattern[str]
    sso_role: re.Pattern[str]
    sso_role_arn: re.Pattern[str]


@cache
def load_data() -> Mapping[str, Any]:
    """The identity rules that ship with TFDrift."""
    data: Mapping[str, Any] = yaml_data.resource("tfdrift_core.drift.classify", "identities.yaml")
    return data


def any_of(patterns: Iterable[str]) -> re.Pattern[str]:
    """One regular expression that matches where any of ``patterns`` does."""
    return re.compile("|".join(f"(?:{p})" if not p.startswith("(?i)") else f"(?i:{p[4:]})" for p in patterns))


@cache
def _patterns() -> _Patterns:
    data = load_data()
    return _Patterns(
        machine_sessions=any_of(data["machine_sessions"]),
        machine_agents=any_of(data["machine_agents"]),
        console_agents=any_of(data["console_agents"]),
        sso_role=re.compile(data["identity_center"]["role"]),
        sso_role_arn=re.compile(data["identity_center"]["role_arn"]),
    )


_SERVICE_ROLE = re.compile(r"^arn:[^:]+:iam::\d*:role/aws-service-role/(?P<service>[^/]+)/")
_CONSOLE_EVENTS = frozenset({"AwsConsoleAction", "AwsConsoleSignIn"})


def identify(record: Record) -> Identity:
    """The caller of a record, whatever is missing or mistyped in its ``userIdentity``."""
    raw = record.identity
    kind = _text(raw, "type")
    arn = _text(raw, "arn")
    principal = _text(raw, "principalId")
    context = _mapping(raw, "sessionContext")
    issuer = _mapping(context, "sessionIssuer")
    attributes = _mapping(context, "attributes")
    federation = _mapping(context, "webIdFederationData")
    behalf = _mapping(raw, "onBehalfOf")
    invoked_by = _text(raw, "invokedBy")
    source_identity = _text(context, "sourceIdentity")
    account = _text(raw, "accountId") or _arn_account(arn)
    user_name = _text(raw, "userName")
    issuer_arn = _text(issuer, "arn")
    patterns = _patterns()

    role, session = _role_and_session(kind, arn, principal, issuer)
    role_arn = issuer_arn if ":role/" in issuer_arn else ""
    sso = patterns.sso_role.match(role) if patterns.sso_role_arn.search(role_arn) else None
    service = _SERVICE_ROLE.match(role_arn)
    machine = (
        bool(service)
        or "ec2RoleDelivery" in context
        or bool(patterns.machine_sessions.search(session))
        or bool(role and not sso and patterns.machine_agents.search(record.user_agent))
    )
    if kind == "Root":
        name = user = "root"
    elif role:
        name = session if sso else role
        user = session if session and (sso or not machine) else _text(behalf, "userId") or role
    elif kind == "FederatedUser":
        # The federated name is chosen by the IAM user that asked for the token; the issuer is who that was.
        name = "root" if _text(issuer, "type") == "Root" else _text(issuer, "userName")
        user = session or name
    elif kind in ("SAMLUser", "WebIdentityUser"):
        name, user = "", user_name or principal.rpartition(":")[2]
    elif kind == "IdentityCenterUser":
        name = user = user_name or _text(behalf, "userId")
    elif kind == "AWSAccount":
        name, user = account, session or account or principal
    elif invoked_by and not arn and not user_name:
        name = user = invoked_by
        machine = True
    else:
        name = user_name or _last(arn) or principal.partition(":")[0] or account
        user = user_name or _last(arn) or principal or account
    return Identity(
        user=source_identity or user,
        name=name,
        arn=arn,
        type=kind,
        account=account,
        role=role,
        role_arn=role_arn,
        session=session,
        permission_set=sso["permission_set"] if sso else "",
        source_identity=source_identity,
        on_behalf_of=_text(behalf, "userId"),
        provider=_text(raw, "identityProvider") or _text(federation, "federatedProvider"),
        principal_id=principal,
        access_key=_text(raw, "accessKeyId"),
        invoked_by=invoked_by,
        service_role=service["service"] if service else "",
        mfa=_flag(attributes, "mfaAuthenticated"),
        console=_flag(record.raw, "sessionCredentialFromConsole") is True
        or invoked_by == "signin.amazonaws.com"
        or record.raw.get("eventType") in _CONSOLE_EVENTS
        or bool(patterns.console_agents.search(record.user_agent)),
        machine=machine,
        cross_account=bool(account and record.account and account != record.account),
    )


identities: Final = Lately(identify)
"""Of the records that are told of."""


def _get(mapping: Mapping[str, Any], key: str) -> object:
    # Some log pipelines lower-case every key.
    return mapping[key] if key in mapping else mapping.get(key.lower())


def _text(mapping: Mapping[str, Any], key: str) -> str:
    value = _get(mapping, key)
    return value if isinstance(value, str) else ""


def _mapping(mapping: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = _get(mapping, key)
    return value if isinstance(value, Mapping) else {}


def _flag(mapping: Mapping[str, Any], key: str) -> bool | None:
    # CloudTrail writes the booleans of a session as strings.
    value = _get(mapping, key)
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.lower())
    return value if isinstance(value, bool) else None


def _arn_account(arn: str) -> str:
    parts = arn.split(":", 5)
    return parts[4] if len(parts) == 6 else ""


def _last(arn: str) -> str:
    return arn.split(":", 5)[-1].rpartition("/")[2] if arn.startswith("arn:") else ""


def _role_and_session(kind: str, arn: str, principal: str, issuer: Mapping[str, Any]) -> tuple[str, str]:
    """The role without its path, and the session name; ("", "") for what is not a session."""
    resource = arn.split(":", 5)[-1] if arn.startswith("arn:") else ""
    first, _, rest = resource.partition("/")
    after = principal.partition(":")[2]
    if first == "assumed-role":
        role, _, session = rest.partition("/")
        # The issuer is the authority: a record may name the session only, and role names hold no slash.
        return _issuer_role(issuer) or role, session or after
    if first == "federated-user":
        return "", rest or after
    if kind == "FederatedUser" or kind == "AWSAccount":
        return "", after
    if kind in ("AssumedRole", "Role"):
        return _issuer_role(issuer) or (_last(arn) if first == "role" else ""), after
    return "", ""


def _issuer_role(issuer: Mapping[str, Any]) -> str:
    arn = _text(issuer, "arn")
    return _last(arn) if ":role/" in arn else ""
