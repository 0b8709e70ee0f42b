"""A certificate that somebody else keeps, such as cert-manager: two files of a mounted Secret."""

import logging
import ssl
from collections.abc import Sequence
from pathlib import Path

from apisnoop.errors import ApisnoopError
from apisnoop_webhook.server import load_pair

_log = logging.getLogger(__name__)


class FilesCertificate:
    """A folder with `tls.crt` and `tls.key`. The kubelet exchanges both at once, by a link."""

    def __init__(self, folder: Path, tls: ssl.SSLContext) -> None:
        self._folder = folder
        self._tls = tls
        self._loaded = ""

    @property
    def watched(self) -> Sequence[str]:
        """Nothing: the kubelet brings it."""
        return ()

    @property
    def loaded(self) -> bool:
        """Whether there is a certificate to serve with."""
        return bool(self._loaded)

    def tend(self, *, leads: bool, for_owners: bool) -> None:  # noqa: ARG002 - the configuration is not ours to write
        """Serve with what the files hold.

        Raises ApisnoopError when they cannot be read or are no certificate and key.
        """
        try:
            certificate, key = ((self._folder / name).read_text() for name in ("tls.crt", "tls.key"))
            if certificate != self._loaded:
                load_pair(self._tls, certificate, key)
                self._loaded = certificate
                _log.info("serving with the certificate of %s", self._folder)
        except (OSError, ssl.SSLError, UnicodeDecodeError) as error:
            raise ApisnoopError(f"cannot serve with {self._folder}/tls.crt and tls.key: {error}") from None
