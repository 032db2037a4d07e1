"""The ``gcs`` and ``azurerm`` backends, over the file systems that gcsfs and adlfs give to fsspec.

https://developer.hashicorp.com/terraform/language/backend/gcs and .../azurerm say where the workspaces are.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from typing import Any

from tfdrift_core.config import ConfigError
from tfdrift_core.terraform.backends.base import (
    DEFAULT_WORKSPACE,
    Content,
    Context,
    History,
    Ref,
    Version,
    gather,
    options,
)
from tfdrift_core.terraform.backends.sent import NOTHING_SENT, Sent
from tfdrift_core.terraform.scan import StateError

_CHUNK = 1 << 20
_ACCOUNT = re.compile(r"[a-z0-9]{3,24}")
_STAMPS = ("generation", "etag", "ETag", "last_modified", "updated", "mtime", "created")


@dataclass(frozen=True, slots=True)
class GcsOptions:
    """Credentials as Google's libraries find them (``GOOGLE_APPLICATION_CREDENTIALS``, the instance's account)."""

    bucket: str
    prefix: str = ""
    workspace: str = ""
    endpoint_url: str = ""


@dataclass(frozen=True, slots=True)
class AzureOptions:
    """Credentials as Azure's libraries find them, or ``AZURE_STORAGE_CONNECTION_STRING``."""

    container_name: str
    key: str
    storage_account_name: str = ""
    workspace: str = ""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where states are: ``base`` ends every path's directory part, ``states`` gives the workspace of a path or ""."""

    scheme: str
    base: str
    before: str
    after: str
    default: str

    def workspace(self, path: str) -> str:
        if path == self.default:
            return DEFAULT_WORKSPACE
        middle = path.removeprefix(self.before).removesuffix(self.after)
        whole = path == self.before + middle + self.after
        return middle if whole and middle and "/" not in middle else ""


class Files:
    """States in a file system of fsspec's; ``missing`` and ``denied`` need no case each, fsspec raises OSError."""

    locks_are_listed = False

    def __init__(self, filesystem: Any, layout: Layout, workspace: str, context: Context, sent: Sent) -> None:
        self._files = filesystem
        self._layout = layout
        self._workspace = workspace
        self._context = context
        self.origin = f"{layout.scheme}://{layout.before}"
        self.sent = sent

    def refs(self) -> Sequence[Ref]:
        self._files.invalidate_cache()
        try:
            found = self._files.ls(self._layout.base, detail=True)
        except Exception as error:  # noqa: BLE001 - each provider's library has errors of its own
            raise self._explained(error) from None
        refs = []
        for item in found:
            path = str(item["name"]).strip("/")
            workspace = self._layout.workspace(path)
            if workspace and item.get("type") != "directory" and self._workspace in ("", workspace):
                refs.append(Ref(f"{self._layout.scheme}://{path}", path, workspace, _stamp(item)))
        if not refs:
            raise StateError("no state is there; check the bucket or container, and prefix or key")
        return refs

    def read(self, ref: Ref, known: str) -> Content | None:
        try:
            with self._files.open(ref.key, "rb") as file:
                return Content(gather(_chunks(file), self._context, getattr(file, "size", 0)), ref.version)
        except StateError:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            raise self._explained(error) from None

    def histories(self) -> Sequence[History]:
        if self._layout.scheme != "gs":
            raise StateError(
                "older versions of states in Azure are not read; name copies of them: a directory, s3://, gs://"
            )
        self._files.invalidate_cache()
        try:
            found = self._files.ls(self._layout.base, detail=True, versions=True)
        except Exception as error:  # noqa: BLE001 - as below
            raise self._explained(error) from None
        items: dict[str, list[Mapping[str, Any]]] = {}
        for item in found:
            path = str(item["name"]).partition("#")[0].strip("/")
            workspace = self._layout.workspace(path)
            if workspace and item.get("generation") and self._workspace in ("", workspace):
                items.setdefault(path, []).append(item)
        if not items:
            raise StateError("no version of a state is there; check the bucket and prefix")
        return [
            History(Ref(f"gs://{path}", path, self._layout.workspace(path)), tuple(_generations(versions)))
            for path, versions in items.items()
        ]

    def read_version(self, ref: Ref, version: Version) -> bytes:
        try:
            # Another instance, which takes what follows a # for a generation: states may have one in their names.
            aware = type(self._files)(**{**self._files.storage_options, "version_aware": True})
            with aware.open(f"{ref.key}#{version.key}", "rb") as file:
                return gather(_chunks(file), self._context, getattr(file, "size", 0))
        except StateError:
            raise
        except Exception as error:  # noqa: BLE001 - each provider's library has errors of its own
            raise self._explained(error) from None

    def locked(self, ref: Ref) -> bool:
        return False

    def close(self) -> None:
        """The file systems close their sessions themselves."""

    def _explained(self, error: Exception) -> StateError:
        kind = type(error).__name__
        said = (str(error).strip() or kind).splitlines()[0]
        if isinstance(error, FileNotFoundError):
            return StateError(f"not found: {said}; check the bucket or container, and prefix or key")
        hint = "check the credentials and that they may list and read there"
        return StateError(f"{said} ({kind}); {hint}")


