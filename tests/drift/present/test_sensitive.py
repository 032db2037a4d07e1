"""No value of a member that AWS itself calls sensitive is shown, whatever the service; what it is called stays."""

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.loaders import Loader

from tests.drift.present.make_sensitive import TARGET, text
from tfdrift_core.drift.present.redact import SENSITIVE, Redactor, sensitive_attribute

PLANTED = "planted-value"
_LOADER = Loader()
_SERVICES = _LOADER.list_available_services("service-2")


def _first_lower(name: str) -> str:
    return name[:1].lower() + name[1:]


class _Sample:
    """A value for a shape, with ``PLANTED`` wherever the model says that it is sensitive."""

    def __init__(self, shapes: dict[str, Any]) -> None:
        self._shapes = shapes
        self.planted = False

    def of(self, reference: dict[str, Any], hidden: bool = False, inside: tuple[str, ...] = ()) -> Any:
        name = reference["shape"]
        shape = self._shapes[name]
        hidden = hidden or bool(reference.get("sensitive") or shape.get("sensitive"))
        if name in inside or len(inside) > 12:
            return None
        inside = (*inside, name)
        match shape["type"]:
            case "structure":
                return {_first_lower(n): self.of(r, hidden, inside) for n, r in shape.get("members", {}).items()}
            case "list":
                return [self.of(shape["member"], hidden, inside)]
            case "map":
                return {"some-key": self.of(shape["value"], hidden, inside)}
            case "string" | "blob" if hidden:
                self.planted = True
                return PLANTED
            case "string" | "blob":
                return "shown"
        return None


def _calls(service: str) -> Iterator[tuple[str, dict[str, Any]]]:
    model = _LOADER.load_service_model(service, "service-2")
    for operation, given in model["operations"].items():
        sample = _Sample(model["shapes"])
        parts = {
            part: sample.of(given[side])
            for side, part in (("input", "requestParameters"), ("output", "responseElements"))
            if side in given
        }
        if sample.planted:
            source = f"{model['metadata'].get('endpointPrefix', service)}.amazonaws.com"
            yield operation, {"eventSource": source, "eventName": operation, **parts}


@pytest.mark.parametrize("service", _SERVICES)
def test_nothing_that_a_model_calls_sensitive_is_shown(service: str) -> None:
    for operation, record in _calls(service):
        for versioned in ("", "20150331v2"):
            shown = json.dumps(Redactor().record({**record, "eventName": operation + versioned}))
            assert PLANTED not in shown, operation
            assert shown.count('"shown"') <= json.dumps(record).count('"shown"')


@pytest.mark.parametrize("service", ["appflow", "iam", "ecs"])
def test_a_service_by_a_name_that_no_model_has_is_hidden_as_well(service: str) -> None:
    for operation, record in _calls(service):
        assert PLANTED not in json.dumps(Redactor().record({**record, "eventSource": "new-name.amazonaws.com"})), (
            operation
        )


def test_what_stands_beside_it_is_shown() -> None:
    request = {
        "connectorProfileName": "p",
        "connectorProfileConfig": {
            "connectorProfileCredentials": {
                "CustomConnector": {"authenticationType": "CUSTOM", "custom": {"credentialsMap": {"a": PLANTED}}}
            }
        },
    }
    record = {
        "eventSource": "appflow.amazonaws.com",
        "eventName": "CreateConnectorProfile",
        "requestParameters": request,
    }
    shown = Redactor().record(record)["requestParameters"]
    assert shown["connectorProfileName"] == "p"
    custom = shown["connectorProfileConfig"]["connectorProfileCredentials"]["CustomConnector"]
    assert custom == {"authenticationType": "CUSTOM", "custom": {"credentialsMap": {"a": SENSITIVE}}}


def test_the_lists_and_bodies_that_records_have_around_members_hide_nothing() -> None:
    options = {"TunnelOptions": {"items": [{"PreSharedKey": PLANTED, "DpdTimeoutSeconds": 30}]}}
    record = {
        "eventSource": "ec2.amazonaws.com",
        "eventName": "CreateVpnConnection",
        "requestParameters": {"CreateVpnConnectionRequest": {"Options": options}},
    }
    assert PLANTED not in json.dumps(Redactor().record(record))


@pytest.mark.parametrize(
    "name",
    [
        "apiKeySecret",
        "walletSecret",
        "wallet_secret",
        "credentialsMap",
        "credentials_map",
        "secretHash",
        "authCode",
        "otp",
    ],
)
def test_names_hide_where_no_model_tells(name: str) -> None:
    record = {
        "eventSource": "x.amazonaws.com",
        "eventName": "Anything",
        "requestParameters": {"a": {name: {"b": PLANTED}}},
    }
    assert PLANTED not in json.dumps(Redactor().record(record))
    assert sensitive_attribute("aws_thing", (name,))


@pytest.mark.parametrize("name", ["hasSecret", "manageSecret", "secretArn", "secretName", "clientToken"])
def test_names_that_only_look_so_are_shown(name: str) -> None:
    assert not sensitive_attribute("aws_thing", (name,))


def test_the_data_is_what_the_models_give() -> None:
    kept = gzip.decompress(TARGET.read_bytes()).decode()
    assert kept == text(), "run: python -m tests.drift.present.make_sensitive"
