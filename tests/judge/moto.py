"""Moto's server, in this process, so that a fork of the process is a copy of the whole AWS account."""

import json
import logging
import os
import socket
from collections.abc import Iterator
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
    """Adds reads of the recent provider that moto 5.2.5 lacks; of what it does not keep they answer nothing.

    Moments are a number in JSON, which is all that the recent provider reads; moto writes some as text.
    """
    from moto.budgets.responses import BudgetsResponse
    from moto.codecommit.models import CodeCommit
    from moto.codecommit.responses import CodeCommitResponse
    from moto.codepipeline.models import CodePipeline
    from moto.datasync.responses import DataSyncResponse
    from moto.dms.models import FakeReplicationInstance
    from moto.emr.responses import ElasticMapReduceResponse

    def list_budget_tags(self: Any) -> str:
        return json.dumps({"ResourceTags": []})

    def list_sync_tags(self: Any) -> str:
        return json.dumps({"Tags": []})

    def list_repository_tags(self: Any) -> str:
        return json.dumps({"tags": {}})

    def get_auto_termination_policy(self: Any) -> str:
        return json.dumps({})

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

    BudgetsResponse.list_tags_for_resource = list_budget_tags
    DataSyncResponse.list_tags_for_resource = list_sync_tags
    ElasticMapReduceResponse.get_auto_termination_policy = get_auto_termination_policy
    FakeReplicationInstance.to_dict = to_dict
    CodePipeline.metadata = property(metadata)
    CodeCommit.__init__ = make
    CodeCommitResponse.list_tags_for_resource = list_repository_tags
