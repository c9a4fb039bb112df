"""`_session`: signing in with name and password for a cookie."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from flask import Blueprint, Response, request

from sync_server.access.accounts import Account
from sync_server.access.authentication import sign_in
from sync_server.access.remote_address import peer_of
from sync_server.access.sessions import COOKIE_NAME
from sync_server.errors import BadRequest, Unauthorized
from sync_server.replication.bodies import request_body
from sync_server.replication.parsing import parse_object
from sync_server.replication.rendering import json_response
from sync_server.replication.surroundings import account, parts

blueprint = Blueprint("replication_session", __name__)


@blueprint.get("/_session")
def show() -> Response:
    """Who is signed in; 200 for nobody too, as after a session has ended.

    Raises Unauthorized for a wrong name, password or token.
    """
    signed_in = _signed_in()
    roles = _roles(signed_in) if signed_in else []
    info: dict[str, Any] = {"authentication_handlers": ["cookie", "default"]}
    if signed_in:
        info["authenticated"] = "default" if request.authorization else "cookie"
    context = {"name": signed_in.name if signed_in else None, "roles": roles}
    return json_response({"ok": True, "userCtx": context, "info": info})


def _signed_in() -> Account | None:
    try:
        return account()
    except Unauthorized:
        if "HTTP_AUTHORIZATION" in request.environ:
            raise
        return None


@blueprint.post("/_session")
def create() -> Response:
    """Sign in with `name` and `password`, as JSON or as a form."""
    name, password = _given()
    signed_in, cookie = sign_in(parts(), name, password, peer_of(request.environ))
    response = json_response({"ok": True, "name": signed_in.name, "roles": _roles(signed_in)})
    settings = parts().settings
    response.set_cookie(
        COOKIE_NAME,
        cookie,
        max_age=settings.session_seconds,
        path="/",
        httponly=True,
        samesite="Lax",
        secure=settings.secure_cookies,
    )
    return response


@blueprint.delete("/_session")
def end() -> Response:
    response = json_response({"ok": True})
    response.set_cookie(
        COOKIE_NAME,
        "",
        max_age=0,
        path="/",
        httponly=True,
        samesite="Lax",
        secure=parts().settings.secure_cookies,
    )
    return response


def _roles(signed_in: Account) -> list[str]:
    """Roles as clients know them: `_admin` is the protocol's word for an admin."""
    return sorted(({"_admin"} if signed_in.is_admin else set()) | signed_in.roles)


def _given() -> tuple[str, str]:
    with request_body() as raw:
        if request.mimetype == "application/x-www-form-urlencoded":
            fields: dict[str, Any] = _form(raw)
        else:
            fields = _object(raw)
    name, password = fields.get("name", fields.get("username")), fields.get("password")
    if not isinstance(name, str) or not isinstance(password, str):
        raise BadRequest("`name` and `password` must be given, both as strings.")
    return name, password


def _object(raw: bytes) -> dict[str, Any]:
    try:
        return parse_object(raw)
    except BadRequest:  # Its reason may show what was sent.
        raise BadRequest("The body must be a JSON object with `name` and `password`.") from None


def _form(raw: bytes) -> dict[str, Any]:
    try:
        parsed = parse_qs(raw.decode(), keep_blank_values=True, max_num_fields=20, errors="strict")
    except ValueError:
        raise BadRequest("The form could not be read.") from None
    return {name: values[0] for name, values in parsed.items()}
