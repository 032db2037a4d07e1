"""What is shipped to run TFDrift gives it no right that it does not need."""

import configparser
from collections import OrderedDict
from typing import Any

import yaml

from tests.real.forky import REPO

DEPLOY = REPO / "deploy"


def _yaml(path: str) -> Any:
    return yaml.safe_load((DEPLOY / path).read_text(encoding="utf-8"))


def _is_locked(context: Any) -> bool:
    return bool(
        context["readOnlyRootFilesystem"]
        and context["allowPrivilegeEscalation"] is False
        and context["capabilities"] == {"drop": ["ALL"]}
    )


def test_the_chart_runs_without_root_or_capabilities_on_a_root_that_is_read_only() -> None:
    values = _yaml("helm/values-tfdrift.yaml")
    pod = values["podSecurityContext"]
    assert pod["runAsNonRoot"]
    assert pod["runAsUser"] == pod["fsGroup"] == 10001
    assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert _is_locked(values["containerSecurityContext"])
    assert _is_locked(values["falcoctl"]["artifact"]["install"]["securityContext"])
    written = {mount["mountPath"] for mount in values["mounts"]["volumeMounts"]}
    assert written == {"/var/lib/tfdrift", "/tmp"}
    assert {mount["name"] for mount in values["mounts"]["volumeMounts"]} == {
        v["name"] for v in values["mounts"]["volumes"]
    }


def test_the_chart_installs_what_falcoctl_verifies() -> None:
    config = _yaml("helm/values-tfdrift.yaml")["falcoctl"]["config"]
    install = config["artifact"]["install"]
    names = {entry["name"] for entry in _yaml("falcoctl/index.yaml")}
    assert install["noVerify"] is False
    assert {ref.partition(":")[0] for ref in install["refs"]} <= names
    assert all("signature" in entry for entry in _yaml("falcoctl/index.yaml"))
    assert [index["name"] for index in config["indexes"]] == ["tfdrift"]


def test_the_containers_do_as_well() -> None:
    lines = (DEPLOY / "container" / "Dockerfile").read_text(encoding="utf-8").splitlines()
    assert "USER 10001:10001" in lines
    falco = _yaml("container/compose.yaml")["services"]["falco"]
    assert falco["user"] == "10001:10001"
    assert falco["read_only"]
    assert falco["cap_drop"] == ["ALL"]
    assert falco["security_opt"] == ["no-new-privileges:true"]


def test_the_unit_of_a_host_is_narrowed() -> None:
    unit = configparser.ConfigParser(dict_type=OrderedDict)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string((DEPLOY / "host" / "tfdrift.conf").read_text(encoding="utf-8"))
    service = unit["Service"]
    assert service["User"] == "tfdrift"
    assert service["CapabilityBoundingSet"] == service["AmbientCapabilities"] == ""
    assert service["ProtectSystem"] == "strict"
    assert service["StateDirectory"] == "tfdrift"
    assert service["SystemCallFilter"] == "@system-service"
    for name in (
        "NoNewPrivileges",
        "ProtectHome",
        "PrivateTmp",
        "PrivateDevices",
        "RestrictNamespaces",
        "LockPersonality",
    ):
        assert service[name] == "yes"
