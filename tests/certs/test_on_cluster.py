"""`apisnoop-certs` on a real API server with real signers, run with the rights that its README lists and no others."""

import base64
import json
import signal
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from apisnoop_certs.acceptance import refusal
from apisnoop_certs.authority import make_authority
from apisnoop_certs.leaf import Leaf
from apisnoop_certs.server_names import ServerNames
from apisnoop_certs.settings import SIGNERS
from tests.certs.installation import CA_SECRET, Installation

pytestmark = pytest.mark.cluster

KUBELET_SERVING = SIGNERS[0]
REFUSING = "kubernetes.io/kube-apiserver-client"
"""It signs for clients only."""
UNSERVED = "example.com/nobody"
DNS = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"]
FOREIGN = "signed, but pods do not accept it: kubernetes: unable to get local issuer"
ANY = ServerNames(tuple(DNS), ())


def stored(installation):
    """Return the certificate and key in the Secret."""
    data = {name: base64.b64decode(text).decode() for name, text in installation.secret().items()}
    return Leaf(data["tls.crt"], data["tls.key"])


def sign_by_hand(server, name, authority):
    """Sign a CertificateSigningRequest as a signer does that uses `authority`."""
    found = server.get("csr", name)
    asked = x509.load_pem_x509_csr(base64.b64decode(found["spec"]["request"]))
    ca = x509.load_pem_x509_certificate(authority.certificate.encode())
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(ca.subject, asked.subject, asked.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(asked.extensions.get_extension_for_class(x509.SubjectAlternativeName).value, critical=False)
        .sign(serialization.load_pem_private_key(authority.key.encode(), None), hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    found["status"] = {**found.get("status", {}), "certificate": base64.b64encode(pem).decode()}
    path = f"/apis/certificates.k8s.io/v1/certificatesigningrequests/{name}/status"
    server.kubectl("replace", "--raw", path, "--filename=-", stdin=json.dumps(found))


def await_request(server, name):
    server.kubectl("wait", f"csr/{name}", "--for=create", "--timeout=60s")


def test_issue_gets_a_certificate_that_pods_accept(api_server, installation):
    """With the README's rights alone: signed by the cluster, for all names, for a week, stored, and no request left."""
    done = installation.run("issue")
    assert (done.returncode, done.stderr) == (0, f"apisnoop-certs: trying {KUBELET_SERVING}\n")
    assert done.stdout.startswith(f"mode csr, signer {KUBELET_SERVING}, valid until ")
    leaf = stored(installation)
    service = api_server.get("service", "kubernetes")
    names = [*DNS, *service["spec"]["clusterIPs"]]
    assert refusal(leaf, installation.config_map("kube-root-ca.crt")["ca.crt"], names) is None
    assert timedelta(days=6.9) < leaf.not_after - datetime.now(UTC) < timedelta(days=7.1)
    verdict = installation.config_map()
    assert (verdict["mode"], verdict["signer"]) == ("csr", KUBELET_SERVING)
    assert verdict["not-after"] == f"{leaf.not_after:%Y-%m-%dT%H:%M:%SZ}"
    assert set(verdict["names"].split(", ")) >= set(names)
    assert installation.requests() == []


def test_the_endpoints_addresses_and_extra_names_are_in_the_certificate(api_server, installation):
    """Clients that dial an endpoint's address or the public name accept it, too."""
    slices = api_server.get("endpointslices", "-l", "kubernetes.io/service-name=kubernetes")["items"]
    endpoints = [ip for part in slices for endpoint in part["endpoints"] for ip in endpoint["addresses"]]
    assert installation.run("issue", "--name=api.example.com", "--name=192.0.2.7").returncode == 0
    authorities = installation.config_map("kube-root-ca.crt")["ca.crt"]
    assert refusal(stored(installation), authorities, [*endpoints, "api.example.com", "192.0.2.7"]) is None


def test_the_first_signer_that_pods_accept_is_taken(installation):
    """A signer that refuses, with its own reason, does not keep the next one from being asked."""
    installation.may_approve(REFUSING)
    done = installation.run("issue", f"--signer={REFUSING}", f"--signer={KUBELET_SERVING}")
    assert done.returncode == 0
    assert f"signer {REFUSING} failed request apisnoop-probe: SignerValidationFailure" in done.stderr
    assert installation.config_map()["signer"] == KUBELET_SERVING


def test_a_signer_that_nobody_serves_is_named(installation):
    """Approved and never signed: mode csr ends with 3, nothing is stored, and the verdict says why."""
    installation.may_approve(UNSERVED)
    done = installation.run("issue", "--mode=csr", f"--signer={UNSERVED}", "--wait=2s")
    assert done.returncode == 3
    assert f"was approved, but in 2 s nobody signed it: {UNSERVED} has no signer here" in done.stderr
    assert done.stdout == ""
    assert installation.secret() == {}
    assert installation.config_map()["mode"] == "none"
    assert UNSERVED in installation.config_map()["reason"]
    assert installation.requests() == []


@pytest.mark.parametrize(
    ("signer", "permitted", "reason"),
    [
        (UNSERVED, False, "not permitted to approve"),  # nobody has given the right to approve for that signer
        (UNSERVED, True, "was approved, but in 2 s nobody signed it"),
        (REFUSING, True, "SignerValidationFailure"),
    ],
)
def test_without_the_clusters_signature_our_own_authority_signs(installation, signer, permitted, reason):
    """Mode auto falls back, says why, and keeps the authority's key apart; a bundle with it accepts the leaf."""
    if permitted:
        installation.may_approve(signer)
    done = installation.run("issue", f"--signer={signer}", "--wait=2s")
    assert done.returncode == 0
    verdict = installation.config_map()
    assert verdict["mode"] == "own-ca"
    assert reason in verdict["reason"]
    assert refusal(stored(installation), verdict["ca.crt"], DNS) is None
    authority = installation.secret(CA_SECRET)
    assert base64.b64decode(authority["tls.crt"]).decode() == verdict["ca.crt"]
    assert "PRIVATE" not in str(verdict)


def test_the_authority_stays_when_the_leaf_is_issued_anew(installation):
    """Pods read what they trust once, so a second run signs with the same authority."""
    installation.run("issue", "--mode=own-ca")
    first, authority = stored(installation), installation.secret(CA_SECRET)
    assert installation.run("issue", "--mode=own-ca").returncode == 0
    assert installation.secret(CA_SECRET) == authority
    assert stored(installation).chain != first.chain


def sign_with_a_foreign_authority(server, installation, mode):
    """Run with a signer whose authority pods do not trust; give the exit code and what is said."""
    job = installation.start("issue", f"--mode={mode}", "--renewal=manual", f"--signer={UNSERVED}", "--wait=60s")
    await_request(server, "apisnoop")
    server.kubectl("certificate", "approve", "apisnoop")
    sign_by_hand(server, "apisnoop", make_authority(ANY, datetime.now(UTC)))
    _, said = job.communicate(timeout=60)
    assert f"signer {UNSERVED} {FOREIGN}" in said
    return job.returncode


def test_a_foreign_authority_is_found_out(api_server, installation):
    """Signed, but by an authority that pods do not trust: the name, OpenSSL's reason, and nothing is stored."""
    assert sign_with_a_foreign_authority(api_server, installation, "csr") == 3
    assert installation.secret() == {}
    verdict = installation.config_map()
    assert (verdict["mode"], FOREIGN in verdict["reason"]) == ("none", True)


def test_where_a_foreign_authority_signs_our_own_takes_over(api_server, installation):
    """Mode auto falls back, the verdict says why, and what is stored is not the stranger's."""
    assert sign_with_a_foreign_authority(api_server, installation, "auto") == 0
    verdict = installation.config_map()
    assert (verdict["mode"], FOREIGN in verdict["reason"]) == ("own-ca", True)
    assert refusal(stored(installation), verdict["ca.crt"], DNS) is None
    assert installation.requests() == []


def test_a_human_approves_with_the_printed_command(api_server, installation):
    """With --renewal manual the command is printed, the run waits for it, and asks once only."""
    job = installation.start("issue", "--renewal=manual")
    assert job.stderr.readline().endswith("approve the request within 3600 s: kubectl certificate approve apisnoop\n")
    await_request(api_server, "apisnoop")
    api_server.kubectl("certificate", "approve", "apisnoop")
    out, said = job.communicate(timeout=60)
    assert (job.returncode, said) == (0, "")
    assert out.startswith("mode csr")


def test_a_denied_request_is_told_apart(api_server, installation):
    """Who denies is quoted."""
    job = installation.start("issue", "--mode=csr", "--renewal=manual")
    await_request(api_server, "apisnoop")
    api_server.kubectl("certificate", "deny", "apisnoop")
    _, said = job.communicate(timeout=60)
    assert job.returncode == 3
    assert "request apisnoop was denied: KubectlDeny: This CSR was denied by kubectl certificate deny." in said
    assert installation.requests() == []


def test_nobody_approving_is_told_apart(installation):
    """The next step is in the line."""
    done = installation.run("issue", "--mode=csr", "--renewal=manual", "--wait=2s")
    assert done.returncode == 3
    assert "nobody approved request apisnoop in 2 s; run again and then: kubectl certificate approve" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_no_request(api_server, installation, number):
    """A Job that is ended while it waits deletes what it has requested and exits with 130."""
    job = installation.start("issue", "--renewal=manual")
    await_request(api_server, "apisnoop")
    job.send_signal(number)
    _, said = job.communicate(timeout=30)
    assert job.returncode == 130
    assert "interrupted" in said
    assert "Traceback" not in said
    assert installation.requests() == []


def test_clean_removes_what_a_killed_run_left(api_server, installation):
    """After SIGKILL the request is there; `clean` deletes it, and says so, and a second time that there was none."""
    job = installation.start("issue", "--renewal=manual")
    await_request(api_server, "apisnoop")
    job.kill()
    job.communicate()
    assert len(installation.requests()) == 1
    assert installation.run("clean", namespaced=False).stdout == "deleted apisnoop\n"
    assert installation.requests() == []
    assert installation.run("clean", namespaced=False).stdout == "no request was left\n"


def test_a_killed_runs_request_goes_with_its_owner(api_server, installation):
    """Kubernetes deletes what is left behind when the chart's ClusterRole is uninstalled."""
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "apisnoop-certs"}}
    api_server.apply(role)
    job = installation.start("issue", "--renewal=manual", "--owner=apisnoop-certs")
    await_request(api_server, "apisnoop")
    job.kill()
    job.communicate()
    assert len(installation.requests()) == 1
    api_server.kubectl("delete", "clusterrole", "apisnoop-certs")
    api_server.kubectl("wait", "csr/apisnoop", "--for=delete", "--timeout=60s")


