"""Where a request comes from, through as many proxies as the deployer trusts.

`X-Forwarded-For` lists the addresses that a request passed, each proxy adding the one it saw at
the end. Anybody can send such a header, so it is read from its end, and only as far as trusted
proxies wrote it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, NamedTuple

Network = IPv4Network | IPv6Network

UNKNOWN_ADDRESS = "unknown"

SUBSCRIBER_BITS = 64
"""Of an IPv6 address: what one subscriber has all addresses of."""


class Peer(NamedTuple):
    """What a request says of where it comes from."""

    address: str
    forwarded: str = ""
    """`X-Forwarded-For`, as it came."""


NOWHERE = Peer("")


def peer_of(environ: Mapping[str, Any]) -> Peer:
    """Of a request's WSGI environment."""
    return Peer(environ.get("REMOTE_ADDR", ""), environ.get("HTTP_X_FORWARDED_FOR", ""))


def networks(names: Sequence[str]) -> tuple[Network, ...]:
    """`10.0.0.0/8`, `::1` → networks. Raises ValueError."""
    return tuple(ip_network(name) for name in names)


def origin_of(peer: Peer, trusted: Sequence[Network]) -> str:
    """The address of the client, or its /64 network where it is IPv6."""
    hops = [hop.strip() for hop in peer.forwarded.split(",")] if peer.forwarded else []
    address = peer.address
    while hops and _is_trusted(address, trusted):
        address = hops.pop()
    return _counted_as(address)


def _is_trusted(address: str, trusted: Sequence[Network]) -> bool:
    try:
        found = _plain(address)
    except ValueError:
        return False
    return any(ip_address(found) in network for network in trusted)


def _counted_as(address: str) -> str:
    try:
        found = ip_address(_plain(address))
    except ValueError:
        return UNKNOWN_ADDRESS
    if found.version == 4:
        return str(found)
    return str(ip_network((found, SUBSCRIBER_BITS), strict=False))


def _plain(address: str) -> str:
    """Without port and zone; IPv4 as IPv4 where it came mapped into IPv6. Raises ValueError."""
    if address.startswith("["):
        address = address[1:].partition("]")[0]
    elif address.count(":") == 1:
        address = address.partition(":")[0]
    found = ip_address(address.partition("%")[0])
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return str(mapped or found)
