"""An API server without nodes."""

from __future__ import annotations

import datetime
import json
import ssl
import subprocess
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from cluster import ApiServer

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.cluster


def test_the_audit_log_has_a_call_as_soon_as_it_was_answered(api_server: ApiServer, namespace: str) -> None:
    """The audit log is the ground truth: nothing is buffered, and each call is in it once."""
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    api_server.kubectl("create", "configmap", "settings", f"--namespace={namespace}")
    events = [json.loads(line) for line in api_server.audit_log.read_text().splitlines()]
    created = [event for event in events if event["requestURI"].startswith(f"{path}?")]
    assert [(event["verb"], event["stage"], event["responseStatus"]["code"]) for event in created] == [
        ("create", "ResponseComplete", 201)
    ]


def test_a_client_certificate_is_any_user_one_likes(api_server: ApiServer) -> None:
    """The user and the groups are those the certificate was asked for with."""
    jane = api_server.client_certificate("jane", ["dev", "ops"])
    answer = json.loads(api_server.kubectl("--kubeconfig", jane.kubeconfig, "auth", "whoami", "-o", "json"))
    assert answer["status"]["userInfo"]["username"] == "jane"
    assert answer["status"]["userInfo"]["groups"] == ["dev", "ops", "system:authenticated"]


def test_an_expired_client_certificate_is_refused(api_server: ApiServer) -> None:
    """Tests of bad credentials can have one that was good yesterday."""
    late = api_server.client_certificate("late", ["system:masters"], lifetime=datetime.timedelta(hours=-1))
    with pytest.raises(subprocess.CalledProcessError) as error:
        api_server.kubectl("--kubeconfig", late.kubeconfig, "get", "namespaces")
    assert "must be logged in" in error.value.__notes__[0] or "Unauthorized" in error.value.__notes__[0]


def test_a_service_account_token_is_its_service_account(api_server: ApiServer, namespace: str) -> None:
    """The token authenticates as the namespace's default service account."""
    token = api_server.service_account_token(namespace)
    request = urllib.request.Request(
        f"{api_server.apiserver_url}/apis/authentication.k8s.io/v1/selfsubjectreviews",
        json.dumps({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}).encode(),
        {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
    )
    context = trusting(api_server)
    with urllib.request.urlopen(request, context=context, timeout=10) as response:
        review = json.load(response)
    assert review["status"]["userInfo"]["username"] == f"system:serviceaccount:{namespace}:default"


def test_the_server_calls_itself_by_its_release(api_server: ApiServer) -> None:
    """Clients and catalogues are chosen by the version the server reports."""
    version = json.loads(api_server.kubectl("version", "-o", "json"))
    assert version["serverVersion"]["gitVersion"] == version["clientVersion"]["gitVersion"]
    assert (version["serverVersion"]["major"], version["serverVersion"]["minor"]) == ("1", "36")


@pytest.fixture(scope="module")
def own_server() -> Iterator[ApiServer]:
    """A server that a test may change, with every stage in its audit log."""
    with ApiServer.start(audit_request_received=True) as server:
        yield server


def test_several_servers_run_side_by_side(api_server: ApiServer, own_server: ApiServer) -> None:
    """They share no address, no folder and no object."""
    own_server.kubectl("create", "namespace", "only-here")
    assert own_server.apiserver_url != api_server.apiserver_url
    assert own_server.directory != api_server.directory
    assert "namespace/only-here" not in api_server.kubectl("get", "namespaces", "-o", "name").split()


def test_the_audit_log_can_have_a_requests_beginning(own_server: ApiServer) -> None:
    """With the option, each call has a line when it arrives and one when it is over."""
    own_server.kubectl("get", "--raw", "/version?stages=all")
    events = [json.loads(line) for line in own_server.audit_log.read_text().splitlines()]
    stages = [event["stage"] for event in events if event["requestURI"] == "/version?stages=all"]
    assert stages == ["RequestReceived", "ResponseComplete"]


def test_a_restart_changes_arguments_and_keeps_objects_and_audit_log(own_server: ApiServer) -> None:
    """Address, objects and the log stay; the new arguments are in force."""
    own_server.kubectl("create", "configmap", "kept")
    assert anonymous_status(own_server) == 200
    before = own_server.audit_log.read_text()
    own_server.restart_apiserver(["--anonymous-auth=false"])
    assert anonymous_status(own_server) == 401
    assert "configmap/kept" in own_server.kubectl("get", "configmaps", "-o", "name").split()
    assert own_server.audit_log.read_text().startswith(before)


def test_a_server_that_cannot_start_says_why() -> None:
    """The error names the component and shows the end of its log; nothing is left running."""
    with pytest.raises(RuntimeError, match=r"(?s)kube-apiserver ended with status 1.*unknown flag: --no-such-flag"):
        ApiServer.start(arguments=["--no-such-flag"])


def trusting(server: ApiServer) -> ssl.SSLContext:
    """Return a TLS context that trusts a server's authority."""
    return ssl.create_default_context(cafile=str(server.ca_file))


def anonymous_status(server: ApiServer) -> int:
    """Ask for the version without credentials and return the answer's status."""
    try:
        with urllib.request.urlopen(
            f"{server.apiserver_url}/version", context=trusting(server), timeout=10
        ) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code
