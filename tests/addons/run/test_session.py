"""Whole runs against a fake server: the way there, credentials, and what is kept."""

import base64
import json
import os

import pytest

from apisnoop.errors import ApisnoopError
from apisnoop.store import queries
from apisnoop.store.store import Store
from tests.addons.run.conftest import CLIENT
from tests.addons.run.fake_server import fake_server
from tests.addons.run.pki import Authority, Issued

ANSWER = '{"kind": "NamespaceList", "items": []}'


def certificate_data(issued: Issued) -> dict[str, str]:
    return {
        "client-certificate-data": base64.b64encode(issued.certificate).decode(),
        "client-key-data": base64.b64encode(issued.key).decode(),
    }


def test_the_command_gets_the_servers_answer_and_the_call_is_kept(run, kubeconfig, server, tmp_path):
    """Standard output is the command's alone; call file, store and report have the call."""
    kubeconfig()
    ran = run()
    assert (ran.code, ran.out) == (0, ANSWER)
    assert [(call["method"], call["path"], call["status"], call["operation"]) for call in ran.calls] == [
        ("GET", "/api/v1/namespaces", 200, "listCoreV1Namespace")
    ]
    assert ran.calls[0]["audit_id"] == "00000000-0000-0000-0000-000000000001"
    assert "Kubernetes 1.34: 1 of" in ran.err
    with Store.open(tmp_path / "store.db", read_only=True) as store:
        [row] = queries.runs(store.connection)
        assert (row.command, row.calls, row.exit_code) == ("python", 1, 0)
        assert row.ended is not None
        assert [use.ok for use in queries.uses(store.connection)] == [1]


def test_a_token_reaches_the_server_as_it_is(run, kubeconfig, server):
    """Nothing is added to it or taken away, and it is nowhere in what is kept."""
    kubeconfig({"token": "planted-token"})
    ran = run()
    assert [seen.headers["authorization"] for seen in server.asked] == ["Bearer planted-token"]
    assert "planted" not in ran.err + json.dumps(ran.calls)


def test_a_user_name_and_password_reach_the_server_as_they_are(run, kubeconfig, server):
    """Both for the command's calls and for our own question, and they are nowhere in what is kept."""
    kubeconfig({"username": "ann", "password": "planted-password"})
    ran = run()
    login = base64.b64encode(b"ann:planted-password").decode()
    assert [seen.headers["authorization"] for seen in server.seen] == [f"Basic {login}"] * 2
    kept = ran.err + json.dumps(ran.calls)
    assert "planted" not in kept
    assert login not in kept


def test_the_server_sees_its_own_name_as_host(run, kubeconfig, server):
    """Servers behind virtual hosts would not know ours."""
    kubeconfig()
    run()
    assert [seen.headers["host"] for seen in server.asked] == [f"127.0.0.1:{server.port}"]


def test_a_client_certificate_is_shown_to_the_server(run, kubeconfig, server, authority):
    """The server sees the certificate that the client showed to us."""
    kubeconfig(certificate_data(authority.issue("ann")))
    run()
    assert [seen.user for seen in server.asked] == ["ann"]


def test_a_client_certificate_in_files_is_shown_to_the_server(run, kubeconfig, server, authority, tmp_path):
    """Paths in the kubeconfig are relative to it."""
    issued = authority.issue("ann")
    (tmp_path / "ann.crt").write_bytes(issued.certificate)
    (tmp_path / "ann.key").write_bytes(issued.key)
    kubeconfig({"client-certificate": "ann.crt", "client-key": "ann.key"})
    run()
    assert [seen.user for seen in server.asked] == ["ann"]


def test_each_user_of_a_cluster_is_shown_as_itself(run, kubeconfig, server, authority):
    """Several users share a listener, and one without a certificate stays without."""
    kubeconfig(
        certificate_data(authority.issue("ann")), bob=certificate_data(authority.issue("bob")), tom={"token": "t"}
    )
    script = "".join(f'"$0" "$1" /api/v1/namespaces {context}\n' for context in ("bob", "user", "tom", "bob"))
    run("sh", "-c", script, *CLIENT)
    assert [seen.user for seen in server.asked] == ["bob", "ann", "", "bob"]


def test_a_certificate_that_is_not_in_the_kubeconfig_is_told(run, kubeconfig, server, authority, tmp_path):
    """Its key is not ours to use; the line names it and says what to do."""
    issued = authority.issue("stranger")
    (tmp_path / "s.pem").write_bytes(issued.key + issued.certificate)
    kubeconfig({"token": "t"})
    code = (
        "import os, ssl, urllib.request, yaml; cluster = yaml.safe_load(open(os.environ['KUBECONFIG']))['clusters'][0]"
        "['cluster']; context = ssl._create_unverified_context(); context.load_cert_chain('s.pem');"
        "print(urllib.request.urlopen(cluster['server'] + '/api', context=context).status)"
    )
    ran = run(CLIENT[0], "-c", code)
    assert [seen.user for seen in server.asked] == [""]
    assert "client certificate CN=stranger is in no user of the kubeconfig" in ran.err