def test_a_killed_runs_request_does_not_stop_the_next_run(api_server, installation):
    """The request is replaced."""
    job = installation.start("issue", "--renewal=manual")
    await_request(api_server, "apisnoop")
    job.kill()
    job.communicate()
    assert installation.run("issue").returncode == 0


def test_somebody_elses_request_is_not_touched(api_server, installation):
    """A request of the same name without our labels is neither deleted nor approved."""
    request = {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": "apisnoop"},
        "spec": {"request": "", "signerName": "example.com/other", "usages": ["client auth"]},
    }
    key = make_authority(ANY, datetime.now(UTC)).key
    csr = x509.CertificateSigningRequestBuilder(x509.Name([])).sign(
        serialization.load_pem_private_key(key.encode(), None), hashes.SHA256()
    )
    request["spec"]["request"] = base64.b64encode(csr.public_bytes(serialization.Encoding.PEM)).decode()
    api_server.apply(request)
    try:
        done = installation.run("clean", namespaced=False)
        assert (done.returncode, done.stdout) == (3, "")
        assert "CertificateSigningRequest apisnoop is not ours" in done.stderr
        assert api_server.get("csr", "apisnoop")["status"] == {}
    finally:
        api_server.kubectl("delete", "csr", "apisnoop")


def test_renewal_replaces_only_what_needs_it(installation):
    """A fresh certificate stays, and when it will be renewed is said; one that lacks a name is replaced in its mode."""
    installation.run("issue", "--mode=own-ca")
    first = stored(installation)
    done = installation.run("renew")
    assert done.returncode == 0
    assert "renewal from" in done.stderr
    assert stored(installation).chain == first.chain
    done = installation.run("renew", "--name=api.example.com")
    assert done.returncode == 0
    assert "is to be renewed: api.example.com: Hostname mismatch" in done.stderr
    assert installation.config_map()["mode"] == "own-ca"
    assert "api.example.com" in installation.config_map()["names"]


