"""A real API server that says GOAWAY: no call fails that would not fail without us."""

import asyncio
import base64
import json
import subprocess

import pytest
import yaml

from apisnoop_addons.engine.upstream import KeyPair
from cluster import ApiServer
from tests.addons.engine.rig import rigged

OBJECTS = 300


@pytest.mark.cluster
def test_kubectl_applies_hundreds_of_objects_while_connections_are_closed_on_it(tmp_path):
    """With --goaway-chance 0.02 every object is created, every call has its answer, and a watch lives through it."""
    with ApiServer.start(controllers=True, arguments=["--goaway-chance=0.02"]) as server:
        asyncio.run(apply_objects(server, tmp_path))


async def apply_objects(server, folder):
    issued = server.client_certificate("goaway", groups=("system:masters",))
    shown = KeyPair(issued.certificate.read_bytes(), issued.key.read_bytes())
    host, _, port = server.apiserver_url.removeprefix("https://").rpartition(":")
    upstream = {
        "host": host,
        "port": int(port),
        "ca_pem": server.ca_file.read_bytes(),
        "client_certificate": lambda _client: shown,
    }
    objects = folder / "objects.json"
    objects.write_text("\n---\n".join(json.dumps(config_map(number)) for number in range(OBJECTS)))
    async with rigged(folder, upstream=upstream) as rig:
        kubeconfig = write_kubeconfig(folder, rig)
        command = [server.kubectl_path, "--kubeconfig", kubeconfig, "apply", "-f", objects]
        process = await asyncio.create_subprocess_exec(*map(str, command), stdout=subprocess.PIPE)
        output, _ = await process.communicate()
        assert process.returncode == 0
        assert len(output.splitlines()) == OBJECTS
        assert [call for call in rig.calls if call.error] == []
        assert sum(call.status == 201 for call in rig.calls) == OBJECTS


def config_map(number):
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": f"c{number}", "namespace": "default"},
        "data": {"key": "value " * 100},
    }


def write_kubeconfig(folder, rig):
    authority = base64.b64encode(rig.authority.pem).decode()
    cluster = {"server": f"https://127.0.0.1:{rig.port}", "certificate-authority-data": authority}
    document = {
        "clusters": [{"name": "rig", "cluster": cluster}],
        "users": [{"name": "rig", "user": {"token": "none"}}],
        "contexts": [{"name": "rig", "context": {"cluster": "rig", "user": "rig"}}],
        "current-context": "rig",
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(document))
    return path
