"""Every tablet, and how far behind it is: what whoever looks after them wants to see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from sync_server.access.accounts import Account, Accounts
from sync_server.access.devices import Device, Devices
from sync_server.access.scope import Places, scope_of
from sync_server.errors import SyncError
from sync_server.storage.base import DocumentStore


class FleetParts(Protocol):
    """The parts of the service that the list is made from."""

    @property
    def accounts(self) -> Accounts: ...
    @property
    def devices(self) -> Devices: ...
    @property
    def store(self) -> DocumentStore: ...
    @property
    def gazetteer(self) -> Places: ...


@dataclass(frozen=True, slots=True)
class Replica:
    """A database on a tablet. `at` in milliseconds since 1970."""

    database: str
    acknowledged: str
    """The sequence up to which the tablet keeps what it may see, as its checkpoint says."""
    at: int
    behind: int | None
    """Documents that changed after it in what the tablet sees; None where it sees nothing."""


@dataclass(frozen=True, slots=True)
class Tablet:
    device: Device
    replicas: Sequence[Replica]


def fleet(parts: FleetParts, now: int) -> list[Tablet]:
    """All devices, by account and name. Costs a count per tablet and database."""
    accounts = {record.account.name: record.account for record in parts.accounts.all()}
    return [
        Tablet(device, _replicas(parts, accounts, device, now)) for device in parts.devices.all()
    ]


def _replicas(
    parts: FleetParts, accounts: Mapping[str, Account], device: Device, now: int
) -> list[Replica]:
    return [
        Replica(
            database,
            known.sequence,
            known.at,
            _behind(parts, accounts[device.account], database, known.sequence, now),
        )
        for database, known in sorted(device.acknowledged.items())
    ]


def _behind(
    parts: FleetParts, account: Account, database: str, sequence: str, now: int
) -> int | None:
    areas = scope_of(account, database, parts.gazetteer, now).areas
    if areas == ():
        return None
    try:
        whole = parts.store.database(database)
        seen = whole if areas is None else whole.within(areas)
        return seen.changes(sequence, limit=0).pending
    except SyncError:  # The database has been deleted meanwhile.
        return None
