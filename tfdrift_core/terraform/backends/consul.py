"""The ``consul`` backend: one key for a workspace, its value plain, compressed, or a list of keys that hold the parts.

API: https://developer.hashicorp.com/consul/api-docs/kv; layout: Terraform's ``internal/backend/remote-state/consul``
"""

import base64
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from tfdrift_core.config import web_url
from tfdrift_core.terraform.backends.base import DEFAULT_WORKSPACE, Content, Context, Ref, check_size, gunzip, options
from tfdrift_core.terraform.backends.sent import Sent, server_of
from tfdrift_core.terraform.backends.web import Web, existing, from_environment
from tfdrift_core.terraform.scan import StateError

_WORKSPACE = "-env:"
_LOCK = "/.lockinfo"


@dataclass(frozen=True, slots=True)
class Options:
    """Address, scheme and token may come from ``CONSUL_HTTP_ADDR``, ``CONSUL_HTTP_SSL`` and ``CONSUL_HTTP_TOKEN``."""

    path: str
    address: str = ""
    scheme: str = ""
    datacenter: str = ""
    token_env: str = ""
    ca_file: str = ""
    workspace: str = ""


class Consul:
    locks_are_listed = True

    def __init__(self, settings: Options, context: Context) -> None:
        self._settings = settings
        self._context = context
        address = settings.address or os.environ.get("CONSUL_HTTP_ADDR", "127.0.0.1:8500")
        secure = os.environ.get("CONSUL_HTTP_SSL", "").lower() in ("1", "true")
        scheme = settings.scheme or ("https" if secure else "http")
        self._base = (address if "://" in address else f"{scheme}://{address}").rstrip("/")
        web_url(self._base, "state backend consul: address")
        token = (
            from_environment(settings.token_env, "Consul token")
            if settings.token_env
            else os.environ.get("CONSUL_HTTP_TOKEN", "")
        )
        self._web = Web(
            context,
            {"X-Consul-Token": token} if token else {},
            credentials=settings.token_env or "CONSUL_HTTP_TOKEN",
            ca_file=existing(settings.ca_file or os.environ.get("CONSUL_CACERT", ""), "ca_file"),
        )
        given = settings.token_env or "CONSUL_HTTP_TOKEN"
        self.sent = Sent(
            server_of(self._base),
            given if token else "",
            bound=not (settings.address or settings.scheme),
            verified=not settings.ca_file,
        )
        self._locks: frozenset[str] = frozenset()
        self.origin = f"consul://{self._base.partition('://')[2]}/{settings.path}"

    def refs(self) -> Sequence[Ref]:
        path = self._settings.path
        answer = self._get(path, "keys")
        keys = json.loads(answer) if answer else []
        self._locks = frozenset(key.removesuffix(_LOCK) for key in keys if key.endswith(_LOCK))
        states = {path: DEFAULT_WORKSPACE} if path in keys else {}
        for key in keys:
            name = key.removeprefix(path + _WORKSPACE)
            if name != key and "/" not in name:
                states[key] = name
        wanted = self._settings.workspace
        refs = [Ref(f"{self.origin}#{name}", key, name) for key, name in states.items() if wanted in ("", name)]
        if not refs:
            raise StateError("no state is there; check path and workspace, and that the token may read the key")
        return refs

    def read(self, ref: Ref, known: str) -> Content | None:
        entry, version = self._entry(ref.key)
        if version == known:
            return None
        if entry.startswith(b"{") and b'"current-hash"' in entry[:200] + entry[-200:]:
            parts = []
            for key in json.loads(entry)["chunks"]:
                parts.append(self._entry(key)[0])
                check_size(sum(map(len, parts)), self._context)
            entry = b"".join(parts)
        return Content(gunzip(entry, self._context), version)

    def locked(self, ref: Ref) -> bool:
        return ref.key.rstrip("/") in self._locks

    def close(self) -> None:
        self._web.close()

    def _entry(self, key: str) -> tuple[bytes, str]:
        answer = self._get(key, "")
        if answer is None:
            raise StateError(f"the key {key} is gone; it is tried again later")
        (entry,) = json.loads(answer)
        return base64.b64decode(entry["Value"] or ""), str(entry["ModifyIndex"])

    def _get(self, key: str, query: str) -> bytes | None:
        queries = "&".join(q for q in (query, f"dc={self._settings.datacenter}" * bool(self._settings.datacenter)) if q)
        answer = self._web.get(f"{self._base}/v1/kv/{quote(key)}?{queries}", missing_ok=True)
        return None if answer.status == 404 else answer.data


def create(given: Mapping[str, Any], context: Context) -> Consul:
    return Consul(options(Options, given, "consul"), context)
