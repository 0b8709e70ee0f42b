"""The certificate that pods are shown, read again when it has been renewed.

A Secret's volume is replaced as a whole by the kubelet (a symbolic link turned to a new folder), so both files are of
one generation as long as they are read through the same folder.
"""

import asyncio
import logging
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from apisnoop.causes import cause_of
from apisnoop.errors import ApisnoopError
from apisnoop_addons.engine.upstream import KeyPair

CHECK_SECONDS = 5.0
"""The kubelet takes up to a minute to bring a changed Secret to the node; a few seconds more do not matter."""

logger = logging.getLogger(__name__)


class Certificate:
    """The current key pair in a folder with tls.crt and tls.key. Connections keep the one they began with."""

    def __init__(self, folder: Path) -> None:
        """Raises ApisnoopError when there is no usable pair."""
        self._folder = folder
        self._pair = read_pair(folder)

    def __call__(self) -> KeyPair:
        """Give the pair for a new connection."""
        return self._pair

    async def run(self) -> None:
        """Look for a new one now and then, until cancelled; one that cannot be used is told and left."""
        told = ""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            try:
                pair = await asyncio.to_thread(read_pair, self._folder)
            except ApisnoopError as error:
                if str(error) != told:
                    told = str(error)
                    logger.warning("%s; the one read before stays in use", error)
                continue
            told = ""
            if pair != self._pair:
                self._pair = pair
                logger.info("certificate renewed: new connections are shown the new one")


def read_pair(folder: Path) -> KeyPair:
    """Read tls.crt and tls.key of one generation. Raises ApisnoopError when they are missing or do not match."""
    try:
        generation = folder.resolve(strict=True)
        data = generation / "..data"
        generation = data.resolve(strict=True) if data.is_symlink() else generation
        pair = KeyPair((generation / "tls.crt").read_bytes(), (generation / "tls.key").read_bytes())
    except OSError as error:
        raise ApisnoopError(
            f"certificate {folder} cannot be read: {cause_of(error)}; the certificate Job writes it, see its log"
        ) from None
    if not pair.certificate.strip() or not pair.key.strip():
        raise ApisnoopError(f"certificate {folder} is empty: the certificate Job has not written it yet, see its log")
    _check(folder, pair)
    return pair


def _check(folder: Path, pair: KeyPair) -> None:
    try:
        leaf = x509.load_pem_x509_certificates(pair.certificate)[0]
        key = load_pem_private_key(pair.key, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # its text may quote the file
        raise ApisnoopError(
            f"certificate {folder} is no certificate with its key: have the certificate Job make a new one"
        ) from None
    if leaf.public_key() != key.public_key():
        raise ApisnoopError(
            f"certificate {folder} has the key of another certificate: have the certificate Job make a new one"
        )
