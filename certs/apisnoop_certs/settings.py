"""What a run is asked to do."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from apisnoop.trust_mode import Mode
from apisnoop_certs.server_names import DEFAULT_DOMAIN
from apisnoop_certs.signing import Approval

SIGNERS = ("kubernetes.io/kubelet-serving", "beta.eks.amazonaws.com/app-serving")
"""Signers that are known to sign for a server of any name, in the order in which they are tried."""
LEAST = timedelta(seconds=600)
"""The shortest lifetime the API server lets anybody ask for."""


class Asked(StrEnum):
    """Which mode the user asks for."""

    AUTO = "auto"
    """The cluster's signature, else ours."""
    CSR = Mode.CSR.value
    OWN_CA = Mode.OWN_CA.value


@dataclass(frozen=True, slots=True)
class Settings:
    """One run."""

    request: str
    """Name of the CertificateSigningRequest; the probe's is the same and `-probe`."""
    mode: Asked = Asked.AUTO
    signers: Sequence[str] = SIGNERS
    lifetime: timedelta = timedelta(days=7)
    """Asked for; the signer decides."""
    manual: bool = False
    """A human approves."""
    wait: timedelta = timedelta(seconds=60)
    """For one signature, a human's approval included."""
    domain: str = DEFAULT_DOMAIN
    extra_names: Sequence[str] = ()

    @property
    def approval(self) -> Approval:
        """Who approves, and how long that may take."""
        return Approval(self.manual, self.wait)

    @property
    def requests(self) -> tuple[str, str]:
        """Names of all requests a run makes: the certificate's and the probe's."""
        return requests_named(self.request)


def requests_named(name: str) -> tuple[str, str]:
    """Give the names of the requests that belong to an installation whose certificate's request is `name`."""
    return name, f"{name}-probe"
