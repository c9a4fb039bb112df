"""What an account may do. Nobody signed in: 401; signed in without the right: 403."""

from __future__ import annotations

from sync_server.access.accounts import Account
from sync_server.access.areas import covers
from sync_server.errors import Forbidden, Unauthorized


def require_account(account: Account | None) -> Account:
    """Raises Unauthorized where nobody is signed in."""
    if account is None:
        raise Unauthorized
    return account


def require_member(account: Account | None, database_name: str) -> Account:
    """The account has something to do with that database: what, its scope says (`scope.py`).

    Whose grants have all ended is let in and sees nothing: what the tablet captured before must
    still arrive. Raises Unauthorized, Forbidden.
    """
    account = require_account(account)
    if replicates_whole(account, database_name) or any(
        grant.database == database_name for grant in account.grants
    ):
        return account
    raise Forbidden(f"{account.name} is not a member of this database.")


def replicates_whole(account: Account, database: str) -> bool:
    """Whether all of the database is the account's by its role, and not by grants of areas."""
    return account.is_admin or database in account.databases


def require_admin(account: Account | None) -> Account:
    """Raises Unauthorized, Forbidden."""
    account = require_account(account)
    if account.is_admin:
        return account
    raise Forbidden("This needs an admin.")


def require_role(account: Account | None, database: str, role: str, now: int) -> Account:
    """An admin, or who has the role somewhere in that database now. Raises Unauthorized,
    Forbidden.
    """
    account = require_account(account)
    if account.is_admin or areas_of(account, database, role, now):
        return account
    raise Forbidden(f"This needs the role {role} in this database.")


def areas_of(account: Account, database: str, role: str, now: int) -> list[str]:
    """Areas in which the account has the role now; what lies in them is meant too."""
    return [
        grant.area
        for grant in account.grants
        if grant.role == role and grant.database == database and grant.holds(now)
    ]


def require_area(account: Account, database: str, role: str, area: str, now: int) -> None:
    """An admin, or who has the role in an area that this one is or lies in. Raises Forbidden."""
    if not account.is_admin and not any(
        covers(granted, area) for granted in areas_of(account, database, role, now)
    ):
        raise Forbidden(f"{account.name} is no {role} in this area.")
