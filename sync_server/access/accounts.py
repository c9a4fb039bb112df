"""Accounts: who may sign in, with which roles, tokens and databases."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, Select, bindparam, delete, insert, select, update

from sync_server.access import audit, devices, passwords, pins, throttle
from sync_server.access.account_records import (
    ADMIN,
    Account,
    AccountRecord,
    record,
    record_of_token,
)
from sync_server.access.audit import SERVER
from sync_server.access.device_tables import acknowledgements, enrolments
from sync_server.access.device_tables import devices as devices_table
from sync_server.access.grants import existing_id
from sync_server.access.rules import check_name, check_password
from sync_server.access.stamp import ChangeStamp
from sync_server.access.tables import account_roles, accounts, database_members, device_tokens
from sync_server.errors import BadRequest, Conflict

__all__ = ["ADMIN", "REPLICATOR", "ROLES", "Account", "AccountRecord", "Accounts"]

REPLICATOR = "replicator"
ROLES = frozenset({ADMIN, REPLICATOR})
"""Roles that hold everywhere; those of the field are grants (see `grants.py`)."""


_device = devices_table.c
_OF_TOKENS = (
    select(accounts, device_tokens.c.id.label("token_number"))
    .add_columns(device_tokens.c.device, _device.enrolled_at, _device.readmitted_at)
    .join(device_tokens, device_tokens.c.account_id == accounts.c.id)
    .join(
        devices_table,
        (_device.account_id == accounts.c.id) & (_device.name == device_tokens.c.device),
    )
    .where(device_tokens.c.revoked_at.is_(None))
)
_BY_TOKEN = _OF_TOKENS.where(device_tokens.c.secret_sha256 == bindparam("wanted"))
_BY_TOKEN_NUMBER = _OF_TOKENS.where(device_tokens.c.id == bindparam("wanted"))


class Accounts:
    """Reading and changing accounts. Every change touches the stamp, so caches drop it, and is in
    the audit log with its `actor`.
    """

    def __init__(self, engine: Engine, stamp: ChangeStamp) -> None:
        self._engine = engine
        self._reading = engine.execution_options(read_only=True)
        self.stamp = stamp

    # -- reading ---------------------------------------------------------------

    def find(self, name: str) -> AccountRecord | None:
        """The account of that name, disabled ones too."""
        with self._reading.begin() as connection:
            row = connection.execute(select(accounts).where(accounts.c.name == name)).first()
            return None if row is None else record(connection, row)

    def find_by_token(self, token_digest: str) -> AccountRecord | None:
        """The account a device token belongs to (given its `passwords.token_digest`), unless
        the token was revoked.
        """
        return self._find_token(_BY_TOKEN, token_digest)

    def find_by_token_number(self, number: int) -> AccountRecord | None:
        """As `find_by_token`, for a session that was opened with the token."""
        return self._find_token(_BY_TOKEN_NUMBER, number)

    def was_revoked(self, token_digest: str) -> bool:
        """Whether that was a token of a device once, and is no longer."""
        with self._reading.begin() as connection:
            revoked = select(device_tokens.c.revoked_at.is_not(None)).where(
                device_tokens.c.secret_sha256 == token_digest
            )
            return bool(connection.execute(revoked).scalar())

    def _find_token(self, statement: Select[Any], wanted: str | int) -> AccountRecord | None:
        with self._reading.begin() as connection:
            row = connection.execute(statement, {"wanted": wanted}).first()
            return None if row is None else record_of_token(connection, row)

    def all(self) -> list[AccountRecord]:
        with self._reading.begin() as connection:
            rows = connection.execute(select(accounts).order_by(accounts.c.name)).all()
            return [record(connection, row) for row in rows]

    # -- changing --------------------------------------------------------------

    def create(
        self,
        name: str,
        password: str,
        *,
        roles: Iterable[str] = (),
        databases: Iterable[str] = (),
        actor: str = SERVER,
    ) -> None:
        """Raises BadRequest for a name, password or role that cannot be; Conflict if taken."""
        check_name(name, "An account")
        check_password(password)
        wanted = _check_roles(roles)
        hashed = passwords.hash_password(password)
        with self._engine.begin() as connection:
            if _account_id(connection, name) is not None:
                raise Conflict(f"An account named {name} exists already.")
            connection.execute(
                insert(accounts).values(
                    name=name, password_hash=hashed, credential_epoch=1, created_at=_now()
                )
            )
            account_id = existing_id(connection, name)
            for role in sorted(wanted):
                connection.execute(insert(account_roles).values(account_id=account_id, role=role))
            members = sorted(set(databases))
            for database in members:
                _add_member(connection, account_id, database)
            details = {"roles": sorted(wanted), "databases": members}
            audit.record(connection, actor, "account.add", name, details=details)
        self.stamp.touch()

    def set_password(self, name: str, password: str, *, actor: str = SERVER) -> None:
        """Ends the account's sessions; its device tokens stay. Raises NotFound, BadRequest."""
        check_password(password)
        hashed = passwords.hash_password(password)
        with self._engine.begin() as connection:
            pins.forget(connection, existing_id(connection, name))
            _change_credentials(connection, name, password_hash=hashed)
            throttle.forgive(connection, name)
            audit.record(connection, actor, "account.set_password", name)
        self.stamp.touch()

    def reset_pin(self, name: str, *, actor: str = SERVER) -> str:
        """A new PIN of six digits in the place of the password, shown this once; it ends the
        account's sessions. Raises NotFound; BadRequest for a role that decides or sees all.

        A million PINs are soon tried out: what makes one safe is that sign-ins are throttled, and
        that it opens what one worker sees and no more.
        """
        pin = pins.generated()
        hashed = passwords.hash_password(pin)
        with self._engine.begin() as connection:
            pins.keep(connection, existing_id(connection, name), name, _now())
            _change_credentials(connection, name, password_hash=hashed)
            throttle.forgive(connection, name)
            audit.record(connection, actor, "account.reset_pin", name)
        self.stamp.touch()
        return pin

    def set_disabled(self, name: str, disabled: bool, *, actor: str = SERVER) -> None:
        """A disabled account is refused everywhere at once. Raises NotFound."""
        action = "account.disable" if disabled else "account.enable"
        with self._engine.begin() as connection:
            _change_credentials(connection, name, disabled_at=_now() if disabled else None)
            audit.record(connection, actor, action, name)
        self.stamp.touch()

    def issue_token(self, name: str, device: str, *, actor: str = SERVER) -> str:
        """A new token for a tablet, in place of those it had; it is shown this once only.

        Raises NotFound, BadRequest.
        """
        with self._engine.begin() as connection:
            token = devices.admit(connection, existing_id(connection, name), device, actor)
        self.stamp.touch()
        return token

    def revoke_tokens(self, name: str, device: str, *, actor: str = SERVER) -> int:
        """Revoke what the tablet was given; answers how many tokens. Raises NotFound."""
        with self._engine.begin() as connection:
            owner = existing_id(connection, name)
            count = devices.expel(connection, owner, device, "its token was revoked", actor)
        self.stamp.touch()
        return count

    def add_member(self, name: str, database: str, *, actor: str = SERVER) -> None:
        """Twice is as good as once. Raises NotFound for the account, BadRequest where it signs in
        with a PIN.
        """
        with self._engine.begin() as connection:
            account_id = existing_id(connection, name)
            pins.require_password(connection, account_id, name, "replicator")
            _remove_member(connection, account_id, database)
            _add_member(connection, account_id, database)
            audit.record(connection, actor, "member.add", name, database=database)
        self.stamp.touch()

    def remove_member(self, name: str, database: str, *, actor: str = SERVER) -> None:
        """Raises NotFound for the account."""
        with self._engine.begin() as connection:
            _remove_member(connection, existing_id(connection, name), database)
            audit.record(connection, actor, "member.remove", name, database=database)
        self.stamp.touch()

    def forget_database(self, database: str) -> None:
        """End all memberships of a database that is gone: one made later under the same name
        starts with none. So with what devices had acknowledged, and codes that lead to it.
        """
        with self._engine.begin() as connection:
            for table in (database_members, acknowledgements, enrolments):
                connection.execute(delete(table).where(table.c.database_name == database))
        self.stamp.touch()


