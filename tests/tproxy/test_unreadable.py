"""Containers whose connections cannot be read."""

from apisnoop_tproxy.unreadable import ABANDONED, Unreadable


def test_one_word_is_enough_where_it_is_plain():
    """A client certificate, or an alert that rejects ours, leaves no doubt; other containers are read on."""
    found = Unreadable()
    found.add("app", "client-certificate")
    found.add("sidecar", "certificate-rejected")
    assert ("app" in found, "sidecar" in found, "other" in found) == (True, True, False)


def test_hurry_counts_by_container():
    """Handshakes that were left are held against the container that left them, several times."""
    found = Unreadable()
    for name in ["app", "sidecar"] * (ABANDONED - 1):
        found.add(name, "handshake-abandoned")
    assert "app" not in found
    found.add("app", "handshake-abandoned")
    assert ("app" in found, "sidecar" in found) == (True, False)
    assert found.reasons == {"handshake-abandoned": 2 * ABANDONED - 1}


def test_another_certificate_is_another_try():
    """Who rejected the last one is asked again; who has one of its own cannot be read whatever we show."""
    found = Unreadable()
    found.add("app", "client-certificate")
    for _ in range(ABANDONED):
        found.add("app", "handshake-abandoned")
        found.add("sidecar", "handshake-abandoned")
    found.add("other", "certificate-rejected")
    found.forget_rejections()
    assert ("app" in found, "sidecar" in found, "other" in found) == (True, False, False)
    found.add("sidecar", "handshake-abandoned")
    assert "sidecar" not in found
