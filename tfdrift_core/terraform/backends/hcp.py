"""HCP Terraform and Terraform Enterprise: the ``cloud`` block and the older ``remote`` backend.

API: https://developer.hashicorp.com/terraform/cloud-docs/api-docs (workspaces, state-versions); where the token comes
from: https://developer.hashicorp.com/terraform/cli/config/config-file#credentials
"""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from tfdrift_core.config import ConfigError, web_url
from tfdrift_core.terraform.backends.base import Content, Context, History, Ref, Version, options, text
from tfdrift_core.terraform.backends.sent import Sent, server_of
from tfdrift_core.terraform.backends.web import Web, existing, from_environment
from tfdrift_core.terraform.scan import StateError

_PAGE = 100
# Dots and dashes become underscores in the name of a host's variable: a host that has some would take another's token.
_HOST = re.compile(r"(?:[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*|\[[0-9A-Fa-f:.]+\])(?::[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Options:
    """``workspaces`` is a list of names or patterns, or a map of ``name``, ``prefix``, ``project`` and ``tags``.

    The token is in the variable that ``token_env`` names, else where Terraform itself looks for it.
    """

    organization: str
    hostname: str = "app.terraform.io"
    workspaces: Sequence[str] | Mapping[str, Any] = ()
    token_env: str = ""
    ca_file: str = ""


@dataclass(frozen=True, slots=True)
class Token:
    """An API token, and the variable or file that it is from; ``of_host``: that says whose it is."""

    value: str = field(repr=False)
    origin: str
    of_host: bool = False


@dataclass(frozen=True, slots=True)
class Assessment:
    """A health assessment of a workspace: its id, and when it was made, as the API writes it."""

    origin: str
    id: str
    created: str


class Hcp:
    locks_are_listed = True

    def __init__(self, settings: Options, context: Context) -> None:
        self._settings = settings
        # A scheme is for test servers and development: Terraform itself always uses https.
        self._base = settings.hostname if "://" in settings.hostname else f"https://{settings.hostname}"
        host = web_url(self._base, "state backend hcp: hostname").netloc
        if not _HOST.fullmatch(self._base.partition("://")[2]):
            raise ConfigError(f"state backend hcp: hostname {settings.hostname!r} is no host")
        server = server_of(self._base)
        found = (
            Token(from_environment(settings.token_env, "API token"), settings.token_env)
            if settings.token_env
            else _token(host)
        )
        # Without TLS everybody on the way reads along.
        bound = found.of_host and server.startswith("https://")
        self.sent = Sent(server, found.origin, bound, verified=not settings.ca_file)
        self._api = ""
        self._projects: dict[str, str] = {}
        self._workspaces: dict[str, Mapping[str, Any]] = {}
        self.origin = f"hcp://{host}/{settings.organization}"
        ca_file = existing(settings.ca_file, "ca_file")
        where = settings.token_env or f"{_variable(host)} or terraform login"
        self._web = Web(context, {"Authorization": f"Bearer {found.value}"}, credentials=where, ca_file=ca_file)
        self._anonymous = Web(context, {}, credentials=where, ca_file=ca_file)

    def refs(self) -> Sequence[Ref]:
        wanted = self._wanted()
        found = {}
        for query in wanted.queries:
            for workspace in self._pages(f"organizations/{self._settings.organization}/workspaces", query):
                name = str(_attribute(workspace, "name"))
                if not wanted.patterns or any(fnmatchcase(name, pattern) for pattern in wanted.patterns):
                    found[name] = workspace
        if not found:
            raise StateError("no workspace matches; check organization and workspaces, and what the token may see")
        self._workspaces = found
        refs = ((name, _related(workspace, "current-state-version")) for name, workspace in found.items())
        return [Ref(f"{self.origin}/{name}", found[name]["id"], name, version) for name, version in refs if version]

    def read(self, ref: Ref, known: str) -> Content | None:
        version = self._json(f"workspaces/{ref.key}/current-state-version")["data"]
        identity = str(version.get("id", ""))
        return None if identity == known else Content(self._download(version), identity)

    def histories(self) -> Sequence[History]:
        found = []
        for ref in self.refs():
            query = {
                "filter[workspace][name]": ref.workspace,
                "filter[organization][name]": self._settings.organization,
            }
            versions = [item for item in self._pages("state-versions", query) if _is_kept(item)]
            # Only their serials tell which of those of one moment is newer.
            versions.sort(key=lambda item: (_moment(item), _attribute(item, "serial") or 0))
            found.append(History(ref, tuple(Version(_moment(item), str(item["id"])) for item in versions)))
        return found

    def read_version(self, ref: Ref, version: Version) -> bytes:
        # Not from the listing: addresses of older servers are signed and expire.
        return self._download(self._json(f"state-versions/{version.key}")["data"])

    def _download(self, version: Mapping[str, Any]) -> bytes:
        url = str(_attribute(version, "hosted-state-download-url") or "")
        if not url:
            raise StateError("the API gives no download address; the token may see the workspace, but not its state")
        # Older servers give a signed address on another host, which must not see the token.
        web = self._web if urlsplit(url).netloc == urlsplit(self._base).netloc else self._anonymous
        return web.get(url).data

    def assessments(self) -> Iterator[Assessment]:
        """The last health assessment of each workspace that had one.  :raises StateError: when they cannot be had.

        https://developer.hashicorp.com/terraform/cloud-docs/api-docs/assessment-results
        """
        self.refs()
        for name, workspace in self._workspaces.items():
            if known := _related(workspace, "current-assessment-result"):
                result = self._json(f"assessment-results/{known}")["data"]
                if _attribute(result, "succeeded"):
                    yield Assessment(f"{self.origin}/{name}", known, str(_attribute(result, "created-at") or ""))

    def assessed(self, id: str) -> bytes:
        """The plan of a health assessment; an administrator's token of the workspace is needed.

        :raises StateError: when it cannot be had.
        """
        return self._web.get(urljoin(self._discovered(), f"assessment-results/{id}/json-output")).data

    def locked(self, ref: Ref) -> bool:
        return bool(_attribute(self._workspaces.get(ref.workspace, {}), "locked"))

    def close(self) -> None:
        self._web.close()
        self._anonymous.close()

    def _wanted(self) -> "_Wanted":
        given = self._settings.workspaces
        if not isinstance(given, Mapping):
            return _Wanted([{}], tuple(given))
        query: dict[str, str] = {}
        if prefix := given.get("prefix"):
            return _Wanted([{"search[wildcard-name]": f"{prefix}*"}], (f"{prefix}*",))
        if project := given.get("project"):
            query["filter[project][id]"] = self._project(project)
        tags = given.get("tags", ())
        if isinstance(tags, Mapping):
            for number, (key, value) in enumerate(tags.items()):
                query[f"filter[tagged][{number}][key]"] = key
                query[f"filter[tagged][{number}][value]"] = value
        elif tags:
            query["search[tags]"] = ",".join(tags)
        return _Wanted([query], (given["name"],) if given.get("name") else ())

    def _project(self, name: str) -> str:
        if name not in self._projects:
            path = f"organizations/{self._settings.organization}/projects"
            found = [p["id"] for p in self._pages(path, {"filter[names]": name}) if _attribute(p, "name") == name]
            if not found:
                raise StateError(f"no project {name!r} is in {self._settings.organization}; check its name")
            self._projects[name] = found[0]
        return self._projects[name]

    def _pages(self, path: str, query: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
        page = 1
        while page:
            parameters = urlencode({**query, "page[size]": _PAGE, "page[number]": page})
            document = self._json(f"{path}?{parameters}")
            yield from document["data"]
            page = (document.get("meta", {}).get("pagination") or {}).get("next-page") or 0

    def _json(self, path: str) -> dict[str, Any]:
        answer = self._web.get(urljoin(self._discovered(), path), {"Accept": "application/vnd.api+json"})
        return _object(answer.data)

    def _discovered(self) -> str:
        """The API's address, by Terraform's service discovery protocol."""
        if not self._api:
            answer = self._anonymous.get(f"{self._base}/.well-known/terraform.json", missing_ok=True)
            services = json.loads(answer.data) if answer.status == 200 and answer.data.startswith(b"{") else {}
            path = services.get("tfe.v2.1") or services.get("tfe.v2") or "/api/v2/"
            self._api = urljoin(f"{self._base}/.well-known/terraform.json", str(path).rstrip("/") + "/")
            if urlsplit(self._api).netloc != urlsplit(self._base).netloc:
                raise StateError(f"{self._base} names an API on another host, {self._api}; check hostname")
        return self._api


@dataclass(frozen=True, slots=True)
class _Wanted:
    queries: Sequence[Mapping[str, str]]
    patterns: tuple[str, ...]


def create(given: Mapping[str, Any], context: Context) -> Hcp:
    given = {**given, "workspaces": _wanted_names(given.get("workspaces") or (), "state backend hcp: workspaces")}
    return Hcp(options(Options, given, "hcp"), context)


def _wanted_names(value: Any, what: str) -> Any:
    """``workspaces`` with text in every place of it: it may come from a configuration, where anything can stand."""
    if isinstance(value, Mapping):
        return {
            name: _wanted_names(item, f"{what}.{name}") if name == "tags" else text(item, f"{what}.{name}")
            for name, item in value.items()
            if item is not None
        }
    items = value if isinstance(value, (list, tuple)) else [value]
    return [text(item, what) for item in items]


def _attribute(item: Mapping[str, Any], name: str) -> Any:
    return (item.get("attributes") or {}).get(name)


def _is_kept(version: Mapping[str, Any]) -> bool:
    """Whether a state version can be read: one that is being written, or was thrown away, has another status."""
    return bool(version.get("id")) and _moment(version) > 0 and _attribute(version, "status") in (None, "finalized")


def _moment(version: Mapping[str, Any]) -> int:
    """When a state version was made, in nanoseconds since the epoch; 0 where that is not said."""
    try:
        made = datetime.fromisoformat(str(_attribute(version, "created-at")))
    except ValueError:
        return 0
    return int((made if made.tzinfo else made.replace(tzinfo=UTC)).timestamp() * 1000) * 1_000_000


def _related(item: Mapping[str, Any], name: str) -> str:
    data = ((item.get("relationships") or {}).get(name) or {}).get("data") or {}
    return str(data.get("id") or "")


def _object(data: bytes) -> dict[str, Any]:
    try:
        document = json.loads(data)
    except ValueError:
        document = None
    if not isinstance(document, dict) or "data" not in document:
        raise StateError("the answer is not one of HCP Terraform's API; check hostname")
    return document


def _variable(host: str) -> str:
    """The environment variable that Terraform reads for a host: dots become ``_``, dashes ``__``."""
    return "TF_TOKEN_" + host.partition(":")[0].replace("-", "__").replace(".", "_")


def _token(host: str) -> Token:
    """The host's own token, else the one that names no host."""
    variable, credentials = _variable(host), Path("~/.terraform.d/credentials.tfrc.json").expanduser()
    if token := os.environ.get(variable):
        # The variable does not tell of a port, behind which there may be another server.
        return Token(token, variable, of_host=":" not in host.rpartition("]")[2])
    if credentials.is_file():
        try:
            token = json.loads(credentials.read_text())["credentials"][host]["token"]
        except (ValueError, KeyError, TypeError, OSError):
            token = ""  # the message below names the file
        if token:
            return Token(str(token), str(credentials), of_host=True)
    if token := os.environ.get("TFE_TOKEN"):
        return Token(token, "TFE_TOKEN")
    raise ConfigError(
        f"state backend hcp: no API token for {host}; set {variable}, name a variable with token_env, "
        f"or run terraform login (it writes {credentials})"
    )
