"""Every kind of credential and every way to the server, with kubectl and a real API server, directly and through us."""

import base64
import json
import os
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.addons.run.conftest import write_kubeconfig
from tests.addons.run.proxies import LOGIN, proxy

pytestmark = pytest.mark.cluster

WHO = ("auth", "whoami", "-o", "jsonpath={.status.userInfo.username}")


@pytest.fixture(scope="module")
def ann(api_server):
    """A user with a client certificate, who may act for others."""
    return api_server.client_certificate("ann", ["system:masters"])


def encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def certificate_user(credentials) -> dict[str, str]:
    return {"client-certificate-data": encoded(credentials.certificate), "client-key-data": encoded(credentials.key)}


def plugin_user(folder: Path, status: dict[str, str], **more: Any) -> dict[str, Any]:
    """A user whose plugin answers with `status`, counts its runs and keeps what it was told."""
    answer = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}
    (folder / "answer").write_text(json.dumps(answer))
    plugin = folder / "plugin"
    script = '#!/bin/sh\ncd "$(dirname "$0")"\necho run >>runs\nprintf %s "$KUBERNETES_EXEC_INFO" >told\ncat answer\n'
    plugin.write_text(script)
    plugin.chmod(0o755)
    entry = {"apiVersion": answer["apiVersion"], "command": "./plugin", "interactiveMode": "Never", **more}
    return {"exec": entry}


@pytest.fixture
def who(api_server, run, tmp_path, surroundings):
    """Ask the server who we are, directly and through a run, as a user and with changes to the cluster entry."""

    def ask(user: dict[str, Any], *arguments: str, changes: dict[str, Any] | None = None, **users: Any) -> str:
        cluster = {"server": api_server.apiserver_url, "certificate-authority": str(api_server.ca_file)}
        kept = {key: value for key, value in {**cluster, **(changes or {})}.items() if value is not None}
        path = write_kubeconfig(tmp_path / "kubeconfig", kept, user, **users)
        command = [str(api_server.kubectl_path), *WHO, *arguments]
        direct = subprocess.run(command, env={**os.environ, "KUBECONFIG": str(path)}, capture_output=True, check=False)
        ran = run(*command)
        assert (ran.code, ran.out) == (direct.returncode, direct.stdout.decode()), ran.err + direct.stderr.decode()
        assert len(ran.calls) == (direct.returncode == 0), ran.err
        return ran.out

    return ask


def test_a_token(who, api_server):
    """A service account's, in the kubeconfig itself."""
    assert who({"token": api_server.service_account_token("default")}) == "system:serviceaccount:default:default"


def test_a_token_file(who, api_server, tmp_path):
    """Beside the kubeconfig."""
    (tmp_path / "token").write_text(api_server.service_account_token("default"))
    assert who({"tokenFile": "token"}) == "system:serviceaccount:default:default"


def test_a_client_certificate(who, ann):
    """In the kubeconfig itself."""
    assert who(certificate_user(ann)) == "ann"


def test_a_client_certificate_in_files(who, ann):
    """Outside of it."""
    assert who({"client-certificate": str(ann.certificate), "client-key": str(ann.key)}) == "ann"


def test_several_users_of_one_cluster(who, ann, api_server):
    """Chosen by context and by user, against whatever is the current one."""
    users = {"bob": certificate_user(api_server.client_certificate("bob", ["system:masters"]))}
    token = {"token": api_server.service_account_token("default")}
    assert who(certificate_user(ann), **users) == "ann"
    assert who(certificate_user(ann), "--context=bob", **users) == "bob"
    assert who(certificate_user(ann), "--user=bob", **users) == "bob"
    assert who(token, "--user=bob", **users) == "bob"


def test_a_plugin_with_a_token(who, api_server, tmp_path):
    """It runs once for each kubectl, as it does directly."""
    user = plugin_user(tmp_path, {"token": api_server.service_account_token("default")})
    assert who(user) == "system:serviceaccount:default:default"
    assert (tmp_path / "runs").read_text() == "run\nrun\n"


