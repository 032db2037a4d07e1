"""Moto's server, in this process, so that a fork of the process is a copy of the whole AWS account."""

import importlib
import json
import logging
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

os.environ.setdefault("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(port: int) -> Iterator[str]:
    """Serves this process's account; gives the endpoint.  What was made stays in the process afterwards."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", port, verbose=False)
    server.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.stop()
        if server._server is not None:
            server._server.server_close()


def seed() -> None:
    """Makes moto's ids the same in every run, and moto answer the calls that it lacks."""
    from moto.moto_api._internal import mock_random

    mock_random.seed(20260105)
    _complete_iam()
    _complete_reads()
    _complete_answers()


ANSWERS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "moto.budgets.responses:BudgetsResponse": {"list_tags_for_resource": {"ResourceTags": []}},
    "moto.codecommit.responses:CodeCommitResponse": {"list_tags_for_resource": {"tags": {}}},
    "moto.datasync.responses:DataSyncResponse": {"list_tags_for_resource": {"Tags": []}},
    "moto.emr.responses:ElasticMapReduceResponse": {"get_auto_termination_policy": {}},
    "moto.iot.responses:IoTResponse": {"list_tags_for_resource": {"tags": []}},
    "moto.ssoadmin.responses:SSOAdminResponse": {
        "list_tags_for_resource": {"Tags": []},
        "describe_permission_set_provisioning_status": {"PermissionSetProvisioningStatus": {"Status": "SUCCEEDED"}},
    },
    "moto.securityhub.responses:SecurityHubResponse": {"update_security_hub_configuration": {}},
    "moto.stepfunctions.responses:StepFunctionResponse": {
        "validate_state_machine_definition": {"result": "OK", "diagnostics": [], "truncated": False},
        "list_state_machine_versions": {"stateMachineVersions": []},
    },
    "moto.ram.responses:ResourceAccessManagerResponse": {"list_resource_share_permissions": {"permissions": []}},
}
"""What moto answers to calls that it lacks and that a recent provider makes with every read: nothing is there."""


def _complete_answers() -> None:
    """Adds the ``ANSWERS``, so that the provider can read the resources of these services at all."""
    from moto.core.responses import TYPE_RESPONSE
    from moto.ram import urls
    from moto.ram.responses import ResourceAccessManagerResponse

    def answering(body: Mapping[str, Any]) -> Callable[..., TYPE_RESPONSE]:
        return lambda *_: (200, {}, json.dumps(body))

    for place, calls in ANSWERS.items():
        module, _, name = place.partition(":")
        for call, body in calls.items():
            setattr(getattr(importlib.import_module(module), name), call, answering(body))
    urls.url_paths["{0}/listresourcesharepermissions$"] = ResourceAccessManagerResponse.dispatch


def _complete_iam() -> None:
    """Adds what moto 5.2.5 lacks of IAM: it answers 500 to three calls and drops the new path of a group that keeps its
    name (``IAMBackend.update_group``).

    Each call does what the API reference says and no more, so that the provider has something to read:
    https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutUserPermissionsBoundary.html,
    API_DeleteUserPermissionsBoundary, API_AddClientIDToOpenIDConnectProvider and API_UpdateGroup.
    """
    from moto.core.responses import ActionResult, EmptyResult
    from moto.iam.models import IAMBackend, User
    from moto.iam.responses import IamResponse

    def put_user_permissions_boundary(self: Any) -> ActionResult:
        boundary = self._get_param("PermissionsBoundary")
        self.backend.get_user(self._get_param("UserName")).permissions_boundary = {
            "PermissionsBoundaryType": "Policy",
            "PermissionsBoundaryArn": boundary,
        }
        return EmptyResult()

    def delete_user_permissions_boundary(self: Any) -> ActionResult:
        self.backend.get_user(self._get_param("UserName")).permissions_boundary = None
        return EmptyResult()

    def add_client_id_to_open_id_connect_provider(self: Any) -> ActionResult:
        provider = self.backend.get_open_id_connect_provider(self._get_param("OpenIDConnectProviderArn"))
        client = self._get_param("ClientID")
        if client not in provider.client_id_list:
            provider.client_id_list.append(client)
        return EmptyResult()

    renamed = IAMBackend.update_group

    def update_group(self: Any, group_name: str, new_group_name: str | None, new_path: str | None) -> None:
        if new_path and not new_group_name:
            self.get_group(group_name).path = new_path
        renamed(self, group_name, new_group_name, new_path)

    User.permissions_boundary = None
    for call in (
        put_user_permissions_boundary,
        delete_user_permissions_boundary,
        add_client_id_to_open_id_connect_provider,
    ):
        setattr(IamResponse, call.__name__, call)
    IAMBackend.update_group = update_group


def _complete_reads() -> None:
    """Answers moments as numbers, which alone the recent provider reads in JSON; moto 5.2.5 writes some as text."""
    from moto.codecommit.models import CodeCommit
    from moto.codepipeline.models import CodePipeline
    from moto.dms.models import FakeReplicationInstance

    described = FakeReplicationInstance.to_dict

    def to_dict(self: Any) -> dict[str, Any]:
        return {**described(self), "InstanceCreateTime": self.creation_date.timestamp()}

    def metadata(self: Any) -> dict[str, Any]:
        moments = {"created": self._created.timestamp(), "updated": self._updated.timestamp()}
        return {"pipelineArn": self._arn, **moments}

    made = CodeCommit.__init__

    def make(self: Any, *arguments: Any) -> None:
        made(self, *arguments)
        moment = datetime.now(UTC).timestamp()
        self.repository_metadata |= {"creationDate": moment, "lastModifiedDate": moment}

    FakeReplicationInstance.to_dict = to_dict
    CodePipeline.metadata = property(metadata)
    CodeCommit.__init__ = make