def create(given: Mapping[str, Any], context: Context) -> Files:
    values = {key: value for key, value in given.items() if key != "backend"}
    if given["backend"] == "gcs":
        gcs = options(GcsOptions, values, "gcs")
        more = {"endpoint_url": gcs.endpoint_url} if gcs.endpoint_url else {}
        sent = Sent(gcs.endpoint_url, "Google's default credentials", bound=not gcs.endpoint_url)
        files = _filesystem("gcsfs", "GCSFileSystem", "gcs", more)
        return Files(files, gcs_layout(gcs), gcs.workspace, context, sent)
    azure = options(AzureOptions, values, "azurerm")
    account = {"account_name": azure.storage_account_name, "anon": False} if azure.storage_account_name else {}
    if azure.storage_account_name and not _ACCOUNT.fullmatch(azure.storage_account_name):
        # It becomes a part of the host's name.
        raise ConfigError(f"state backend azurerm: storage_account_name {azure.storage_account_name!r} is none")
    files = _filesystem("adlfs", "AzureBlobFileSystem", "azure", account)
    return Files(files, azure_layout(azure), azure.workspace, context, NOTHING_SENT)


def gcs_layout(settings: GcsOptions) -> Layout:
    base = f"{settings.bucket}/{settings.prefix.strip('/')}".rstrip("/")
    return Layout("gs", base, f"{base}/", ".tfstate", f"{base}/{DEFAULT_WORKSPACE}.tfstate")


def azure_layout(settings: AzureOptions) -> Layout:
    key = f"{settings.container_name}/{settings.key}"
    return Layout("az", key.rpartition("/")[0], f"{key}env:", "", key)


def _filesystem(module: str, kind: str, extra: str, arguments: Mapping[str, Any]) -> Any:
    try:
        return getattr(import_module(module), kind)(**arguments)
    except ImportError:
        raise ConfigError(f"state backend {extra}: {module} is missing; pip install 'tfdrift-falco[{extra}]'") from None
    except Exception as error:  # noqa: BLE001 - each provider's library has errors of its own
        raise ConfigError(f"state backend {extra}: {module} says: {error}; check the credentials") from None


def _generations(items: Sequence[Mapping[str, Any]]) -> Iterator[Version]:
    """The generations of one object, and where it was deleted in between, the oldest first.

    A generation that is not the live one has the time at which it was replaced or deleted:
    https://cloud.google.com/storage/docs/json_api/v1/objects
    """
    ordered = sorted(items, key=lambda item: int(item["generation"]))
    for item, following in zip(ordered, [*ordered[1:], None], strict=True):
        yield Version(_moment(item.get("timeCreated")), str(item["generation"]))
        ended = _moment(item.get("timeDeleted"))
        if ended and (following is None or ended < _moment(following.get("timeCreated"))):
            yield Version(ended, "")


def _moment(text: object) -> int:
    try:
        return int(datetime.fromisoformat(str(text)).timestamp() * 1000) * 1_000_000
    except ValueError:
        return 0


def _stamp(item: Mapping[str, Any]) -> str:
    return " ".join(str(item[name]) for name in _STAMPS if item.get(name)) + f" {item.get('size')}"


def _chunks(file: Any) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK):
        yield bytes(chunk)
