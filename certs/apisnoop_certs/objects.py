"""The objects in the cluster that are read and written, by the names an installation gives them.

The edge: every request this component makes is here, one method for each, and certs/README.md lists the rights.
"""

import base64
import binascii
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apisnoop.cluster_api import Api, Json
from apisnoop.errors import ApisnoopError, RefusedError
from apisnoop.fleet.objects import REQUESTS
from apisnoop_certs.authority import Authority
from apisnoop_certs.leaf import Leaf
from apisnoop_certs.outcome import FINAL, Outcome, State, outcome_of
from apisnoop_certs.server_names import ServerNames, server_names
from apisnoop_certs.signing_request import is_ours
from apisnoop_certs.verdict import Verdict, read_verdict

_RBAC = "rbac.authorization.k8s.io/v1"
ROOT_CA = "kube-root-ca.crt"
"""The ConfigMap that is mounted into every pod as its ca.crt."""
CERTIFICATE, KEY = "tls.crt", "tls.key"


@dataclass(frozen=True, slots=True)
class ObjectNames:
    """How the installation calls its objects. The Secrets and the ConfigMap are in `namespace` and exist already."""

    namespace: str
    leaf_secret: str
    authority_secret: str
    verdict_map: str
    owner: str = ""
    """ClusterRole with which requests go, should we be killed before we have deleted them; "" for none."""


class Objects:
    """One cluster's objects."""

    def __init__(self, api: Api, names: ObjectNames) -> None:
        self._api = api
        self._names = names

    def server_names(self, domain: str, extra: Sequence[str]) -> ServerNames:
        """Read under which names and addresses the API server is reached."""
        service = self._api.get("/api/v1/namespaces/default/services/kubernetes")
        slices = self._api.get(
            "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices",
            labelSelector="kubernetes.io/service-name=kubernetes",
        )
        return server_names(service, slices.get("items") or [], domain, extra)

    def authorities(self) -> str:
        """Read what pods trust, PEM."""
        data = self._get("configmaps", ROOT_CA).get("data") or {}
        if not data.get("ca.crt"):
            raise ApisnoopError(
                f"ConfigMap {self._names.namespace}/{ROOT_CA} has no ca.crt; is kube-controller-manager running?"
            )
        return str(data["ca.crt"])

    def leaf(self) -> Leaf | None:
        """Read the certificate in use; None while there is none."""
        pair = self._read_pair(self._names.leaf_secret)
        return Leaf(*pair) if pair else None

    def save_leaf(self, leaf: Leaf) -> None:
        """Store a certificate and its key, both at once."""
        self._write_pair(self._names.leaf_secret, leaf.chain, leaf.key)

    def authority(self) -> Authority | None:
        """Read our own authority; None while there is none."""
        pair = self._read_pair(self._names.authority_secret)
        return Authority(*pair) if pair else None

    def save_authority(self, authority: Authority) -> None:
        """Store our own authority."""
        self._write_pair(self._names.authority_secret, authority.certificate, authority.key)

    def verdict(self) -> Verdict | None:
        """Read what the last run came to."""
        return read_verdict(self._get("configmaps", self._names.verdict_map).get("data") or {})

    def save_verdict(self, verdict: Verdict) -> None:
        """Store what this run came to."""
        self._patch("configmaps", self._names.verdict_map, {"data": verdict.data()})

    def create_request(self, request: Mapping[str, Any]) -> None:
        """Create a CertificateSigningRequest, in the place of one of ours that an earlier run left behind."""
        self.delete_request(request["metadata"]["name"])
        owners = [self._owner()] if self._names.owner else []
        self._api.create(REQUESTS, {**request, "metadata": {**request["metadata"], "ownerReferences": owners}})

    def approve_request(self, name: str) -> None:
        """Approve a CertificateSigningRequest."""
        request = self._api.get(f"{REQUESTS}/{name}")
        approval = {
            "type": "Approved",
            "status": "True",
            "reason": "RequestedByApisnoop",
            "message": "apisnoop-certs approves the request it has made itself",
        }
        status = request.setdefault("status", {})
        status["conditions"] = [*(status.get("conditions") or []), approval]
        self._api.replace(f"{REQUESTS}/{name}/approval", request)

    def await_request(self, name: str, seconds: float) -> Outcome:
        """Wait until a CertificateSigningRequest is decided, at most `seconds`; return how it stands then."""
        outcome, deadline = Outcome(State.PENDING), time.monotonic() + seconds
        # A watch ends before its time where a server ends, or a load balancer thinks it idle: that is no answer.
        while (left := deadline - time.monotonic()) > 0:
            for event, request in self._api.watch(REQUESTS, name, left):
                if event == "ERROR":
                    raise ApisnoopError(f"watching request {name} broke off: {request.get('message', '')}; run again")
                outcome = Outcome(State.DELETED) if event == "DELETED" else outcome_of(request)
                if outcome.state in FINAL:
                    return outcome
        return outcome

    def delete_request(self, name: str) -> bool:
        """Delete a CertificateSigningRequest of ours; return whether there was one.

        Raises ApisnoopError when one of that name is somebody else's.
        """
        try:
            found = self._api.get(f"{REQUESTS}/{name}")
        except RefusedError as error:
            if error.status == 404:
                return False
            raise
        if not is_ours(found):
            raise ApisnoopError(f"CertificateSigningRequest {name} is not ours; delete it or use another --request")
        self._api.delete(f"{REQUESTS}/{name}", found["metadata"]["uid"])
        return True

    def _owner(self) -> Json:
        """Refer to the ClusterRole that goes at uninstallation; Kubernetes then deletes what belongs to it."""
        role = self._api.get(f"/apis/{_RBAC}/clusterroles/{self._names.owner}")["metadata"]
        return {"apiVersion": _RBAC, "kind": "ClusterRole", "name": role["name"], "uid": role["uid"]}

    def _read_pair(self, secret: str) -> tuple[str, str] | None:
        data = self._get("secrets", secret).get("data") or {}
        if not (data.get(CERTIFICATE) and data.get(KEY)):
            return None
        try:
            certificate, key = (base64.b64decode(data[name], validate=True).decode() for name in (CERTIFICATE, KEY))
        except (binascii.Error, UnicodeDecodeError):
            raise ApisnoopError(
                f"Secret {self._names.namespace}/{secret} holds no PEM; empty its data, and it is filled anew"
            ) from None
        return certificate, key

    def _write_pair(self, secret: str, certificate: str, key: str) -> None:
        pair = {CERTIFICATE: certificate, KEY: key}
        encoded = {name: base64.b64encode(text.encode()).decode() for name, text in pair.items()}
        self._patch("secrets", secret, {"data": encoded})

    def _get(self, kind: str, name: str) -> Json:
        try:
            return self._api.get(self._path(kind, name))
        except RefusedError as error:
            raise self._missing(kind, name, error) from None

    def _patch(self, kind: str, name: str, change: Json) -> None:
        try:
            self._api.patch(self._path(kind, name), change)
        except RefusedError as error:
            raise self._missing(kind, name, error) from None

    def _path(self, kind: str, name: str) -> str:
        return f"/api/v1/namespaces/{self._names.namespace}/{kind}/{name}"

    def _missing(self, kind: str, name: str, error: RefusedError) -> ApisnoopError:
        if error.status != 404:
            return error
        return ApisnoopError(
            f"{kind.removesuffix('s')} {self._names.namespace}/{name} does not exist; the chart creates it, see "
            "`kubectl apisnoop install`, or name another"
        )
