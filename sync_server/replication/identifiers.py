"""Document ids and revisions as clients may send them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from sync_server.errors import BadRequest, DocumentInvalid, IllegalDocumentId
from sync_server.storage.base import Revisions

DESIGN_PREFIX = "_design/"
LOCAL_PREFIX = "_local/"

MAX_ID_BYTES = 1024

_REV = re.compile(r"([1-9][0-9]{0,14})-([!#-\[\]-~]{1,128})\Z").match
_REV_ID = re.compile(r"[!#-\[\]-~]{1,128}\Z").match
_HEX_32 = re.compile(r"[0-9A-Fa-f]{32}\Z").match

INVALID_REV = "Invalid rev format: a revision is a generation, a hyphen and an id, as in 1-9f86."


def document_id(value: object) -> str:
    """The value as the id of a document. Raises IllegalDocumentId."""
    if type(value) is not str or not value:
        raise IllegalDocumentId("A document id must be a non-empty string.")
    if value[0] == "_" and not _is_reserved_form(value):
        raise IllegalDocumentId("Only reserved document ids may start with underscore.")
    if not value.isascii() or len(value) > MAX_ID_BYTES:
        _check_encoding(value)
    return value


def _is_reserved_form(value: str) -> bool:
    return any(
        value.startswith(prefix) and len(value) > len(prefix)
        for prefix in (DESIGN_PREFIX, LOCAL_PREFIX)
    )


def _check_encoding(value: str) -> None:
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise IllegalDocumentId("A document id must be valid UTF-8.") from None
    if size > MAX_ID_BYTES:
        raise IllegalDocumentId(f"A document id may hold {MAX_ID_BYTES} bytes at most.")


def revision(value: object) -> str:
    """The value as a revision, with an id of 32 hex digits in lower case, as CouchDB has it.

    Raises BadRequest.
    """
    if type(value) is not str or not (match := _REV(value)):
        raise BadRequest(INVALID_REV)
    return f"{match[1]}-{_canonical(match[2])}" if not value.islower() else value


def split_revision(value: object) -> tuple[int, str]:
    """Generation and id of a revision. Raises BadRequest."""
    if type(value) is not str or not (match := _REV(value)):
        raise BadRequest(INVALID_REV)
    return int(match[1]), _canonical(match[2])


def _canonical(rev_id: str) -> str:
    return rev_id.lower() if not rev_id.islower() and _HEX_32(rev_id) else rev_id


def revision_list(name: str, value: object) -> list[str]:
    """The value, which must be an array of revisions. Raises BadRequest."""
    if type(value) is not list:
        raise BadRequest(f"`{name}` must be an array of revisions.")
    return [revision(item) for item in value]


def ancestry(rev: Any, revisions: Any) -> Revisions | None:
    """`_rev` and `_revisions` of a document, either or both. None where there is neither.

    Raises DocumentInvalid or BadRequest where they are malformed or name different revisions.
    """
    if revisions is None:
        if rev is None:
            return None
        generation, rev_id = split_revision(rev)
        return Revisions(generation, [rev_id])
    found = _revisions(revisions)
    if rev not in (None, found.rev) and split_revision(rev) != (found.start, found.ids[0]):
        raise DocumentInvalid("`_rev` and `_revisions` name different revisions.")
    return found


def _revisions(value: Any) -> Revisions:
    if type(value) is not dict:
        raise DocumentInvalid("`_revisions` must be an object with `start` and `ids`.")
    start, ids = value.get("start"), value.get("ids")
    if type(start) is not int or not 0 < start < 10**15:
        raise DocumentInvalid("`_revisions.start` must be a positive integer.")
    if type(ids) is not list or not 0 < len(ids) <= start:
        raise DocumentInvalid("`_revisions.ids` must be an array of 1 to `start` revision ids.")
    return Revisions(start, _revision_ids(ids))


def _revision_ids(ids: list[Any]) -> Sequence[str]:
    for rev_id in ids:
        if type(rev_id) is not str or not _REV_ID(rev_id):
            raise DocumentInvalid("`_revisions.ids` must hold revision ids as strings.")
    if "".join(ids).islower():
        return ids
    return [_canonical(rev_id) for rev_id in ids]