def generated_password() -> str:
    """A password for someone to note down: 20 characters that are not mistaken for others."""
    alphabet = "abcdefghijkmnpqrstuvwxyz23456789"
    return "".join(secrets.choice(alphabet) for _ in range(20))


def _account_id(connection: Connection, name: str) -> int | None:
    return connection.execute(select(accounts.c.id).where(accounts.c.name == name)).scalar()


def _change_credentials(connection: Connection, name: str, **values: Any) -> None:
    connection.execute(
        update(accounts)
        .where(accounts.c.id == existing_id(connection, name))
        .values(credential_epoch=accounts.c.credential_epoch + 1, **values)
    )


def _add_member(connection: Connection, account_id: int, database: str) -> None:
    connection.execute(
        insert(database_members).values(account_id=account_id, database_name=database)
    )


def _remove_member(connection: Connection, account_id: int, database: str) -> None:
    connection.execute(
        delete(database_members)
        .where(database_members.c.account_id == account_id)
        .where(database_members.c.database_name == database)
    )


def _check_roles(roles: Iterable[str]) -> Sequence[str]:
    unknown = sorted(set(roles) - ROLES)
    if unknown:
        raise BadRequest(
            f"Unknown role {', '.join(unknown)}: there are {', '.join(sorted(ROLES))}."
        )
    return list(set(roles))


def _now() -> int:
    return time.time_ns() // 1_000_000