def test_a_plugin_with_a_client_certificate(who, ann, tmp_path):
    """The proxy shows the server the certificate that the plugin gave to kubectl."""
    status = {"clientCertificateData": ann.certificate.read_text(), "clientKeyData": ann.key.read_text()}
    assert who(plugin_user(tmp_path, status)) == "ann"
    assert (tmp_path / "runs").read_text() == "run\nrun\n"


def test_a_plugin_is_told_of_the_same_cluster(who, ann, tmp_path, api_server):
    """With provideClusterInfo it sees through a run what it sees directly."""
    status = {"clientCertificateData": ann.certificate.read_text(), "clientKeyData": ann.key.read_text()}
    user = plugin_user(tmp_path, status, provideClusterInfo=True, env=[{"name": "A", "value": "b"}])
    (tmp_path / "plugin").write_text((tmp_path / "plugin").read_text().replace(">told", '>>told; echo " $A" >>told'))
    extension = {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "x"}}
    who(user, changes={"extensions": [extension]})
    first, second = (tmp_path / "told").read_text().rstrip("b\n ").split(" b")
    told = [json.loads(first), json.loads(second)]
    assert told[0] == told[1]
    assert told[0]["spec"]["cluster"]["server"] == api_server.apiserver_url
    assert told[0]["spec"]["cluster"]["config"] == {"audience": "x"}


def test_a_plugin_that_is_not_installed(who):
    """kubectl gives its own advice, and the same exit code."""
    assert (
        who(
            {
                "exec": {
                    "apiVersion": "client.authentication.k8s.io/v1",
                    "command": "no-such",
                    "interactiveMode": "Never",
                }
            }
        )
        == ""
    )


def test_impersonation(who, ann):
    """Acting for somebody else is a matter between client and server."""
    assert who({**certificate_user(ann), "as": "eve", "as-groups": ["g"]}) == "eve"
    assert who(certificate_user(ann), "--as=eve") == "eve"


def test_an_unverified_server(who, ann):
    """As the kubeconfig wishes."""
    changes = {"certificate-authority": None, "insecure-skip-tls-verify": True}
    assert who(certificate_user(ann), changes=changes) == "ann"


def test_a_server_by_another_name(who, ann):
    """tls-server-name."""
    assert who(certificate_user(ann), changes={"tls-server-name": "kubernetes.default.svc"}) == "ann"


def address(api_server) -> tuple[str, int]:
    host, _, port = api_server.apiserver_url.removeprefix("https://").rpartition(":")
    return host, int(port)


@contextmanager
def proxy_url(kind: str, api_server) -> Iterator[tuple[str, Any]]:
    scheme, _, login = kind.partition(" ")
    context, host = None, "127.0.0.1"
    if scheme == "https":
        # Go verifies an https proxy with the authorities of the server behind it.
        context, host = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), address(api_server)[0]
        serving = api_server.ca_file.parent / "apiserver"
        context.load_cert_chain(f"{serving}.crt", f"{serving}.key")
    with proxy(scheme, host=host, login=bool(login), context=context) as running:
        name = f"{':'.join(LOGIN)}@" if login else ""
        yield f"{scheme}://{name}{host}:{running.port}", running


@pytest.mark.parametrize("kind", ["http", "http login", "https", "socks5", "socks5 login"])
def test_a_proxy_on_the_way(who, ann, api_server, kind):
    """proxy-url of the kubeconfig, of every kind that kubectl knows; both times the proxy was used."""
    with proxy_url(kind, api_server) as (url, running):
        assert who(certificate_user(ann), changes={"proxy-url": url}) == "ann"
        # Directly once; through us twice, for we ask for the version ourselves.
        assert running.asked == [address(api_server)] * 3


def test_a_proxy_of_the_environment(who, ann, api_server, monkeypatch):
    """HTTPS_PROXY is honoured on the way to the server, and not between the command and us."""
    host, port = address(api_server)
    name = "kubernetes.default.svc"
    with proxy("http", to=host) as running:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{running.port}")
        assert who(certificate_user(ann), changes={"server": f"https://{name}:{port}"}) == "ann"
        assert running.asked == [(name, port)] * 3
