"""The admission policy on a real API server: it binds the Job and nobody else."""

import base64
import json
import subprocess
import time

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from apisnoop.cluster_api import Api
from apisnoop_certs.objects import ObjectNames, Objects
from apisnoop_certs.server_names import ServerNames
from apisnoop_certs.settings import SIGNERS
from apisnoop_certs.signing_request import alternative_names, make_signing_request, subject
from tests.certs.test_on_cluster import DNS

pytestmark = pytest.mark.cluster

BEGIN = "-----BEGIN CERTIFICATE REQUEST-----"


@pytest.fixture(scope="module")
def bound(api_server, shared_installation):
    """An installation whose policy ties names and addresses too, once the API server applies it."""
    yield from _apply(api_server, shared_installation)


@pytest.fixture
def loosely_bound(api_server, installation):
    """An installation whose policy leaves the alternative names open."""
    yield from _apply(api_server, installation, "--any-names")


def _apply(api_server, installation, *words):
    api_server.kubectl("apply", "--filename=-", stdin=printed_policy(installation, *words))
    # The API server takes a moment to heed a policy, and says nowhere when it does.
    wrong = request(installation, pem=pem_for(ServerNames(("example.com",), ())), signer="example.com/wrong")
    deadline = time.monotonic() + 60
    while "denied request" not in attempt(installation, "create", wrong):
        assert time.monotonic() < deadline
    yield installation
    for kind in ("validatingadmissionpolicybinding", "validatingadmissionpolicy"):
        api_server.kubectl("delete", kind, installation.namespace)


def printed_policy(installation, *words):
    """Run `apisnoop-certs policy` as the administrator."""
    command = installation.command("policy", f"--policy={installation.namespace}", *words)
    return installation.server.run(*[word for word in command if not word.startswith("--kubeconfig")])


def pem_for(names, **changes):
    """Make a request as ours is made, or with another key or subject."""
    if not changes:
        return make_signing_request(names).pem
    builder = x509.CertificateSigningRequestBuilder().subject_name(changes.get("subject", subject()))
    key = changes.get("key") or ec.generate_private_key(ec.SECP256R1())
    signed = builder.add_extension(alternative_names(names), critical=False).sign(key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM).decode()


def request(installation, *, pem, signer=SIGNERS[0], name="apisnoop", seconds=600, usages=("server auth",)):
    """Write a CertificateSigningRequest."""
    return {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": name},
        "spec": {
            "request": base64.b64encode(pem.encode()).decode(),
            "signerName": signer,
            "expirationSeconds": seconds,
            "usages": ["digital signature", *usages],
        },
    }


def attempt(installation, verb, thing, *words):
    """Let the Job's service account try something without effect; return what it is told, "" if it may."""
    command = [installation.server.kubectl_path, "--kubeconfig", installation.kubeconfig, verb, "--dry-run=server"]
    done = subprocess.run(
        [*command, "--filename=-", *words], input=json.dumps(thing), capture_output=True, text=True, check=False
    )
    return done.stderr if done.returncode else ""


def server_names_of(installation):
    """Read the API server's names as the policy does."""
    return Objects(Api(installation.kubeconfig, program="test"), ObjectNames("", "", "", "")).server_names(
        "cluster.local", ()
    )


def test_the_job_gets_its_certificate_under_the_policy(bound):
    """The policy lets through what it is made for: probe, certificate, both approvals."""
    done = bound.run("issue", "--mode=csr")
    assert (done.returncode, done.stdout[:8]) == (0, "mode csr")


def test_our_own_request_passes(api_server, bound):
    """What the other tests vary is accepted as it is, so that they show what they say."""
    assert attempt(bound, "create", request(bound, pem=pem_for(server_names_of(bound)))) == ""


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("signer", "example.com/other", "may ask kubernetes.io/kubelet-serving or"),
        ("name", "other", "calls its requests apisnoop or apisnoop-probe"),
        ("seconds", 8 * 86_400, "may ask for at most 604800 seconds"),
        ("usages", ("client auth",), "may ask for digital signature and server auth only"),
    ],
)
def test_the_job_may_ask_for_nothing_else(api_server, bound, field, value, told):
    """Another signer, name, lifetime or usage is refused, each with its own words."""
    pem = pem_for(server_names_of(bound))
    assert told in attempt(bound, "create", request(bound, pem=pem, **{field: value}))


def test_a_missing_lifetime_is_refused(api_server, bound):
    """Without one the signer would give its longest."""
    wanted = request(bound, pem=pem_for(server_names_of(bound)))
    del wanted["spec"]["expirationSeconds"]
    assert "may ask for at most" in attempt(bound, "create", wanted)


