"""What came of it, as kept in a ConfigMap for `kubectl apisnoop status`, the webhook and the next renewal. Pure.

Holds nothing secret: of our own authority, the certificate only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from apisnoop.moments import MOMENT
from apisnoop.trust_mode import Mode


@dataclass(frozen=True, slots=True)
class Verdict:
    """The state of the certificate and how it came to it."""

    mode: Mode
    reason: str
    signer: str = ""
    not_after: datetime | None = None
    renew_at: datetime | None = None
    names: str = ""
    authorities: str = ""
    """Our own authority's certificates (PEM), which the webhook adds to the cluster's; empty in the other modes."""
    then: str = ""
    """The command that mends what `reason` tells of; empty where nothing needs mending or nobody knows how."""

    def data(self) -> dict[str, str]:
        """Give the ConfigMap's data; every key is always there, so that an old value never stays beside a new one."""
        return {
            "mode": self.mode,
            "reason": self.reason,
            "signer": self.signer,
            "not-after": f"{self.not_after:{MOMENT}}" if self.not_after else "",
            "renew-at": f"{self.renew_at:{MOMENT}}" if self.renew_at else "",
            "names": self.names,
            "ca.crt": self.authorities,
            "then": self.then,
        }


def read_verdict(data: Mapping[str, str]) -> Verdict | None:
    """Read a ConfigMap's data; None where nothing has been decided yet, or not by us."""
    try:
        mode = Mode(data.get("mode", ""))
        return Verdict(
            mode,
            data.get("reason", ""),
            data.get("signer", ""),
            _moment(data.get("not-after")),
            _moment(data.get("renew-at")),
            data.get("names", ""),
            data.get("ca.crt", ""),
            data.get("then", ""),
        )
    except ValueError:
        return None


def _moment(text: str | None) -> datetime | None:
    return datetime.strptime(text, MOMENT).replace(tzinfo=UTC) if text else None
