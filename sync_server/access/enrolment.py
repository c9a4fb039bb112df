"""Enrolment: a one-time code that an admin makes, and a tablet trades for its token.

    admin ── offers ──► 7K3M-Q9TX-2FHA ── typed or scanned ──► tablet ── redeems ──► token, once

A code has 60 random bits in letters and digits that are not mistaken for one another, works once,
for a short time, and is kept as its SHA-256. Where the answer with the token is lost on the way,
the code is used up all the same: the admin offers another one.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import Connection, Engine, delete, insert, select

from sync_server.access import audit
from sync_server.access.account_records import record
from sync_server.access.device_tables import enrolments
from sync_server.access.devices import admit
from sync_server.access.permissions import require_member
from sync_server.access.rules import check_name
from sync_server.access.stamp import ChangeStamp
from sync_server.access.tables import accounts
from sync_server.errors import BadRequest, EnrolmentRefused, Forbidden, NotFound

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: I, L, O and U are left out, and read as what they look like."""
GROUPS, GROUP_LENGTH = 3, 4
DEFAULT_MINUTES = 60
MOST_MINUTES = 7 * 24 * 60

_READ_AS = str.maketrans({"I": "1", "L": "1", "O": "0", "U": "V", "-": None, " ": None})


@dataclass(frozen=True, slots=True)
class Offer:
    """A code, shown this once; `expires_at` in milliseconds since 1970."""

    code: str = field(repr=False)
    account: str
    device: str
    database: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What a tablet gets for a code."""

    account: str
    device: str
    token: str = field(repr=False)
    database: str


class Enrolments:
    """Codes that are open."""

    def __init__(
        self, engine: Engine, stamp: ChangeStamp, clock: Callable[[], float] = time.time
    ) -> None:
        self._engine = engine
        self._stamp = stamp
        self._clock = clock

    def offer(
        self,
        account: str,
        device: str,
        database: str,
        actor: str,
        minutes: int = DEFAULT_MINUTES,
    ) -> Offer:
        """A code, in place of one that was open for this device. What the device has now goes on
        working until the code is redeemed. Raises NotFound; BadRequest, also where the account has
        nothing to do with the database.
        """
        check_name(device, "A device")
        if not 1 <= minutes <= MOST_MINUTES:
            raise BadRequest(f"A code is good for 1 to {MOST_MINUTES} minutes.")
        code, now = new_code(), self._now()
        expires_at = now + minutes * 60_000
        with self._engine.begin() as connection:
            owner = _owner(connection, account, database)
            _forget(connection, owner, device, now)
            connection.execute(
                insert(enrolments).values(
                    code_sha256=_digest(code),
                    account_id=owner,
                    device=device,
                    database_name=database,
                    expires_at=expires_at,
                )
            )
            details = {"expires_at": expires_at}
            subject = f"{account}/{device}"
            audit.record(
                connection, actor, "device.offer", subject, database=database, details=details
            )
        return Offer(code, account, device, database, expires_at)

    def redeem(self, code: str) -> Enrolled:
        """Trade the code for a token. Raises EnrolmentRefused."""
        with self._engine.begin() as connection:
            row = connection.execute(
                select(enrolments, accounts.c.name, accounts.c.disabled_at)
                .join(accounts, accounts.c.id == enrolments.c.account_id)
                .where(enrolments.c.code_sha256 == _digest(code))
                .where(enrolments.c.expires_at > self._now())
            ).first()
            if row is None or row.disabled_at is not None or not _take(connection, row.id):
                raise EnrolmentRefused
            token = admit(connection, row.account_id, row.device, row.name)
        self._stamp.touch()
        return Enrolled(row.name, row.device, token, row.database_name)

    def _now(self) -> int:
        return int(self._clock() * 1000)


def _owner(connection: Connection, name: str, database: str) -> int:
    row = connection.execute(select(accounts).where(accounts.c.name == name)).first()
    if row is None:
        raise NotFound(f"There is no account named {name}.")
    if row.disabled_at is not None:
        raise BadRequest(f"The account {name} is disabled.")
    try:
        require_member(record(connection, row).account, database)
    except Forbidden:
        raise BadRequest(f"{name} has no role in {database}: grant one first.") from None
    return int(row.id)


def new_code() -> str:
    groups = ("".join(secrets.choice(ALPHABET) for _ in range(GROUP_LENGTH)) for _ in range(GROUPS))
    return "-".join(groups)


def _digest(code: str) -> str:
    """Of the code as it was meant: in any case, with or without its dashes."""
    meant = code.upper().translate(_READ_AS)
    return hashlib.sha256(meant.encode("utf-8", "surrogatepass")).hexdigest()


def _take(connection: Connection, number: int) -> bool:
    """Whether the code was still open: of two that redeem it at once, one gets it."""
    taken = connection.execute(delete(enrolments).where(enrolments.c.id == number))
    return taken.rowcount == 1


def _forget(connection: Connection, owner: int, device: str, now: int) -> None:
    """Drop the code that was open for this device, and all that are too old."""
    same = (enrolments.c.account_id == owner) & (enrolments.c.device == device)
    connection.execute(delete(enrolments).where(same | (enrolments.c.expires_at <= now)))
