"""Names, authorities and leaves for tests that need no cluster."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from apisnoop_certs.authority import make_authority, sign_leaf
from apisnoop_certs.server_names import SERVICE_NAMES, ServerNames

NOW = datetime.now(UTC).replace(microsecond=0)
WEEK = timedelta(days=7)
ADDRESSES = (ip_address("10.96.0.1"), ip_address("fd00::1"))
NAMES = ServerNames((*SERVICE_NAMES, f"{SERVICE_NAMES[-1]}.cluster.local"), ADDRESSES)
AUTHORITY = make_authority(NAMES, NOW)
STRANGER = make_authority(NAMES, NOW)


def leaf_for(names=NAMES, authority=AUTHORITY, lifetime=WEEK, now=NOW):
    """Sign a leaf."""
    return sign_leaf(authority, names, lifetime, now)
