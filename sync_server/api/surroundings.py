"""What every endpoint of the API starts from: who is asking, and reading what was sent."""

from __future__ import annotations

import time
from typing import Any, NoReturn, cast

import orjson
from flask import current_app, request
from flask_smorest import Blueprint
from marshmallow import RAISE, ValidationError
from webargs.flaskparser import FlaskParser

from sync_server.access.accounts import Account
from sync_server.access.authentication import authenticate
from sync_server.access.grants import COORDINATOR
from sync_server.access.permissions import areas_of, require_admin, require_role
from sync_server.access.remote_address import peer_of
from sync_server.access.sessions import COOKIE_NAME
from sync_server.errors import BadRequest
from sync_server.parts import Parts
from sync_server.storage.base import Database

ACCOUNT_KEY = "sync_server.account"
"""Where the request log finds who asked, in the WSGI environment."""

_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


class Parser(FlaskParser):
    """Reads arguments, and says what is wrong with them as every surface does."""

    # A filter that is misspelt and passed over would show more than was asked for.
    DEFAULT_UNKNOWN_BY_LOCATION = {"json": RAISE, "query": RAISE}

    def handle_error(self, error: ValidationError, *_: Any, **__: Any) -> NoReturn:
        problems = orjson.dumps(error.messages, default=str, option=orjson.OPT_NON_STR_KEYS)
        raise BadRequest(f"Check what was sent: {problems.decode()}")

    def _handle_invalid_json_error(self, *_: Any, **__: Any) -> NoReturn:
        raise BadRequest("The request body is not JSON.")


class ApiBlueprint(Blueprint):  # type: ignore[misc]
    ARGUMENTS_PARSER = Parser()


def parts() -> Parts:
    return cast(Parts, current_app.extensions["sync_server"])


def now_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def open_database(name: str, role: str) -> tuple[Database, Account]:
    """The database for an account that has the role somewhere in it, and admins.

    Raises Unauthorized, Forbidden, NotFound.
    """
    account = require_role(_signed_in(), name, role, now_ms())
    return parts().store.database(name), account


def areas_of_coordinator(account: Account, database: str) -> list[str] | None:
    """Areas that the account looks after as a coordinator; None for an admin: everywhere."""
    return None if account.is_admin else areas_of(account, database, COORDINATOR, now_ms())


def administrator() -> Account:
    """Raises Unauthorized, Forbidden."""
    return require_admin(_signed_in())


def _signed_in() -> Account | None:
    """A cookie alone does not do for what changes something: a foreign page could send it along.
    Raises Unauthorized.
    """
    cookie = request.cookies.get(COOKIE_NAME) if request.method in _SAFE_METHODS else None
    found = authenticate(
        parts(), request.headers.get("Authorization"), cookie, peer_of(request.environ)
    )
    if found is not None:
        request.environ[ACCOUNT_KEY] = found.name
        parts().activity.seen(found)
    return found
