"""Credential plugins inside the wrapper, run as a client would run them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509

from apisnoop_addons.run import exec_wrapper
from apisnoop_addons.run.credentials import ClientCertificates
from apisnoop_addons.run.exec_plugin import render_clusters, wrap_plugin
from apisnoop_addons.run.exec_wrapper import CLUSTERS, address_of
from apisnoop_addons.run.servers import server_of
from tests.addons.run.pki import Authority

PLUGIN = """#!/bin/sh
echo "asked with $1, $KIND" >&2
read -r line && echo "heard $line" >&2
cat "$(dirname "$0")/answer"
exit "${CODE:-0}"
"""


@pytest.fixture
def plugin(tmp_path):
    """A user with a plugin that prints the file `answer`, and the folder that the wrapper uses."""
    command = tmp_path / "plugin"
    command.write_text(PLUGIN)
    command.chmod(0o755)
    (tmp_path / "kept").mkdir()
    return {"exec": {"command": str(command), "args": ["login"], "installHint": "install it"}, "as": "x"}


def run(user, folder, answer, given: str = "", **environment: str) -> subprocess.CompletedProcess[bytes]:
    (folder / "answer").write_text(json.dumps(answer) if isinstance(answer, dict) else answer)
    command = [user["exec"]["command"], *user["exec"]["args"]]
    return subprocess.run(
        command, input=given.encode(), capture_output=True, env={**os.environ, **environment}, check=False
    )


def test_the_client_sees_no_difference(plugin, tmp_path):
    """Answer, error output, input, arguments, environment and exit code are the plugin's own; other fields stay."""
    wrapped = wrap_plugin(plugin, tmp_path / "kept")
    answer = {"status": {"token": "secret"}}
    done = run(wrapped, tmp_path, answer, given="hello\n", KIND="special", CODE="7")
    assert json.loads(done.stdout) == answer
    assert done.stderr.decode() == "asked with login, special\nheard hello\n"
    assert done.returncode == 7
    assert (wrapped["exec"]["installHint"], wrapped["as"]) == ("install it", "x")


def test_a_token_leaves_nothing_behind(plugin, tmp_path):
    """Only certificates are kept."""
    run(wrap_plugin(plugin, tmp_path / "kept"), tmp_path, {"status": {"token": "secret"}})
    assert list((tmp_path / "kept").iterdir()) == []


def test_a_certificate_is_kept_for_the_proxy(plugin, tmp_path):
    """The proxy finds it, and nobody else can read it."""
    issued = Authority().issue("ann")
    status = {"clientCertificateData": issued.certificate.decode(), "clientKeyData": issued.key.decode()}
    done = run(wrap_plugin(plugin, tmp_path / "kept"), tmp_path, {"status": status})
    assert json.loads(done.stdout) == {"status": status}
    found = ClientCertificates({}, tmp_path / "kept").find(x509.load_pem_x509_certificate(issued.certificate))
    assert found is not None
    assert (found.certificate, found.key) == (issued.certificate, issued.key)
    kept = list((tmp_path / "kept").iterdir())
    assert len(kept) == 2
    assert {path.stat().st_mode & 0o777 for path in kept} == {0o600}


@pytest.mark.parametrize(
    "answer",
    [
        "clientCertificateData",
        {"status": {"clientCertificateData": "no PEM", "clientKeyData": "k"}},
        {
            "status": {
                "clientCertificateData": "-----BEGIN CERTIFICATE-----%%%-----END CERTIFICATE-----",
                "clientKeyData": 1,
            }
        },
        {"status": {"clientCertificateData": "only half"}},
        {"status": "clientCertificateData"},
        '["clientCertificateData"]',
    ],
)
def test_an_answer_that_is_no_credential_passes_through(plugin, tmp_path, answer):
    """It is the client that says what is wrong with it."""
    done = run(wrap_plugin(plugin, tmp_path / "kept"), tmp_path, answer)
    assert done.returncode == 0
    assert done.stdout.decode() == (json.dumps(answer) if isinstance(answer, dict) else answer)
    assert b"Traceback" not in done.stderr


