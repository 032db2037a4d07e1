"""Brings the encodings that CloudTrail uses for request parameters to one shape.

EC2 logs a list as ``{"items": [...]}`` and, for newer calls, the whole body as one ``<Event>Request`` object made from
XML (``{"tag": 1, "content": "sg-1"}``, a one-element list as a bare object); CloudFront logs ``{"quantity": 1,
"items": [...]}``; API Gateway v1 puts the body under ``<operation>Input``.  What remains is plain objects and lists,
except that a one-element list of an XML body is still a bare element, which the expression function ``list`` mends.
"""

from collections.abc import Mapping
from typing import Any

from tfdrift_core.drift import names
from tfdrift_core.drift.change.partial import may_have_failed, without_failed
from tfdrift_core.drift.change.pending import of_now
from tfdrift_core.drift.compare.forms import network
from tfdrift_core.records.record import Record

_MAX_DEPTH = 64
_NESTED = (dict, list)
_WRAPPER_ENDINGS = ("Request", "Response", "Req", "Resp")


def canonical_request(record: Record) -> dict[str, Any]:
    """The request parameters in plain form, without what failed or is yet to happen.

    An API Gateway body is found under ``input``.
    """
    request = _plain(_unwrap(record.request, record.service))
    if may_have_failed(record.response):
        request = without_failed(request, canonical_response(record))
    request = of_now(record.service, record.operation, request, record.response)
    if record.service == "ec2":
        request = _networks(request, "", 0)
    if record.service == "apigateway":
        body = f"{record.operation[:1].lower()}{record.operation[1:]}Input"
        if isinstance(request.get(body), dict):
            request["input"] = request.pop(body)
    return request


def canonical_response(record: Record) -> dict[str, Any]:
    """The response elements in plain form."""
    return _plain(_unwrap(record.response, record.service))


def _networks(value: Any, name: str, depth: int) -> Any:
    """Ranges as EC2 keeps them, whatever the caller wrote; a tag's value is no range."""
    if depth > _MAX_DEPTH:
        return value
    if isinstance(value, dict):
        return {
            key: _networks(member, key, depth + 1) if isinstance(member, _NESTED) or "cidr" in key.lower() else member
            for key, member in value.items()
        }
    if isinstance(value, list):
        return [_networks(element, name, depth + 1) for element in value]
    return network(value) if isinstance(value, str) and "cidr" in name.lower() else value


def _unwrap(parameters: Mapping[str, Any], service: str) -> Mapping[str, Any]:
    if service == "ec2" and len(parameters) == 1:
        key, body = next(iter(parameters.items()))
        if key[:1].isupper() and key.endswith(_WRAPPER_ENDINGS):
            return _strip_xml(body, 0) if isinstance(body, dict) else {}
    return parameters


def _strip_xml(value: Any, depth: int) -> Any:
    if depth > _MAX_DEPTH:
        return None
    if isinstance(value, list):
        return [_strip_xml(element, depth + 1) for element in value]
    if not isinstance(value, dict):
        return value
    if "content" in value and value.keys() <= {"content", "tag"}:
        return value["content"]
    if value.keys() == {"item"}:
        item = _strip_xml(value["item"], depth + 1)
        return item if isinstance(item, list) else [item]
    return {
        key: _strip_xml(member, depth + 1)
        for key, member in value.items()
        if key != "xmlns" and not (key == "tag" and isinstance(member, int))
    }


def _plain(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _plain_value(value, 0) if isinstance(value, _NESTED) else _parameter(value)
        for key, value in parameters.items()
        if key != "Host"
    }


def _parameter(value: Any) -> Any:
    """A parameter of the request's path is logged percent-encoded; of names that cannot be told from real ones."""
    return names.plain(value) if isinstance(value, str) and "%" in value and names.is_encoded_arn(value) else value


def _plain_value(value: Any, depth: int) -> Any:
    if depth > _MAX_DEPTH:
        return None
    if not isinstance(value, dict):
        return [_plain_value(element, depth + 1) for element in value] if isinstance(value, list) else value
    if "items" in value and value.keys() <= {"items", "quantity"}:
        items = value["items"]
        return [_plain_value(element, depth + 1) for element in items] if isinstance(items, list) else []
    if len(value) == 1 and value.get("quantity") == 0:
        return []
    return {
        key: _plain_value(member, depth + 1) if isinstance(member, _NESTED) else member
        for key, member in value.items()
        if key != "xmlns"
    }
