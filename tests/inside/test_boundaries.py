"""What the pod's surroundings decide stays decided: who may reach the API, what a mesh redirects, who it trusts."""

import re
import ssl
import sys
import time
from contextlib import contextmanager

import pytest

from apisnoop_tproxy.settling import SETTLING_SECONDS
from tests.inside.pods import python_volumes
from tests.inside.processes import wait_until
from tests.inside.seen import Tap

pytestmark = pytest.mark.cluster

ASK = ("kubectl", "get", "configmap", "kube-root-ca.crt", "-o", "name")
SHOWN = "import ssl; print(ssl.get_server_certificate(('10.96.0.1', 443)))"
UNTRACKED = "table inet apisnoop_untracked"
ACTS = re.compile(r"set alone \{[^}]*elements")
"""Its lease, that is."""
RENEWAL = 1.5
"""Seconds; leases are renewed every second."""
MESH = """
table ip mesh {
  chain output {
    type nat hook output priority -100; policy accept;
    tcp dport 9090 redirect to :9091
  }
}
"""


@contextmanager
def forbidden(installation, pod):
    """Drop what a pod sends to the API server on the node's side, as a CNI does for a NetworkPolicy."""
    server = installation.cluster.apiserver_url.removeprefix("https://").split(":")[0]
    rules = (
        "add table inet guard",
        "add chain inet guard forward { type filter hook forward priority 0; }",
        f"add rule inet guard forward ip saddr {pod.address} ip daddr {server} drop",
    )
    installation.in_node("nft", "; ".join(rules))
    try:
        yield
    finally:
        installation.in_node("nft", "delete table inet guard")


def test_a_pod_that_may_not_reach_the_api_still_may_not(shop, installation, tmp_path):
    """Its call fails as before the annotation and never arrives; when it may again, it is recorded."""
    web = shop.recorded_pod("web")
    truth = installation.undisturbed(web, tmp_path, lambda: try_it(shop, installation, web))
    assert truth.agreement.holds, str(truth.agreement)
    assert {source for event in truth.events.values() for source in event.sources} == {web.address}


def try_it(shop, installation, web):
    since = time.time()
    with Tap(installation) as tap:
        with forbidden(installation, web):
            failed = web.run("sh", "-c", f"timeout 5 {' '.join(ASK)} >/dev/null 2>&1; echo $?").strip()
            assert failed != "0"
            assert shop.compare(tap, since=since).agreement.events == 0
        assert web.run(*ASK).strip() == "configmap/kube-root-ca.crt"
        return shop.compare(tap, since=since)


def test_a_mesh_that_redirects_other_ports_goes_on(shop, installation, tmp_path):
    """With a nat table there already, its ports are redirected as before, the API is recorded, and off leaves it be."""
    (web,) = shop.pods("web")
    web.run("sh", "-c", "mkdir /tmp/www; echo mesh >/tmp/www/index.html; httpd -p 9091 -h /tmp/www")
    page = ("wget", "-qO-", f"http://{web.address}:9090/index.html")
    installation.in_namespace_of(web, "nft", MESH)
    assert web.run(*page) == "mesh\n"
    web.annotate("apisnoop=true")
    installation.until_recorded(web)
    time.sleep(1.0)
    both_go_on(shop, installation, web, page, tmp_path)
    time.sleep(SETTLING_SECONDS)
    assert UNTRACKED not in installation.rules(web)
    web.annotate("apisnoop-")
    wait_until(lambda: "inet apisnoop" not in installation.rules(web), "the table to go")
    assert "table ip mesh" in installation.rules(web)
    assert web.run(*page) == "mesh\n"


def test_a_mesh_that_comes_later_goes_on(shop, installation, tmp_path):
    """Other traffic was untracked until then; from the next renewal on, what it redirects goes its way."""
    web = shop.recorded_pod("web")
    web.run("sh", "-c", "mkdir /tmp/www; echo mesh >/tmp/www/index.html; httpd -p 9091 -h /tmp/www")
    server = installation.cluster.apiserver_url.removeprefix("https://").split(":")[0]
    page = ("wget", "-qO-", f"http://{server}:9090/index.html")
    wait_until(lambda: ACTS.search(installation.rules(web)), "other traffic to be left untracked")
    installation.in_namespace_of(web, "nft", MESH)
    time.sleep(RENEWAL)
    both_go_on(shop, installation, web, page, tmp_path)
    web.annotate("apisnoop-")
    wait_until(lambda: "inet apisnoop" not in installation.rules(web), "the tables to go")
    assert web.run(*page) == "mesh\n"


def both_go_on(shop, installation, web, page, folder):
    """See that a page comes by way of the mesh, and that a call is recorded."""

    def work():
        since = time.time()
        with Tap(installation) as tap:
            assert web.run(*page) == "mesh\n"
            web.run(*ASK)
            return shop.compare(tap, since=since)

    truth = installation.undisturbed(web, folder, work)
    assert truth.agreement.holds, str(truth.agreement)
    assert len(truth.seen) >= 1


def test_a_renewed_certificate_is_shown_without_an_error(shop, installation):
    """Under load: open connections stay, new ones are shown the new certificate, and no request fails."""
    web, certificate = shop.recorded_pod("web", volumes=python_volumes()), installation.folder / "tls/tls.crt"
    before = first_of(certificate.read_text())
    wait_until(lambda: shown(web) == before, "the certificate")
    polling = {kind: web.poll(kind, rate, 20) for kind, rate in (("fresh", 15), ("http1", 30), ("http2", 30))}
    time.sleep(2.0)
    installation.issue()
    after = first_of(certificate.read_text())
    assert after != before
    wait_until(lambda: shown(web) == after, "the new certificate")
    answers = {kind: running.answers() for kind, running in polling.items()}
    assert [answer for found in answers.values() for answer in found if not answer.direct] == []
    assert len({answer.opened for answer in answers["http2"]}) == 1
    print(f"{sum(map(len, answers.values()))} requests while the certificate was renewed, none failed")


def shown(pod):
    """Return the certificate that a pod is shown at the API's address."""
    return first_of(pod.run(sys.executable, "-c", SHOWN))


def first_of(chain):
    pem = chain[: chain.index(ssl.PEM_FOOTER)] + ssl.PEM_FOOTER
    return ssl.PEM_cert_to_DER_cert(pem)
