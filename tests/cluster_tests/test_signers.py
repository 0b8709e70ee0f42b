"""Who signs CertificateSigningRequests: the cluster's authority, a foreign one, or nobody."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cluster import ApiServer
from cluster.pki import Authority

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.cluster

NODE = "system:node:somebody"


@pytest.fixture(scope="module")
def own_server() -> Iterator[ApiServer]:
    """A server whose controllers a test may restart."""
    with ApiServer.start(controllers=True) as server:
        yield server


def test_the_clusters_authority_signs_for_kubelets_unless_told_otherwise(own_server: ApiServer, tmp_path: Path) -> None:
    """Authority, foreign authority, nobody: each as asked for, and the other signers go on."""
    ours = x509.load_pem_x509_certificate(own_server.ca_file.read_bytes())
    own_server.restart_controllers()
    assert is_signed_by(ours, certificate(own_server, request(own_server, "kubelet-serving")))

    foreign = Authority.create(tmp_path, "somebody else").files
    own_server.restart_controllers(signers={"kubelet-serving": foreign})
    theirs = x509.load_pem_x509_certificate(foreign.certificate.read_bytes())
    assert is_signed_by(theirs, certificate(own_server, request(own_server, "kubelet-serving")))
    assert is_signed_by(ours, certificate(own_server, request(own_server, "kube-apiserver-client-kubelet")))

    own_server.restart_controllers(signers={"kubelet-serving": None})
    unsigned = request(own_server, "kubelet-serving")
    certificate(own_server, request(own_server, "kube-apiserver-client-kubelet"))
    status = own_server.get("certificatesigningrequest", unsigned)["status"]
    assert [condition["type"] for condition in status["conditions"]] == ["Approved"]
    assert "certificate" not in status


def test_controllers_take_arguments_when_they_are_restarted(own_server: ApiServer) -> None:
    """A controller that is switched off does nothing any more: no service account for a new namespace."""
    own_server.restart_controllers(["--controllers=*,-serviceaccount-controller"])
    own_server.kubectl("create", "namespace", "lonely")
    own_server.kubectl("wait", "configmap/kube-root-ca.crt", "--for=create", "--timeout=30s", "--namespace=lonely")
    assert own_server.get("serviceaccounts", "--namespace=lonely")["items"] == []


def request(server: ApiServer, signer: str) -> str:
    """Ask a signer for a node's certificate, approve that, and return the request's name."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "system:nodes"), x509.NameAttribute(NameOID.COMMON_NAME, NODE)]
    )
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
    if signer == "kubelet-serving":
        names = x509.SubjectAlternativeName([x509.DNSName("somebody")])
        builder = builder.add_extension(names, critical=False)
    pem = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    usage = "server auth" if signer == "kubelet-serving" else "client auth"
    body = {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"generateName": "test-"},
        "spec": {
            "request": base64.b64encode(pem).decode(),
            "signerName": f"kubernetes.io/{signer}",
            "usages": ["digital signature", usage],
        },
    }
    name = server.kubectl("create", "--filename=-", "--output=jsonpath={.metadata.name}", stdin=json.dumps(body))
    server.kubectl("certificate", "approve", name)
    return name


def certificate(server: ApiServer, name: str) -> x509.Certificate:
    """Wait for the certificate of a request."""
    server.kubectl("wait", f"csr/{name}", "--for=jsonpath={.status.certificate}", "--timeout=30s")
    pem = base64.b64decode(server.get("certificatesigningrequest", name)["status"]["certificate"])
    return x509.load_pem_x509_certificate(pem)


def is_signed_by(authority: x509.Certificate, leaf: x509.Certificate) -> bool:
    """Tell whether an authority's key signed a certificate."""
    try:
        leaf.verify_directly_issued_by(authority)
    except (ValueError, InvalidSignature):
        return False
    return True