def test_a_plugin_that_dies_of_a_signal_is_told_as_shells_do(plugin, tmp_path):
    """128 + n."""
    (tmp_path / "plugin").write_text("#!/bin/sh\nkill -TERM $$\n")
    assert run(wrap_plugin(plugin, tmp_path / "kept"), tmp_path, {}).returncode == 128 + 15


def test_a_plugin_that_vanished_since_is_told(plugin, tmp_path):
    """One line, no traceback, the exit code of shells."""
    wrapped = wrap_plugin(plugin, tmp_path / "kept")
    (tmp_path / "plugin").unlink()
    done = run(wrapped, tmp_path, {})
    assert (done.returncode, done.stdout) == (127, b"")
    assert done.stderr.decode() == f"{tmp_path}/plugin: No such file or directory\n"


def test_a_plugin_that_is_not_installed_is_left_alone(tmp_path):
    """So that the client gives its own advice, with the install hint."""
    user = {"exec": {"command": "no-such-plugin", "installHint": "install it"}}
    assert wrap_plugin(user, tmp_path) == user


def test_users_without_a_plugin_are_left_alone(tmp_path):
    """Tokens and certificates need nothing from us."""
    assert wrap_plugin({"token": "t"}, tmp_path) == {"token": "t"}


def test_the_plugin_is_told_the_real_cluster(plugin, tmp_path):
    """With provideClusterInfo a plugin sees what it would see without us, and the configuration the client adds."""
    authority = Authority()
    (tmp_path / "ca").write_bytes(authority.pem)
    entry = {
        "server": "https://api.example.com/prefix",
        "certificate-authority": str(tmp_path / "ca"),
        "tls-server-name": "other",
    }
    clusters = {"127.0.0.1:4711": (server_of("c", entry, {}), entry)}
    (tmp_path / "kept" / CLUSTERS).write_text(render_clusters(clusters))
    (tmp_path / "plugin").write_text('#!/bin/sh\nprintf %s "$KUBERNETES_EXEC_INFO"')
    shown = {"server": "https://127.0.0.1:4711/prefix", "certificate-authority-data": "ours", "config": {"key": 1}}
    info = {"kind": "ExecCredential", "spec": {"interactive": True, "cluster": shown}}
    wrapped = wrap_plugin(plugin, tmp_path / "kept")
    done = run(wrapped, tmp_path, {}, KUBERNETES_EXEC_INFO=json.dumps(info))
    told = json.loads(done.stdout)
    assert told["spec"]["interactive"] is True
    cluster = told["spec"]["cluster"]
    assert cluster.pop("certificate-authority-data") != "ours"
    assert cluster == {"server": "https://api.example.com/prefix", "tls-server-name": "other", "config": {"key": 1}}


@pytest.mark.parametrize(
    "info", ['"cluster"', '{"spec": {"cluster": {"server": "https://elsewhere"}}}', '{"cluster": 1}']
)
def test_information_about_another_cluster_passes_unchanged(plugin, tmp_path, info):
    """Only our own listeners' addresses stand for another cluster."""
    (tmp_path / "kept" / CLUSTERS).write_text("{}")
    (tmp_path / "plugin").write_text('#!/bin/sh\nprintf %s "$KUBERNETES_EXEC_INFO"')
    done = run(wrap_plugin(plugin, tmp_path / "kept"), tmp_path, {}, KUBERNETES_EXEC_INFO=info)
    assert done.stdout.decode() == info


def test_starting_the_wrapper_imports_nothing_but_os():
    """Every client with a plugin waits for it."""
    printed = [
        subprocess.check_output([sys.executable, "-I", "-S", "-c", f"import os, sys\n{code}\nprint(len(sys.modules))"])
        for code in ("", Path(exec_wrapper.__file__).read_text().replace("__main__", "elsewhere"))
    ]
    assert printed[0] == printed[1]


def test_the_address_of_a_server_is_host_and_port():
    """Scheme and path do not matter."""
    assert address_of("https://127.0.0.1:1/p/q") == "127.0.0.1:1"
    assert address_of("") == ""
