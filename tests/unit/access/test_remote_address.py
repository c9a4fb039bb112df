"""Where a request comes from, whatever it says of itself."""

from __future__ import annotations

import pytest

from sync_server.access.remote_address import Peer, networks, origin_of

PROXIES = networks(["127.0.0.1", "10.0.0.0/8", "::1"])


@pytest.mark.parametrize(
    ("address", "forwarded", "origin"),
    [
        ("203.0.113.7", "", "203.0.113.7"),
        ("203.0.113.7", "192.0.2.1", "203.0.113.7"),
        ("127.0.0.1", "192.0.2.1", "192.0.2.1"),
        ("127.0.0.1", "6.6.6.6, 192.0.2.1", "192.0.2.1"),
        ("127.0.0.1", "6.6.6.6, 192.0.2.1, 10.1.2.3", "192.0.2.1"),
        ("127.0.0.1", "10.0.0.9", "10.0.0.9"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "192.0.2.1:5000", "192.0.2.1"),
        ("127.0.0.1", "made up", "unknown"),
        ("::ffff:127.0.0.1", "192.0.2.1", "192.0.2.1"),
        ("::1", "[2001:db8:1:2:3:4:5:6]:99", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::99", "", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "", "fe80::/64"),
        ("", "", "unknown"),
    ],
)
def test_the_origin_is_what_the_last_trusted_proxy_saw(
    address: str, forwarded: str, origin: str
) -> None:
    assert origin_of(Peer(address, forwarded), PROXIES) == origin


def test_without_trusted_proxies_nothing_that_is_sent_counts() -> None:
    assert origin_of(Peer("127.0.0.1", "192.0.2.1"), ()) == "127.0.0.1"
