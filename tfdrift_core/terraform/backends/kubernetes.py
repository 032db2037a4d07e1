"""The ``kubernetes`` backend: secrets ``tfstate-WORKSPACE-SUFFIX`` that hold the compressed state, in parts when large.

https://developer.hashicorp.com/terraform/language/backend/kubernetes; access as client-go does it: the pod's service
account, or a kubeconfig file with a token or a client certificate.
"""

import base64
import json
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from tfdrift_core.config import ConfigError
from tfdrift_core.terraform.backends.base import Content, Context, Ref, gunzip, options
from tfdrift_core.terraform.backends.sent import Sent
from tfdrift_core.terraform.backends.web import Web
from tfdrift_core.terraform.scan import StateError

_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
_PART = re.compile(r"(?:-part)?-(\d+)$")


@dataclass(frozen=True, slots=True)
class Options:
    """Without ``workspace`` all are loaded."""

    secret_suffix: str
    namespace: str = ""
    config_path: str = ""
    config_context: str = ""
    in_cluster_config: bool = False
    workspace: str = ""


@dataclass(frozen=True, slots=True)
class _Access:
    server: str
    namespace: str = "default"
    token: str = ""
    ca: bytes = b""
    certificate: bytes = b""
    key: bytes = b""
    verify: bool = True


class Kubernetes:
    locks_are_listed = False

    def __init__(self, settings: Options, context: Context) -> None:
        access = _access(settings)
        self._context = context
        # A kubeconfig says itself which server its credentials are for.
        own = settings.config_path in ("", "~/.kube/config", *map(os.environ.get, ("KUBE_CONFIG_PATH", "KUBECONFIG")))
        self.sent = Sent(access.server, f"what {settings.config_path} names", bound=own)
        self._files = tempfile.TemporaryDirectory(prefix="tfdrift-")  # mode 0700; OpenSSL reads keys from files only
        namespace = settings.namespace or os.environ.get("KUBE_NAMESPACE") or access.namespace
        labels = {"tfstate": "true", "tfstateSecretSuffix": settings.secret_suffix}
        if settings.workspace:
            labels["tfstateWorkspace"] = settings.workspace
        selector = quote(",".join(f"{key}={value}" for key, value in labels.items()))
        self._secrets = f"{access.server.rstrip('/')}/api/v1/namespaces/{quote(namespace)}/secrets"
        self._list = f"{self._secrets}?labelSelector={selector}"
        self._suffix = settings.secret_suffix
        self.origin = f"kubernetes://{namespace}/tfstate-{settings.workspace or '*'}-{settings.secret_suffix}"
        self._namespace = namespace
        certificate = (self._file("crt", access.certificate), self._file("key", access.key))
        self._web = Web(
            context,
            {"Authorization": f"Bearer {access.token}"} if access.token else {},
            credentials=f"the service account or kubeconfig (it needs get and list on secrets in {namespace})",
            ca_file=self._file("ca", access.ca),
            verify=access.verify,
            client_certificate=certificate if all(certificate) else None,
        )

    def refs(self) -> Sequence[Ref]:
        document = json.loads(self._web.get(self._list, {"Accept": _METADATA}).data)
        workspaces: dict[str, list[Mapping[str, Any]]] = {}
        for item in document.get("items", ()):
            metadata = item.get("metadata", {})
            workspaces.setdefault(metadata.get("labels", {}).get("tfstateWorkspace", ""), []).append(metadata)
        if not workspaces:
            raise StateError("no state is there; check secret_suffix, namespace and workspace")
        return [self._ref(workspace, secrets) for workspace, secrets in sorted(workspaces.items())]

    def read(self, ref: Ref, known: str) -> Content | None:
        parts = []
        for name in ref.key.split():
            document = json.loads(self._web.get(f"{self._secrets}/{name}").data)
            value = (document.get("data") or {}).get("tfstate")
            if not value:
                raise StateError(f"the secret {name} holds no tfstate; terraform apply writes it")
            parts.append(base64.b64decode(value))
        return Content(gunzip(b"".join(parts), self._context), ref.version)

    def locked(self, ref: Ref) -> bool:
        return False

    def close(self) -> None:
        self._web.close()
        self._files.cleanup()

    def _ref(self, workspace: str, secrets: Sequence[Mapping[str, Any]]) -> Ref:
        first = f"tfstate-{workspace}-{self._suffix}"
        ordered = sorted(secrets, key=lambda m: _part(m.get("name", ""), first))
        names = " ".join(str(metadata.get("name", "")) for metadata in ordered)
        version = " ".join(str(metadata.get("resourceVersion", "")) for metadata in ordered)
        return Ref(f"kubernetes://{self._namespace}/{first}", names, workspace, version)

    def _file(self, name: str, content: bytes) -> str:
        if not content:
            return ""
        path = Path(self._files.name, name)
        path.write_bytes(content)
        return str(path)


