"""Keeps the webhook's own certificate: in a Secret that all replicas read, written by the leader alone.

And what trusts it: the webhook's configuration, mended by the leader whenever anything else is in it.
"""

import base64
import binascii
import logging
import ssl
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from apisnoop_webhook.authority import Kept, tend
from apisnoop_webhook.cluster import Cluster, Json, namespaced
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
    def loaded(self) -> bool:
        """Whether there is a certificate to serve with."""
        return bool(self._loaded)

    def tend(self, *, leads: bool) -> None:
        """Serve with what the Secret holds; as the leader, take the next step in its life first, if one is due.

        Raises ApisnoopError when an object cannot be read or written.
        """
        secret = self._cluster.get(self._secret)
        kept = Kept.read(_decoded(secret.get("data") or {}))
        if leads:
            kept = self._lead(secret, kept)
        if kept is not None and kept.leaf.certificate not in {"", self._loaded}:
            load_pair(self._tls, kept.leaf.certificate, kept.leaf.key)
            self._loaded = kept.leaf.certificate
            _log.info("serving with a certificate valid until %s", f"{kept.leaf.parsed.not_valid_after_utc:%Y-%m-%d}")

    def _lead(self, secret: Json, kept: Kept | None) -> Kept:
        configuration = self._cluster.get(self._configuration)
        following = tend(kept, self._names, datetime.now(UTC), _published(configuration))
        if following is not kept:
            self._cluster.replace(self._secret, {**secret, "data": _encoded(following.data())})
            _log.info("wrote the webhook's Secret anew")
        self._publish(configuration, following.trusted)
        return following

    def _publish(self, configuration: Json, trusted: str) -> None:
        wanted = base64.b64encode(trusted.encode()).decode()
        wrong = [one for one in configuration.get("webhooks") or [] if one["clientConfig"].get("caBundle") != wanted]
        if not wrong:
            return
        for one in wrong:
            one["clientConfig"]["caBundle"] = wanted
        self._cluster.replace(self._configuration, configuration)
        _log.info("wrote our authorities into the webhook's configuration")


def _published(configuration: Json) -> str:
    """Give what every entry of the configuration trusts: nothing, if they differ or cannot be read."""
    bundles = {one["clientConfig"].get("caBundle", "") for one in configuration.get("webhooks") or []}
    return _decoded({"": bundles.pop()})[""] if len(bundles) == 1 else ""


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
