"""A client of the API, to be run by `apisnoop run`: asks a context's cluster for a path and prints the answer.

Usage: client.py PATH [CONTEXT [HEADER VALUE]]. It logs in as its user can: token, password, certificate, plugin.
"""

import base64
import json
import os
import ssl
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import yaml


def main(path: str, chosen: str = "", *header: str) -> int:
    """Ask, print, and fail as HTTP does."""
    config = yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text())
    context = _entry(config, "contexts", chosen or config["current-context"])
    cluster, user = _entry(config, "clusters", context["cluster"]), _entry(config, "users", context["user"])
    if "exec" in user:
        user = {**user, **_from_plugin(user["exec"], cluster)}
    request = urllib.request.Request(cluster["server"] + path, headers={"User-Agent": "client/v1"})
    if header:
        request.add_header(*header)
    if "token" in user:
        request.add_header("Authorization", f"Bearer {user['token']}")
    if "username" in user:
        login = base64.b64encode(f"{user['username']}:{user['password']}".encode()).decode()
        request.add_header("Authorization", f"Basic {login}")
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=_tls(cluster, user)))
    try:
        sys.stdout.write(opener.open(request, timeout=20).read().decode())
    except urllib.error.HTTPError as error:
        sys.stdout.write(error.read().decode())
        return 1
    return 0


def _entry(config: dict[str, Any], kind: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(item[kind[:-1]] for item in config[kind] if item["name"] == name)
    return found


def _tls(cluster: dict[str, Any], user: dict[str, Any]) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if data := cluster.get("certificate-authority-data"):
        context.load_verify_locations(cadata=base64.b64decode(data).decode())
    if "client-certificate" in user:
        context.load_cert_chain(user["client-certificate"], user["client-key"])
    elif "client-certificate-data" in user:
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"\n".join(base64.b64decode(user[f"client-{part}-data"]) for part in ("key", "certificate")))
            file.flush()
            context.load_cert_chain(file.name)
    return context


def _from_plugin(plugin: dict[str, Any], cluster: dict[str, Any]) -> dict[str, str]:
    info = {"spec": {"interactive": False, "cluster": {"server": cluster["server"]}}}
    environment = {**os.environ, "KUBERNETES_EXEC_INFO": json.dumps(info)}
    output = subprocess.check_output([plugin["command"], *plugin.get("args", [])], env=environment)
    status = json.loads(output)["status"]
    if "token" in status:
        return {"token": status["token"]}
    return {
        "client-certificate-data": base64.b64encode(status["clientCertificateData"].encode()).decode(),
        "client-key-data": base64.b64encode(status["clientKeyData"].encode()).decode(),
    }


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
