"""Whether a pod would accept the proxy's certificate: asked before anything is led to the proxy, not found out after.

The agent has the certificate without its key. A pod trusts what its own ca.crt says; where no container of it has one
yet, what the kubelet is about to mount.
"""

import functools
import logging
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store, VerificationError

from apisnoop_tproxy.safe_files import read_in_root

CA_FILE = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"
SERVER_NAME = "kubernetes.default.svc"
MISSING = "there is no certificate of ours yet"
MOST_ROOTS = 32
"""Root folders of one pod that are looked into: its containers have one each, but its programs can make more."""
_FOREIGN = ("no interior errors", "signature does not match")
"""How the library ends when none of the authorities signed: none has the signer's name, or one has, but another key."""

logger = logging.getLogger(__name__)


class Trust(msgspec.Struct, frozen=True):
    """The answer."""

    accepted: bool
    why: str = ""
    """For people; empty if accepted."""


def check_trust(chain: bytes, roots: Iterable[Path], volumes: Path, now: datetime) -> Trust:
    """Check our certificate `chain` (PEM, leaf first) against every ca.crt of a pod, one after the other.

    `roots` are the root folders of its processes, `volumes` the folder of its projected volumes on the node. How many
    processes a pod has, and what they see at that path, is its own choice: so each root folder counts once, and no more
    than one file is held at a time.
    """
    distinct = _distinct(roots)
    if len(distinct) > MOST_ROOTS:
        return Trust(False, f"its processes have more than {MOST_ROOTS} root folders, and not all can be looked into")
    minute = now.replace(second=0, microsecond=0)
    folders = sorted(volumes.iterdir())[:MOST_ROOTS] if volumes.is_dir() else []
    for places in ([(root, CA_FILE) for root in distinct], [(folder, "/ca.crt") for folder in folders]):
        found = False
        for authorities in _readable(places):
            found = True
            trust = verify(chain, authorities, minute)
            if not trust.accepted:
                return trust
        if found:
            return Trust(True)
    return Trust(False, f"it has no {CA_FILE}, so that nothing tells whether it would accept our certificate")


def _distinct(roots: Iterable[Path]) -> list[Path]:
    """Leave out root folders that are another's too, as all processes of a container have the same."""
    found: dict[tuple[int, int], Path] = {}
    for root in roots:
        with suppress(OSError):  # the process has ended meanwhile
            known = root.stat()
            found.setdefault((known.st_dev, known.st_ino), root)
    return list(found.values())


@functools.lru_cache(maxsize=16)  # keys hold what was read, up to 1 MiB each
def verify(chain: bytes, authorities: bytes, now: datetime) -> Trust:
    """Check a chain (PEM, leaf first) against authorities (PEM) for the name that programs in pods use."""
    try:
        leaf, *intermediates = x509.load_pem_x509_certificates(chain)
    except ValueError:
        return Trust(False, MISSING)
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
        logger.debug("our certificate is not accepted: %s", error)
        why = "it was signed by another authority" if str(error).endswith(_FOREIGN) else str(error)
        return Trust(False, f"its {CA_FILE} does not accept our certificate: {why}")
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