@pytest.mark.parametrize("kind", ["token", "certificate"])
def test_a_credential_plugin_works(run, kubeconfig, server, authority, tmp_path, kind):
    """Whether it returns a token or a certificate; it runs once, as without us."""
    issued = authority.issue("ann")
    status = (
        {"token": "planted-token"}
        if kind == "token"
        else {"clientCertificateData": issued.certificate.decode(), "clientKeyData": issued.key.decode()}
    )
    (tmp_path / "answer").write_text(json.dumps({"kind": "ExecCredential", "status": status}))
    plugin = tmp_path / "plugin"
    plugin.write_text(f"#!/bin/sh\necho run >> {tmp_path}/times\ncat {tmp_path}/answer\n")
    plugin.chmod(0o755)
    kubeconfig({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "./plugin"}})
    assert run().code == 0
    [asked] = server.asked
    assert (asked.user, asked.headers.get("authorization")) == (
        ("", "Bearer planted-token") if kind == "token" else ("ann", None)
    )
    assert (tmp_path / "times").read_text() == "run\n"


def test_other_headers_pass(run, kubeconfig, server):
    """What a client says of whom it acts for is the server's to judge."""
    kubeconfig()
    run(*CLIENT, "/api", "user", "Impersonate-User", "eve")
    assert [seen.headers.get("impersonate-user") for seen in server.asked] == ["eve"]


def test_a_prefix_before_the_api_is_passed_on_but_not_recorded(run, kubeconfig, server):
    """As with clusters behind Rancher."""
    kubeconfig(changes={"server": f"https://127.0.0.1:{server.port}/k8s/clusters/c-1"})
    ran = run()
    assert [seen.path for seen in server.asked] == ["/k8s/clusters/c-1/api/v1/namespaces"]
    assert [(call["path"], call["operation"]) for call in ran.calls] == [("/api/v1/namespaces", "listCoreV1Namespace")]
    assert "Kubernetes 1.34" in ran.err, "the version is asked for behind the prefix"


def test_a_server_name_is_asked_for_and_verified_upstream(run, kubeconfig, tmp_path, authority):
    """tls-server-name stands for a name that the address does not have."""
    with fake_server(tmp_path, authority.issue("server", hosts=("kubernetes",)), authority) as other:
        kubeconfig(changes={"server": f"https://127.0.0.1:{other.port}", "tls-server-name": "kubernetes"})
        assert run().out == ANSWER


def test_a_plain_server_is_reached_in_plain_text(run, kubeconfig, tmp_path):
    """`kubectl proxy` is an http:// server."""
    with fake_server(tmp_path, None) as plain:
        kubeconfig(changes={"server": f"http://127.0.0.1:{plain.port}", "certificate-authority-data": None})
        ran = run()
        assert ran.out == ANSWER
        assert len(ran.calls) == 1


def test_insecure_is_honoured_and_said_aloud(run, kubeconfig, tmp_path):
    """The certificate is not verified, because the kubeconfig says so, and the user hears of it."""
    with fake_server(tmp_path, Authority("other").issue("x", hosts=("elsewhere",))) as other:
        kubeconfig(
            changes={
                "server": f"https://127.0.0.1:{other.port}",
                "certificate-authority-data": None,
                "insecure-skip-tls-verify": True,
            }
        )
        ran = run()
        assert ran.out == ANSWER
        assert ran.err.count("insecure-skip-tls-verify") == 1


def test_other_contexts_and_settings_survive(run, kubeconfig, server, tmp_path):
    """The command sees its contexts, and nothing of ours but address and authority."""
    path = kubeconfig({"token": "t", "as": "eve"}, bob={"token": "b"}, changes={"disable-compression": True})
    ran = run("sh", "-c", 'cat "$KUBECONFIG"; stat -c %a "$KUBECONFIG" "$(dirname "$KUBECONFIG")" >&2')
    assert ran.err.split()[:2] == ["600", "700"]
    assert "disable-compression: true" in ran.out
    assert "as: eve" in ran.out
    assert "name: bob" in ran.out
    assert f":{server.port}" not in ran.out
    assert path.exists()


def test_a_broken_entry_elsewhere_does_not_matter(run, kubeconfig, tmp_path):
    """Old entries whose files are gone are common; they stay as they are."""
    path = kubeconfig()
    path.write_text(
        path.read_text().replace(
            "clusters:", "clusters:\n- {name: old, cluster: {server: 's', certificate-authority: gone}}", 1
        )
    )
    assert run().out == ANSWER
    assert "certificate-authority: " in run("sh", "-c", 'cat "$KUBECONFIG"').out


def test_the_environment_is_otherwise_the_same(run, kubeconfig, monkeypatch):
    """KUBECONFIG, and where a proxy is set, what keeps loopback off it."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    kubeconfig()
    code = "import os, json; print(json.dumps(dict(os.environ)))"
    ran = run(CLIENT[0], "-c", code)
    child = json.loads(ran.out)
    changed = {key for key in child.keys() | os.environ.keys() if child.get(key) != os.environ.get(key)}
    assert changed - {"LC_CTYPE"} == {"KUBECONFIG", "NO_PROXY", "no_proxy"}
    assert child["NO_PROXY"] == "127.0.0.1,localhost"


def test_without_a_store_folder_nothing_is_run(run, kubeconfig, tmp_path):
    """A store that cannot be written is known before the command has run, not after."""
    kubeconfig()
    with pytest.raises(ApisnoopError, match="cannot be opened"):
        run("touch", str(tmp_path / "ran"), db=tmp_path / "nowhere" / "store.db")
    assert not (tmp_path / "ran").exists()
