"""State backends: one module each, with ``create(options, context) -> Backend``."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from tfdrift_core.config import ConfigError
from tfdrift_core.terraform.backends.base import Backend, Content, Context, History, Ref, Version, Versioned

_OF_BUCKETS = ("s3", "gs")
_MODULES = {
    "local": "local",
    "s3": "s3",
    "http": "http",
    "remote": "hcp",
    "cloud": "hcp",
    "hcp": "hcp",
    "gcs": "fsspec",
    "azurerm": "fsspec",
    "pg": "pg",
    "consul": "consul",
    "kubernetes": "kubernetes",
}


def create(spec: Mapping[str, Any], context: Context) -> Backend:
    """The backend of one ``state:`` entry (``url``, ``path`` or ``backend`` with its options).

    :raises ConfigError: when the entry names no backend or its options are wrong.
    """
    given = {key: value for key, value in spec.items() if key not in ("backend", "url", "account")}
    name = spec.get("backend") or ("local" if "path" in spec else "")
    if "url" in spec:
        try:
            from_url, name_of_url = _from_url(spec["url"])
        except ConfigError:
            raise
        except ValueError as error:  # of urlsplit
            raise ConfigError(f"state {spec['url']!r} is not a URL: {error}") from None
        given, name = {**from_url, **given}, name or name_of_url
    if not name:
        raise ConfigError("a state entry needs url, path or backend; add one")
    module = import_module(f"{__name__}.{_MODULES[name]}")
    if _MODULES[name] == "fsspec":
        given["backend"] = name
    backend: Backend = module.create(given, context)
    return backend


def _from_url(url: str) -> tuple[Mapping[str, Any], str]:
    scheme = urlsplit(url).scheme if "://" in url else ""
    if scheme in ("", "file"):
        return {"path": url.removeprefix("file://")}, "local"
    if scheme not in _URLS:
        raise ConfigError(f"state {url!r}: unknown scheme; use a path or one of {', '.join(s + '://' for s in _URLS)}")
    name, split = _URLS[scheme]
    if scheme in _OF_BUCKETS and not urlsplit(url).netloc:
        raise ConfigError(f"state {url!r} names no bucket; write {scheme}://bucket/prefix/")
    return split(url), name


def _bucket_url(url: str) -> Mapping[str, Any]:
    parts = urlsplit(url)
    key = parts.path.lstrip("/")
    return {"bucket": parts.netloc, ("prefix" if not key or key.endswith("/") else "key"): key}


def _gcs_url(url: str) -> Mapping[str, Any]:
    parts = urlsplit(url)
    return {"bucket": parts.netloc, "prefix": parts.path.strip("/")}


def _hcp_url(url: str) -> Mapping[str, Any]:
    parts = urlsplit(url)
    organization, _, workspace = parts.path.strip("/").partition("/")
    found = {"hostname": parts.netloc, "organization": organization}
    return {**found, "workspaces": [workspace]} if workspace else found


_URLS: dict[str, tuple[str, Callable[[str], Mapping[str, Any]]]] = {
    "s3": ("s3", _bucket_url),
    "http": ("http", lambda url: {"address": url}),
    "https": ("http", lambda url: {"address": url}),
    "gs": ("gcs", _gcs_url),
    "hcp": ("hcp", _hcp_url),
    "postgres": ("pg", lambda url: {"conn_str": url}),
    "postgresql": ("pg", lambda url: {"conn_str": url}),
    "consul": ("consul", lambda url: {"address": urlsplit(url).netloc, "path": urlsplit(url).path.lstrip("/")}),
}

__all__ = ["Backend", "Content", "Context", "History", "Ref", "Version", "Versioned", "create"]
