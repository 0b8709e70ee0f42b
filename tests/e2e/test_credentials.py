"""Streams with every kind of credential and way to the server, and the server's own word on who it was.

What a plain request does with each of them is tested beside `apisnoop run` itself; an exec opens connections of its own
that carry the credential anew.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from e2e.audit_join import join_files
from e2e.conftest import client_environment
from e2e.kubectl_steps import SPDY
from e2e.robot import cluster_fields, write_kubeconfig
from e2e.ways import direct, through
from tests.addons.run.proxies import proxy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from e2e.conftest import Shop

    type Fields = dict[str, Any]
    type Kind = Callable[[Shop, Path], AbstractContextManager[tuple[Fields, Fields]]]

pytestmark = pytest.mark.cluster

SCRIPT = """
"$1" auth whoami -o jsonpath={.status.userInfo.username} && echo &&
"$1" exec "$2" -- echo by WebSocket && env $3 "$1" exec "$2" -- echo by SPDY &&
"$1" logs "$2" --tail=1
"""
REQUESTS = 4


@contextmanager
def token(shop: Shop, _: Path) -> Iterator[tuple[Fields, Fields]]:
    yield cluster_fields(shop.cluster), {"token": shop.robot.token}


@contextmanager
def token_file(shop: Shop, folder: Path) -> Iterator[tuple[Fields, Fields]]:
    (folder / "token").write_text(shop.robot.token)
    yield cluster_fields(shop.cluster), {"tokenFile": str(folder / "token")}


@contextmanager
def client_certificate(shop: Shop, _: Path) -> Iterator[tuple[Fields, Fields]]:
    signed = shop.cluster.client_certificate(shop.robot.user)
    files = {"client-certificate": str(signed.certificate), "client-key": str(signed.key)}
    yield cluster_fields(shop.cluster), files


@contextmanager
def plugin_with_a_token(shop: Shop, folder: Path) -> Iterator[tuple[Fields, Fields]]:
    yield cluster_fields(shop.cluster), plugin(folder, {"token": shop.robot.token})


@contextmanager
def plugin_with_a_certificate(shop: Shop, folder: Path) -> Iterator[tuple[Fields, Fields]]:
    signed = shop.cluster.client_certificate(shop.robot.user)
    pair = {"clientCertificateData": signed.certificate.read_text(), "clientKeyData": signed.key.read_text()}
    yield cluster_fields(shop.cluster), plugin(folder, pair)


@contextmanager
def proxy_url(shop: Shop, _: Path) -> Iterator[tuple[Fields, Fields]]:
    with proxy("http") as running:
        address = {"proxy-url": f"http://127.0.0.1:{running.port}"}
        yield cluster_fields(shop.cluster) | address, {"token": shop.robot.token}
        assert running.asked, "nothing went through the proxy"


@contextmanager
def unverified(shop: Shop, _: Path) -> Iterator[tuple[Fields, Fields]]:
    where = {"server": shop.cluster.apiserver_url, "insecure-skip-tls-verify": True}
    yield where, {"token": shop.robot.token}


@contextmanager
def another_name(shop: Shop, _: Path) -> Iterator[tuple[Fields, Fields]]:
    yield cluster_fields(shop.cluster) | {"tls-server-name": "kubernetes.default.svc"}, {"token": shop.robot.token}


KINDS: tuple[Kind, ...] = (
    token,
    token_file,
    client_certificate,
    plugin_with_a_token,
    plugin_with_a_certificate,
    proxy_url,
    unverified,
    another_name,
)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_streams_are_the_same_for_the_same_user(kind: Kind, shop: Shop, tmp_path: Path):
    """Requests, WebSocket and SPDY work as they do directly, and the audit log names the same user for each call."""
    with kind(shop, tmp_path) as (cluster, user):
        kubeconfig = tmp_path / "kubeconfig"
        write_kubeconfig(kubeconfig, shop.robot.namespace, cluster, user)
        environment = client_environment(kubeconfig, tmp_path)
        spdy = " ".join(f"{name}={value}" for name, value in SPDY.items())
        command = ("sh", "-c", SCRIPT.replace("$3", spdy), "sh", shop.kubectl, shop.pod)
        plain, recorded = (way.run(*command) for way in (direct(environment), through(environment, tmp_path)))
    assert recorded == plain
    assert recorded.stdout.splitlines()[0].decode() == shop.robot.user
    agreement = join_files(shop.cluster.audit_log, tmp_path / "calls.jsonl", shop.robot.user)
    # The log has the direct calls and those of other tests, too.
    assert (agreement.extra, agreement.different) == ((), ())
    assert agreement.joined_by_time == 2
    assert agreement.joined_by_id >= REQUESTS - 2


def plugin(folder: Path, status: dict[str, str]) -> Fields:
    """Write a credential plugin that answers with `status`, and give the user that runs it."""
    version = "client.authentication.k8s.io/v1"
    (folder / "answer").write_text(json.dumps({"apiVersion": version, "kind": "ExecCredential", "status": status}))
    command = {"command": "cat", "args": [str(folder / "answer")]}
    return {"exec": {"apiVersion": version, "interactiveMode": "Never", **command}}
