"""Client certificates: the key that belongs to a certificate which a client of ours has shown.

A certificate cannot be handed on: showing it to the API server takes its key. Clients get the user entries of the
kubeconfig unchanged and show their certificate to our listener, which proves that they hold the key; the proxy then
looks here for the same certificate and shows it to the server. So who connects to the listener without the key gets
no identity from us, and any mix of cluster and user works. Tokens and passwords never come here: they are headers
and just pass.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from apisnoop_addons.engine.upstream import KeyPair
from apisnoop_addons.run.kubeconfig import Entry


class ClientCertificates:
    """Finds certificates with their keys: those of a kubeconfig's users and those that credential plugins returned."""

    def __init__(self, users: Mapping[str, Entry], plugin_folder: Path) -> None:
        """`plugin_folder` is where `exec_wrapper` keeps what plugins return."""
        self._users = users
        self._plugin_folder = plugin_folder
        self._known: dict[str, KeyPair] = {}

    def find(self, certificate: x509.Certificate) -> KeyPair | None:
        """Return the certificate's chain and key, or None where we do not have the key.

        The kubeconfig's files are read again for a certificate not seen before: they change when it is renewed.
        """
        wanted = fingerprint(certificate)
        if wanted not in self._known:
            self._known |= kubeconfig_certificates(self._users)
        if wanted not in self._known:
            self._known |= plugin_certificate(self._plugin_folder, wanted)
        return self._known.get(wanted)


def fingerprint(certificate: x509.Certificate) -> str:
    """Return the certificate's SHA-256 in hexadecimal."""
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()


def kubeconfig_certificates(users: Mapping[str, Entry]) -> dict[str, KeyPair]:
    """Return the certificates of user entries by fingerprint.

    One that cannot be read is left out: the client cannot show it either, and says so itself.
    """
    found = {}
    for user in users.values():
        with suppress(OSError, binascii.Error, ValueError):
            certificate, key = _content(user, "client-certificate"), _content(user, "client-key")
            found[fingerprint(x509.load_pem_x509_certificate(certificate))] = KeyPair(certificate, key)
    return found


def plugin_certificate(folder: Path, wanted: str) -> dict[str, KeyPair]:
    """Return the certificate that a plugin returned under its fingerprint, or nothing."""
    certificate = folder / f"{wanted}.crt"
    if not certificate.exists():
        return {}
    return {wanted: KeyPair(certificate.read_bytes(), certificate.with_suffix(".key").read_bytes())}


def _content(user: Entry, name: str) -> bytes:
    if data := user.get(f"{name}-data"):
        return base64.b64decode("".join(str(data).split()), validate=True)
    return Path(path).read_bytes() if (path := user.get(name)) else b""
