"""Rules as text."""

import pytest

from apisnoop_tproxy.nft import RuleError, apply_rules


def test_what_cannot_be_applied_is_told():
    """A transaction that libnftables does not understand raises its own words and changes nothing."""
    with pytest.raises(RuleError, match="syntax error"):
        apply_rules("table inet {")
