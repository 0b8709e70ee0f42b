"""Keeps the webhook's own certificate: in a Secret that all replicas read, written by the leader alone.

And the webhook's configuration, which trusts it, mended by the leader whenever anything else is in it.
"""

import base64
import binascii
import logging
import ssl
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from apisnoop_webhook.authority import Kept, tend
from apisnoop_webhook.cluster import Cluster, Json, namespaced
from apisnoop_webhook.configuration import corrected, published
from apisnoop_webhook.server import load_pair

_CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"

_log = logging.getLogger(__name__)


class OwnCertificate:
    """A Secret, a webhook configuration, and the TLS context that serves."""

    def __init__(
        self, cluster: Cluster, secret: tuple[str, str], configuration: str, names: Sequence[str], tls: ssl.SSLContext
    ) -> None:
        """`secret` is namespace and name; `names` are those under which the API server calls us."""
        self._cluster = cluster
        self._secret = namespaced("secrets", *secret)
        self._configuration = f"{_CONFIGURATIONS}/{configuration}"
        self._names = names
        self._tls = tls
        self._loaded = ""

    @property
    def watched(self) -> Sequence[str]:
        """Paths of the Secret and of the webhook's configuration."""
        return self._secret, self._configuration

    @property
    def loaded(self) -> bool:
        """Whether there is a certificate to serve with."""
        return bool(self._loaded)

    def tend(self, *, leads: bool, for_owners: bool) -> None:
        """Serve with what the Secret holds; as the leader, take the next step in its life first, if one is due.

        `for_owners`: whether the API server is to ask about pods that only their owners can want recorded.

        Raises ApisnoopError when an object cannot be read or written.
        """
        secret = self._cluster.get(self._secret)
        kept = Kept.read(_decoded(secret.get("data") or {}))
        if leads:
            kept = self._lead(secret, kept, for_owners=for_owners)
        if kept is not None and kept.leaf.certificate not in {"", self._loaded}:
            load_pair(self._tls, kept.leaf.certificate, kept.leaf.key)
            self._loaded = kept.leaf.certificate
            _log.info("serving with a certificate valid until %s", f"{kept.leaf.parsed.not_valid_after_utc:%Y-%m-%d}")

    def _lead(self, secret: Json, kept: Kept | None, *, for_owners: bool) -> Kept:
        configuration = self._cluster.get(self._configuration)
        following = tend(kept, self._names, datetime.now(UTC), published(configuration))
        if following is not kept:
            self._cluster.replace(self._secret, {**secret, "data": _encoded(following.data())})
            _log.info("wrote the webhook's Secret anew")
        right = corrected(configuration, following.trusted, for_owners=for_owners)
        if right != configuration:
            self._cluster.replace(self._configuration, right)
            _log.info("corrected the webhook's configuration")
        return following


def _encoded(data: Mapping[str, str]) -> dict[str, str]:
    return {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}


def _decoded(data: Mapping[str, str]) -> dict[str, str]:
    """Decode a Secret's data; what is no text in base64 is as good as nothing."""
    decoded = {}
    for key, value in data.items():
        try:
            decoded[key] = base64.b64decode(value or "", validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            decoded[key] = ""
    return decoded
