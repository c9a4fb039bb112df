"""What an account may do. Nobody signed in: 401; signed in without the right: 403."""

from __future__ import annotations

from sync_server.access.accounts import Account
from sync_server.errors import Forbidden, Unauthorized


def require_account(account: Account | None) -> Account:
    """Raises Unauthorized where nobody is signed in."""
    if account is None:
        raise Unauthorized
    return account


def require_member(account: Account | None, database_name: str) -> Account:
    """The account may read and write that database. Raises Unauthorized, Forbidden."""
    account = require_account(account)
    if database_name in account.databases or account.is_admin:
        return account
    raise Forbidden(f"{account.name} is not a member of this database.")


def require_admin(account: Account | None) -> Account:
    """Raises Unauthorized, Forbidden."""
    return require_role(account, "admin")


def require_role(account: Account | None, *roles: str) -> Account:
    """The account has one of the roles, or is an admin. Raises Unauthorized, Forbidden."""
    account = require_account(account)
    if account.is_admin or not account.roles.isdisjoint(roles):
        return account
    raise Forbidden(f"This needs the role {' or '.join(roles)}.")