def create(given: Mapping[str, Any], context: Context) -> Kubernetes:
    return Kubernetes(options(Options, given, "kubernetes"), context)


def _part(name: str, first: str) -> int:
    match = _PART.fullmatch(name.removeprefix(first))
    return int(match[1]) if match else 0


def _access(settings: Options) -> _Access:
    path = settings.config_path or os.environ.get("KUBE_CONFIG_PATH") or os.environ.get("KUBECONFIG", "")
    if settings.in_cluster_config or (not path and _ACCOUNT.joinpath("token").exists()):
        host, port = os.environ.get("KUBERNETES_SERVICE_HOST", ""), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
        if not host or not _ACCOUNT.joinpath("token").exists():
            raise ConfigError("state backend kubernetes: this is not a pod with a service account; use config_path")
        account = {name: _ACCOUNT.joinpath(name).read_bytes() for name in ("token", "ca.crt", "namespace")}
        namespace = account["namespace"].decode().strip()
        host = f"[{host}]" if ":" in host else host
        return _Access(f"https://{host}:{port}", namespace, account["token"].decode().strip(), account["ca.crt"])
    file = Path(path or "~/.kube/config").expanduser()
    try:
        document = yaml.safe_load(file.read_text())
        return _from_kubeconfig(document, settings.config_context, file.parent)
    except OSError as error:
        raise ConfigError(f"state backend kubernetes: {file}: {error.strerror}; check config_path") from None
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, StopIteration, ValueError) as error:
        raise ConfigError(f"state backend kubernetes: {file} is not a usable kubeconfig: {error!r}") from None


def _from_kubeconfig(document: Mapping[str, Any], wanted: str, folder: Path) -> _Access:
    def named(kind: str, name: str) -> Mapping[str, Any]:
        entry: Mapping[str, Any] = next(entry[kind] for entry in document[f"{kind}s"] if entry["name"] == name)
        return entry

    def content(entry: Mapping[str, Any], name: str) -> bytes:
        if f"{name}-data" in entry:
            return base64.b64decode(entry[f"{name}-data"])
        return (folder / entry[name]).read_bytes() if name in entry else b""

    context = named("context", wanted or document["current-context"])
    cluster, user = named("cluster", context["cluster"]), named("user", context["user"])
    if "exec" in user or "auth-provider" in user:
        raise ConfigError(
            "state backend kubernetes: the kubeconfig runs a program for its credentials, which TFDrift does not; "
            "use a service account's token, or run in the cluster"
        )
    token = str(user.get("token") or "")
    if "tokenFile" in user:
        token = (folder / user["tokenFile"]).read_text().strip()
    return _Access(
        server=cluster["server"],
        namespace=context.get("namespace") or "default",
        token=token,
        ca=content(cluster, "certificate-authority"),
        certificate=content(user, "client-certificate"),
        key=content(user, "client-key"),
        verify=not cluster.get("insecure-skip-tls-verify", False),
    )
