"""A program that uses secrets in every way in which clients of a Kubernetes API do: `python -m e2e.planting PLAN`.

PLAN is a JSON file with the secrets and the programs, since command lines can be seen by others. What it makes in the
cluster it deletes again.
"""

from __future__ import annotations

import base64
import json
import os
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import websocket
import yaml
from kubernetes import client, config

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMES = (
    "exec-argument", "exec-input", "exec-output", "log-line", "websocket-message",
    "json-body", "protobuf-body", "last-applied", "patch-body",
    "query-value", "proxied-query", "header-value", "cookie", "basic-password",
)  # fmt: skip
"""The secrets that a plan names; the bearer token, and one that the server issues, come on top."""
MARKER = "planting-marker"
"""A name that may be recorded, so that the search is seen to find what is there."""


def plant(plan: Mapping[str, Any]) -> None:
    """Use every secret once; print the token that the server issued, and wait for a line while others look around."""
    secrets: Mapping[str, str] = plan["secrets"]
    kubectl, pod, namespace = plan["kubectl"], plan["pod"], plan["namespace"]

    run(kubectl, "create", "configmap", MARKER)
    run(kubectl, "exec", pod, "--", "true", secrets["exec-argument"])
    run(kubectl, "exec", "-i", pod, "--", "cat", stdin=secrets["exec-input"])
    run(kubectl, "exec", pod, "--", "sh", "-c", f"echo {backwards(secrets['exec-output'])} | rev")
    run(kubectl, "exec", pod, "--", "sh", "-c", f"echo {backwards(secrets['log-line'])} | rev >/proc/1/fd/1")
    run(kubectl, "logs", pod, "--tail=1")
    run(kubectl, "apply", "--filename=-", stdin=json.dumps(secret_object(secrets["last-applied"])))
    run(kubectl, "get", "secret", "planted", "-o", "json")
    patch = {"stringData": {"password": secrets["patch-body"]}}
    run(kubectl, "patch", "secret", "planted", "--patch", json.dumps(patch))
    run(plan["clients"], "load", f"--namespace={namespace}", "--calls=1", f"--password={secrets['protobuf-body']}")
    query = f"/api/v1/namespaces/{namespace}/pods?limit=1&password={secrets['query-value']}"
    run(kubectl, "get", "--raw", query)
    run(
        kubectl,
        "get",
        "--raw",
        f"/api/v1/namespaces/{namespace}/services/web:80/proxy/passwd?limit={secrets['proxied-query']}",
    )
    with_python(namespace, secrets["json-body"])
    with_headers(secrets)
    with_websocket(pod, namespace, secrets["websocket-message"])
    run(kubectl, "delete", f"configmap/{MARKER}", "secret/planted")
    print(run(kubectl, "create", "token", "robot").strip(), flush=True)
    sys.stdin.readline()


def run(*words: str, stdin: str = "") -> str:
    """Run a program and return its output."""
    return subprocess.run(words, input=stdin, check=True, text=True, stdout=subprocess.PIPE).stdout


def secret_object(value: str) -> dict[str, Any]:
    metadata = {"name": "planted"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"password": value}}


def backwards(text: str) -> str:
    """Keep a secret out of a command line that makes a pod say it."""
    return text[::-1]


def with_python(namespace: str, value: str) -> None:
    """Create, read and delete a Secret as JSON."""
    config.load_kube_config()
    api: Any = client.CoreV1Api()
    body = secret_object(value) | {"metadata": {"name": "planted-by-python"}}
    api.create_namespaced_secret(namespace, body)
    api.read_namespaced_secret("planted-by-python", namespace)
    api.delete_namespaced_secret("planted-by-python", namespace)


def with_headers(secrets: Mapping[str, str]) -> None:
    """Send secrets in headers beside the token, then a name and a password in place of it."""
    cluster, token = connection()
    tls = ssl.create_default_context(cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
    headers = {"X-Api-Key": secrets["header-value"], "Cookie": f"session={secrets['cookie']}"}
    login = base64.b64encode(f"robot:{secrets['basic-password']}".encode()).decode()
    for authorization in (f"Bearer {token}", f"Basic {login}"):
        request = urllib.request.Request(f"{cluster['server']}/version", headers=headers)
        request.add_header("Authorization", authorization)
        try:
            urllib.request.urlopen(request, context=tls, timeout=30).close()
        except urllib.error.HTTPError as error:
            if error.code != 401:
                raise


def with_websocket(pod: str, namespace: str, message: str) -> None:
    """Open a shell as a web page does: the token among the protocols of the WebSocket, and no other credential."""
    cluster, token = connection()
    server = urlsplit(cluster["server"])
    bearer = base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")
    stream = websocket.create_connection(
        f"wss://{server.netloc}/api/v1/namespaces/{namespace}/pods/{pod}/exec?command=cat&stdin=1&stdout=1",
        subprotocols=[f"base64url.bearer.authorization.k8s.io.{bearer}", "v4.channel.k8s.io"],
        sslopt={"ca_certs": written_authority(cluster)},
        timeout=30,
    )
    stream.send_binary(b"\0" + message.encode() + b"\n")
    while message.encode() not in stream.recv():
        pass
    stream.close()


def connection() -> tuple[dict[str, Any], str]:
    """Read cluster and token of the kubeconfig, as a program without a client library does."""
    kubeconfig = yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text())
    return kubeconfig["clusters"][0]["cluster"], kubeconfig["users"][0]["user"]["token"]


def written_authority(cluster: Mapping[str, str]) -> str:
    path = Path(os.environ["KUBECACHEDIR"]) / "authority.pem"
    path.write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
    return str(path)


if __name__ == "__main__":
    plant(json.loads(Path(sys.argv[1]).read_text()))
