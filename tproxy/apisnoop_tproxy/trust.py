"""Whether a pod would accept the proxy's certificate: asked before anything is led to the proxy, not found out after.

The agent has the certificate without its key. A pod trusts what its own ca.crt says; where no container of it has one
yet, what the kubelet is about to mount.
"""

import functools
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store, VerificationError

from apisnoop_tproxy.safe_files import read_in_root

CA_FILE = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"
SERVER_NAME = "kubernetes.default.svc"


class Trust(msgspec.Struct, frozen=True):
    """The answer."""

    accepted: bool
    why: str = ""
    """For people; empty if accepted."""


def check_trust(chain: bytes, roots: Iterable[Path], volumes: Path, now: datetime) -> Trust:
    """Check our certificate `chain` (PEM, leaf first) against every ca.crt of a pod.

    `roots` are the root folders of its processes, `volumes` the folder of its projected volumes on the node.
    """
    found = [*_readable((root, CA_FILE) for root in roots)]
    if not found:
        folders = sorted(volumes.iterdir()) if volumes.is_dir() else []
        found = [*_readable((folder, "/ca.crt") for folder in folders)]
    if not found:
        return Trust(False, f"it has no {CA_FILE}, so that nothing tells whether it would accept our certificate")
    minute = now.replace(second=0, microsecond=0)
    return next((trust for trust in (verify(chain, one, minute) for one in found) if not trust.accepted), Trust(True))


@functools.lru_cache(maxsize=64)
def verify(chain: bytes, authorities: bytes, now: datetime) -> Trust:
    """Check a chain (PEM, leaf first) against authorities (PEM) for the name that programs in pods use."""
    try:
        leaf, *intermediates = x509.load_pem_x509_certificates(chain)
    except ValueError:
        return Trust(False, "there is no certificate of ours yet")
    try:
        store = Store(x509.load_pem_x509_certificates(authorities))
    except ValueError:
        return Trust(False, f"its {CA_FILE} holds no certificate")
    # As lenient as TLS clients are: clusters' authorities are older than the web's rules for extensions.
    lenient = ExtensionPolicy.permit_all()
    authority = lenient.require_present(x509.BasicConstraints, Criticality.AGNOSTIC, None)
    server = lenient.require_present(x509.SubjectAlternativeName, Criticality.AGNOSTIC, None)
    policy = PolicyBuilder().store(store).time(now).extension_policies(ca_policy=authority, ee_policy=server)
    try:
        policy.build_server_verifier(x509.DNSName(SERVER_NAME)).verify(leaf, intermediates)
    except VerificationError as error:
        if leaf.not_valid_after_utc < now.replace(tzinfo=UTC):
            return Trust(False, f"our certificate has expired at {leaf.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}")
        return Trust(False, f"its {CA_FILE} does not accept our certificate ({error})")
    return Trust(True)


def _readable(places: Iterable[tuple[Path, str]]) -> Iterable[bytes]:
    for root, path in places:
        try:
            yield read_in_root(root, path)
        except FileNotFoundError:
            continue
        except ProcessLookupError:  # it has ended meanwhile
            continue
        except OSError:
            yield b""  # there is one that we cannot read: it accepts nothing
