"""A certificate with its private key, as kept in a Secret."""

from dataclasses import dataclass, field
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from apisnoop.errors import ApisnoopError


@dataclass(frozen=True, slots=True)
class Leaf:
    """PEM texts; the key is in no repr, so that no traceback and no log shows it."""

    chain: str
    """The certificate, then the intermediate ones the signer may have added."""
    key: str = field(repr=False)

    @property
    def certificate(self) -> x509.Certificate:
        """The first certificate of the chain.

        Raises ApisnoopError if there is none.
        """
        try:
            return x509.load_pem_x509_certificate(self.chain.encode())
        except ValueError as error:
            raise ApisnoopError(f"what should be a certificate is none: {error}; have it issued anew") from None

    @property
    def not_before(self) -> datetime:
        """From when on it is valid."""
        return self.certificate.not_valid_before_utc

    @property
    def not_after(self) -> datetime:
        """Until when it is valid, which is the signer's decision, whatever was asked for."""
        return self.certificate.not_valid_after_utc


def key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    """Encode a private key as unencrypted PKCS #8, which every TLS library reads."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