def test_a_failed_renewal_keeps_the_old_certificate(installation):
    """What running pods accept is not given up for our own authority: exit code 3, and the verdict says until when."""
    assert installation.run("issue").returncode == 0
    first = installation.secret()
    done = installation.run("issue", f"--signer={UNSERVED}", "--wait=2s")
    assert done.returncode == 3
    assert "no new certificate, the old one is kept until" in done.stderr
    assert installation.secret() == first
    verdict = installation.config_map()
    assert verdict["mode"] == "csr"
    assert verdict["reason"].startswith("no new certificate, the old one is kept until")


def test_what_is_missing_is_named(api_server, installation):
    """Without the chart's Secret there is one line and the next step, and the request is gone."""
    api_server.kubectl("delete", "secret", "apisnoop-certificate", "-n", installation.namespace)
    done = installation.run("issue")
    assert done.returncode == 3
    assert f"secret {installation.namespace}/apisnoop-certificate does not exist; the chart creates it" in done.stderr
    assert installation.requests() == []


def test_no_key_is_ever_shown(installation):
    """Neither output nor verdict holds any part of a private key."""
    shown = ""
    for words in (["issue"], ["issue", "--mode=own-ca"], ["renew"]):
        done = installation.run(*words)
        shown += done.stdout + done.stderr + str(installation.config_map())
    for secret in (installation.secret(), installation.secret(CA_SECRET)):
        # The third holds the public key alone, which the certificate shows, too.
        lines = base64.b64decode(secret["tls.key"]).decode().splitlines()[1:3]
        assert [len(line) for line in lines] == [64, 64]
        assert not any(line in shown for line in lines)


def test_a_running_pods_own_copy_of_the_authorities_accepts_it(cluster, namespace, tmp_path):
    """On a real node: the ca.crt that a pod has mounted accepts the certificate."""
    installation = Installation(cluster, namespace, tmp_path)
    overrides = {"spec": {"terminationGracePeriodSeconds": 0}}
    cluster.kubectl(
        "run",
        "pod",
        "--image=local/busybox:1",
        "--image-pull-policy=Never",
        "-n",
        namespace,
        f"--overrides={json.dumps(overrides)}",
        "--",
        "sleep",
        "600",
    )
    assert installation.run("issue").returncode == 0
    cluster.kubectl("wait", "pod/pod", "--for=condition=Ready", "-n", namespace, "--timeout=60s")
    mounted = cluster.kubectl(
        "exec", "pod", "-n", namespace, "--", "cat", "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"
    )
    assert refusal(stored(installation), mounted, [*DNS, "10.96.0.1"]) is None
