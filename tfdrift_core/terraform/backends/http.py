"""The ``http`` backend, GitLab's managed state among them.

Its environment variables: https://developer.hashicorp.com/terraform/language/backend/http
"""

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from urllib3.util import make_headers

from tfdrift_core.config import ConfigError, web_url
from tfdrift_core.terraform.backends.base import DEFAULT_WORKSPACE, Content, Context, Ref, options
from tfdrift_core.terraform.backends.sent import Sent, server_of
from tfdrift_core.terraform.backends.web import Web, existing, from_environment
from tfdrift_core.terraform.scan import StateError

_SECRET = re.compile(r"([?&][^=&]*(?:token|key|secret|sig|password|credential)[^=&]*=)[^&#]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Options:
    """The user name may come from ``TF_HTTP_USERNAME``; the password comes from ``TF_HTTP_PASSWORD`` or the variable
    that ``password_env`` names; ``token_env`` names that of a bearer token, ``headers_env`` those of headers."""

    address: str
    username: str = ""
    password_env: str = ""
    token_env: str = ""
    headers_env: Mapping[str, str] = field(default_factory=dict)
    ca_file: str = ""
    skip_cert_verification: bool = False
    workspace: str = DEFAULT_WORKSPACE


class Http:
    locks_are_listed = False

    def __init__(self, settings: Options, context: Context) -> None:
        if web_url(settings.address, "state backend http: address").password:
            raise ConfigError("state backend http: the address holds a password; use username and password_env instead")
        self.origin = _SECRET.sub(r"\1***", settings.address)
        self._address = settings.address
        self._workspace = settings.workspace
        headers = {name: from_environment(variable, name) for name, variable in settings.headers_env.items()}
        sources = list(settings.headers_env.values())
        if settings.token_env:
            headers["Authorization"] = f"Bearer {from_environment(settings.token_env, 'bearer token')}"
            sources.append(settings.token_env)
        elif username := settings.username or os.environ.get("TF_HTTP_USERNAME", ""):
            variable = settings.password_env or "TF_HTTP_PASSWORD"
            headers["Authorization"] = make_headers(
                basic_auth=f"{username}:{from_environment(variable, f'password of {username}')}"
            )["authorization"]
            sources.append(variable)
        self._web = Web(
            context,
            headers,
            credentials=" and ".join(sources) or "username with password_env, token_env or headers_env",
            ca_file=existing(settings.ca_file, "ca_file"),
            verify=not settings.skip_cert_verification,
        )
        self.sent = Sent(
            server_of(settings.address),
            " and ".join(sources),
            bound=False,
            verified=not (settings.ca_file or settings.skip_cert_verification),
        )
        self._stamps: dict[str, dict[str, str]] = {}

    def refs(self) -> Sequence[Ref]:
        return [Ref(self.origin, self._address, self._workspace)]

    def read(self, ref: Ref, known: str) -> Content | None:
        answer = self._web.get(ref.key, self._stamps.get(known))
        if answer.status == 304:
            return None
        if answer.status == 204 or not answer.data:
            raise StateError("the server has no state there; terraform apply writes it first")
        # Servers without validators send the same bytes again: their digest saves parsing them.
        version = hashlib.sha256(answer.data).hexdigest()
        conditions = {
            "If-None-Match": answer.headers.get("ETag"),
            "If-Modified-Since": answer.headers.get("Last-Modified"),
        }
        self._stamps = {version: {name: value for name, value in conditions.items() if value}}
        return Content(answer.data, version)

    def locked(self, ref: Ref) -> bool:
        return False

    def close(self) -> None:
        self._web.close()


def create(given: Mapping[str, Any], context: Context) -> Http:
    return Http(options(Options, given, "http"), context)
