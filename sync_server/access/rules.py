"""What names and passwords may be. Each raises BadRequest, with what to change."""

from __future__ import annotations

import re

from sync_server.access import passwords
from sync_server.errors import BadRequest

MINIMUM_PASSWORD_LENGTH = 8

_NAME = re.compile(r"[^\s:/_\x00-\x1f\x7f][^\s:/\x00-\x1f\x7f]{0,99}")


def check_name(name: str, of: str) -> None:
    """`of`: whose name it is, e.g. `An account`. Basic authentication carries no colon."""
    if not _NAME.fullmatch(name):
        raise BadRequest(
            f"{of} name has 1 to 100 characters, no spaces, colons, slashes,"
            " and starts with no underscore."
        )


def check_password(password: str) -> None:
    if len(password) < MINIMUM_PASSWORD_LENGTH or passwords.is_token(password):
        raise BadRequest(
            f"A password has at least {MINIMUM_PASSWORD_LENGTH} characters and does not start "
            f"with {passwords.TOKEN_PREFIX}, as device tokens do."
        )