@pytest.mark.parametrize("variant", ["one name more", "one address less", "another address", "a kubelet's name"])
def test_other_alternative_names_are_refused(api_server, bound, variant):
    """The API server compares the names inside of the request, byte for byte."""
    ours = server_names_of(bound)
    address = type(ours.addresses[0])("10.1.2.3")
    names = {
        "one name more": ServerNames((*ours.names, "node-1"), ours.addresses),
        "one address less": ServerNames(ours.names, ours.addresses[1:]),
        "another address": ServerNames(ours.names, (address, *ours.addresses[1:])),
        "a kubelet's name": ServerNames(("node-1",), ()),
    }[variant]
    assert "alternative names and key are not what" in attempt(bound, "create", request(bound, pem=pem_for(names)))


def test_another_subject_is_refused(api_server, bound):
    """Even of the same length."""
    other = x509.Name([*list(subject())[:1], x509.NameAttribute(x509.NameOID.COMMON_NAME, "system:node:apisnooq")])
    pem = pem_for(server_names_of(bound), subject=other)
    assert "alternative names and key are not what" in attempt(bound, "create", request(bound, pem=pem))


def test_a_second_request_cannot_hide_behind_ours(api_server, bound):
    """Go's parser goes on to the next PEM block where the first is broken; the policy refuses any second block."""
    ours = server_names_of(bound)
    broken = pem_for(ours).replace(BEGIN, BEGIN.replace("CERTIFICATE", "CERTIFICATF"))
    for pem in (pem_for(ours) + pem_for(ServerNames(("node-1",), ())), broken + pem_for(ours)):
        assert "not what this policy was made for" in attempt(bound, "create", request(bound, pem=pem))


def test_the_job_cannot_approve_somebody_elses_request(api_server, bound):
    """Not even one that is byte for byte like ours, under the name its RBAC allows it to approve."""
    api_server.apply(request(bound, pem=pem_for(server_names_of(bound))))
    try:
        command = [api_server.kubectl_path, "--kubeconfig", bound.kubeconfig, "certificate", "approve", "apisnoop"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "may approve only what it has requested itself" in done.stderr
        assert api_server.get("csr", "apisnoop")["status"] == {}
    finally:
        api_server.kubectl("delete", "csr", "apisnoop")


def test_other_users_are_not_touched(api_server, bound):
    """The administrator's own requests pass, whatever they ask for."""
    pem = pem_for(ServerNames(("node-1",), ()))
    wanted = request(bound, pem=pem, name="other", seconds=99 * 86_400)
    assert "created" in api_server.kubectl("create", "--dry-run=server", "--filename=-", stdin=json.dumps(wanted))


def test_an_address_that_changed_since_is_said_with_the_next_step(bound):
    """The run fails, also in mode auto, and asks for no less than before; the verdict has the command."""
    done = bound.run("issue", "--name=192.0.2.7")
    assert done.returncode == 3
    assert "an administrator makes the policy anew: kubectl apisnoop install" in done.stderr
    verdict = bound.config_map()
    assert "10.96.0.1, 192.0.2.7, which the API server is called by now" in verdict["reason"]
    assert verdict["then"] == "kubectl apisnoop install"


def test_open_names_still_tie_the_rest(api_server, loosely_bound):
    """With --any-names other names pass, but no other subject and no other kind of key."""
    names = ServerNames((*DNS, "api.example.com"), ())
    assert attempt(loosely_bound, "create", request(loosely_bound, pem=pem_for(names))) == ""
    other = x509.Name([*list(subject())[:1], x509.NameAttribute(x509.NameOID.COMMON_NAME, "system:node:apisnooq")])
    for pem in (pem_for(names, subject=other), pem_for(names, key=ec.generate_private_key(ec.SECP384R1()))):
        told = attempt(loosely_bound, "create", request(loosely_bound, pem=pem))
        assert "subject and key are not what this policy was made for" in told


def test_the_policy_has_no_type_errors(api_server, bound):
    """The API server's own check of the expressions finds nothing to warn of."""
    api_server.kubectl(
        "wait",
        f"validatingadmissionpolicy/{bound.namespace}",
        "--for=jsonpath={.status.observedGeneration}=1",
        "--timeout=60s",
    )
    status = api_server.get("validatingadmissionpolicy", bound.namespace)["status"]
    assert status.get("typeChecking", {}).get("expressionWarnings", []) == []


def test_what_is_printed_is_the_policy_and_its_binding(bound):
    """Nothing else is on standard output."""
    kinds = [thing["kind"] for thing in yaml.safe_load_all(printed_policy(bound))]
    assert kinds == ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"]
