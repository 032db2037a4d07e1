"""One careful GET, shared by the backends that speak HTTP."""

import os
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from botocore.httpsession import get_cert_path
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationParseError,
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
    ReadTimeoutError,
    ResponseError,
    SSLError,
)

from tfdrift_core import __version__
from tfdrift_core.config import ConfigError
from tfdrift_core.terraform.backends.base import Context, gather
from tfdrift_core.terraform.scan import StateError

_CHUNK = 1 << 20
_RETRIED = frozenset({429, 502, 503, 504})
_HINTS = {
    HTTPStatus.UNAUTHORIZED: "the server does not accept the credentials: check {credentials}",
    HTTPStatus.FORBIDDEN: "the credentials may not read the state: check {credentials} and what they are allowed",
    HTTPStatus.NOT_FOUND: "check the address; terraform apply writes the state first",
    HTTPStatus.PROXY_AUTHENTICATION_REQUIRED: "check HTTPS_PROXY",
    HTTPStatus.TOO_MANY_REQUESTS: "raise refresh_interval",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """A response that was read to its end."""

    status: int
    headers: Mapping[str, str]
    data: bytes


class Web:
    """GET requests with retries, limits on time and size, and errors that say what to do.

    ``headers`` go to ``host`` only: a redirect to another host does not carry them along.  ``credentials`` names, for
    messages, where they come from.
    """

    def __init__(
        self,
        context: Context,
        headers: Mapping[str, str],
        *,
        credentials: str,
        ca_file: str = "",
        verify: bool = True,
        client_certificate: tuple[str, str] | None = None,
    ) -> None:
        self._context = context
        self._headers = {"User-Agent": f"tfdrift/{__version__}", **headers}
        self._credentials = credentials
        self._tls: dict[str, Any] = {
            "cert_reqs": "CERT_REQUIRED" if verify else "CERT_NONE",
            "ca_certs": ca_file or os.environ.get("SSL_CERT_FILE") or _authorities(),
            "cert_file": client_certificate[0] if client_certificate else None,
            "key_file": client_certificate[1] if client_certificate else None,
        }
        self._retry = urllib3.Retry(
            total=3,
            read=0,  # a server that is too slow once has used up the patience there is
            redirect=3,
            status_forcelist=_RETRIED,
            backoff_factor=0.2,
            raise_on_status=False,
            remove_headers_on_redirect=list(headers),
        )
        self._pools: dict[str, urllib3.PoolManager] = {}

    def get(self, url: str, headers: Mapping[str, str] | None = None, *, missing_ok: bool = False) -> Answer:
        """The answer to a GET, of status 2xx or 304, or 404 when it may be missing.

        :raises StateError: for everything else.
        """
        try:
            answer = self._pool(url).request(
                "GET",
                url,
                headers={**self._headers, **(headers or {})},
                timeout=urllib3.Timeout(connect=min(10.0, self._context.timeout), read=self._context.timeout),
                retries=self._retry,
                preload_content=False,
            )
            try:
                return self._read(url, answer, missing_ok)
            finally:
                answer.release_conn()
        except HTTPError as error:
            raise StateError(self._explained(error)) from None

    def close(self) -> None:
        for pool in self._pools.values():
            pool.clear()

    def _read(self, url: str, answer: urllib3.BaseHTTPResponse, missing_ok: bool) -> Answer:
        if (answer.url or "").startswith("http://") and url.startswith("https://"):
            raise StateError("the server redirects from https to plain http; this is not followed: check the address")
        ok = 200 <= answer.status < 300 or answer.status == HTTPStatus.NOT_MODIFIED
        if not ok and not (missing_ok and answer.status == HTTPStatus.NOT_FOUND):
            hint = _HINTS.get(HTTPStatus(answer.status) if answer.status in _STATUSES else HTTPStatus.OK, "")
            hint = hint.format(credentials=self._credentials) or "it is tried again later"
            phrase = HTTPStatus(answer.status).phrase if answer.status in _STATUSES else ""
            raise StateError(f"the server answered {answer.status} {phrase}; {hint}")
        length = answer.headers.get("Content-Length", "")
        size = int(length) if length.isdigit() else None
        return Answer(answer.status, answer.headers, gather(_chunks(answer), self._context, size))

    def _pool(self, url: str) -> urllib3.PoolManager:
        parts = urlsplit(url)
        proxy = "" if proxy_bypass(parts.hostname or "") else getproxies().get(parts.scheme, "")
        if proxy not in self._pools:
            self._pools[proxy] = urllib3.ProxyManager(proxy, **self._tls) if proxy else urllib3.PoolManager(**self._tls)
        return self._pools[proxy]

    def _explained(self, error: HTTPError) -> str:
        reason = error.reason if isinstance(error, MaxRetryError) and error.reason else error
        for kinds, text in _FAILURES:
            if isinstance(reason, kinds):
                return text.format(timeout=self._context.timeout, reason=_inner(reason))
        return f"{_inner(reason)}; it is tried again later"


_STATUSES = frozenset(HTTPStatus)
# The first that fits counts: urllib3 derives refused connections and unknown hosts from timeouts.
_FAILURES: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    ((SSLError,), "the TLS connection failed: {reason}; check the certificate, or name its authority with ca_file"),
    ((NameResolutionError,), "the host is unknown: {reason}; check the address"),
    ((ReadTimeoutError,), "the server is too slow: nothing came for {timeout:.0f} s; it is tried again later"),
    ((NewConnectionError,), "no connection: {reason}; check the address and that the server runs"),
    ((ConnectTimeoutError,), "no connection within the time limit; check the address and the network"),
    ((ResponseError,), "the server redirects too often; check the address"),
    ((LocationParseError,), "the address is not a URL: {reason}; check it"),
)


def _inner(error: BaseException) -> str:
    text = str(error.args[-1] if isinstance(error, SSLError) and error.args else error)
    return text.rpartition("object at 0x")[2].partition(": ")[2] or text if "object at 0x" in text else text


def _authorities() -> str | None:
    """The system's certificate store; the one that botocore ships where this Python finds none (None: it has one)."""
    paths = ssl.get_default_verify_paths()
    return None if paths.cafile or paths.capath else str(get_cert_path(True))


def _chunks(answer: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    # read1 returns what has come, so that a trickling server meets the deadline.
    while chunk := answer.read1(_CHUNK, decode_content=True):
        yield chunk


def from_environment(name: str, what: str) -> str:
    """The value of an environment variable that the configuration names.

    :raises ConfigError: when it is not set.
    """
    value = os.environ.get(name, "")
    if not value:
        raise ConfigError(f"the environment variable {name} ({what}) is not set for the process that runs TFDrift")
    return value


def existing(path: str, what: str) -> str:
    """``path``, or ConfigError when no file is there."""
    if path and not Path(path).is_file():
        raise ConfigError(f"{what} {path} does not exist")
    return path
