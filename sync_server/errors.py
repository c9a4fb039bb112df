"""Domain errors: what went wrong, in the words of the replication protocol.

Each error knows its HTTP status, the protocol's short `error` name and a `reason` that says
what to change. Nothing here knows Flask: every surface (replication, API, pages) renders these
in its own way, in one place.
"""

from __future__ import annotations


class SyncError(Exception):
    """Base of every expected failure; `status` and `error` are fixed per class."""

    status = 500
    error = "internal_server_error"
    default_reason = "The server could not finish this request."
    retry_after: int | None = None
    """Seconds after which it is worth trying again, where that is known."""

    def __init__(self, reason: str | None = None) -> None:
        # What a client sent may stand in it, and be no text that UTF-8 can hold.
        self.reason = (reason or self.default_reason).encode(errors="replace").decode()
        super().__init__(self.reason)


class BadRequest(SyncError):
    status = 400
    error = "bad_request"
    default_reason = "The request could not be understood."


class IllegalDatabaseName(SyncError):
    status = 400
    error = "illegal_database_name"
    default_reason = (
        "A database name starts with a lower-case letter and holds only lower-case letters, "
        "digits and the characters _$()+-/"
    )


class IllegalDocumentId(SyncError):
    status = 400
    error = "illegal_docid"
    default_reason = "A document id is a non-empty string that does not start with an underscore."


class DocumentInvalid(BadRequest):
    error = "doc_validation"
    default_reason = "A member of the document that starts with an underscore is not valid."


class QueryParseError(BadRequest):
    error = "query_parse_error"
    default_reason = "A parameter of the query has a value that it cannot have."


class Unauthorized(SyncError):
    status = 401
    error = "unauthorized"
    default_reason = "Sign in with your name and password, or with this tablet's token."


class DeviceRevoked(Unauthorized):
    """The token was right once. Says nothing of why the office revoked it."""

    default_reason = (
        "This tablet was signed out by the office: bring it to your coordinator. What you have "
        "written stays on the tablet. / ការិយាល័យបានដកថេប្លេតនេះចេញពីប្រព័ន្ធ៖ "
        "សូមយកវាទៅជួបអ្នកសម្របសម្រួលរបស់អ្នក។ អ្វីដែលអ្នកបានសរសេរនៅតែមានក្នុងថេប្លេត។"
    )


class EnrolmentRefused(Unauthorized):
    """One answer for a code that is unknown, used up or too old: none of them helps a guesser."""

    default_reason = (
        "This code is wrong, was used, or is too old: check it, or ask the office for a new one. / "
        "លេខកូដនេះមិនត្រឹមត្រូវ បានប្រើរួច ឬហួសកំណត់៖ សូមពិនិត្យវា ឬសុំលេខកូដថ្មីពីការិយាល័យ។"
    )


class Forbidden(SyncError):
    status = 403
    error = "forbidden"
    default_reason = "This account may not do that."


class NotFound(SyncError):
    status = 404
    error = "not_found"
    default_reason = "missing"


class MethodNotAllowed(SyncError):
    status = 405
    error = "method_not_allowed"
    default_reason = "This method is not offered here."


class NotAcceptable(SyncError):
    status = 406
    error = "not_acceptable"
    default_reason = "None of the accepted content types can be given."


class Conflict(SyncError):
    status = 409
    error = "conflict"
    default_reason = "Document update conflict."


class FileExists(SyncError):
    status = 412
    error = "file_exists"
    default_reason = "The database could not be created, the file already exists."


class MissingStub(SyncError):
    status = 412
    error = "missing_stub"
    default_reason = (
        "An attachment was sent as a stub, but no ancestor of this revision here has it: "
        "send its data."
    )

    @classmethod
    def of(cls, name: str) -> MissingStub:
        """`name`: the attachment's."""
        return cls(
            f"The attachment {name!r} was sent as a stub, but no ancestor of this revision here"
            " has it: send its data."
        )


class PreconditionFailed(SyncError):
    status = 412
    error = "precondition_failed"
    default_reason = "A precondition of the request does not hold."


class RequestTooLarge(SyncError):
    status = 413
    error = "too_large"
    default_reason = "The request is larger than this server takes: send smaller batches."


class DocumentTooLarge(RequestTooLarge):
    """A document that is over a limit; `code` says over which: `document_bytes`, `attachments`,
    `attachment_bytes`, `revisions`, `depth`, `integers`, `text`, `leaves`.
    """

    error = "document_too_large"
    default_reason = "The document is larger than this server takes: split it."

    def __init__(self, reason: str | None = None, code: str = "document_bytes") -> None:
        super().__init__(reason)
        self.code = code


class UnsupportedMediaType(SyncError):
    status = 415
    error = "bad_content_type"
    default_reason = "Content-Type must be application/json"


class RangeNotSatisfiable(SyncError):
    status = 416
    error = "requested_range_not_satisfiable"
    default_reason = "The range lies outside of the attachment."


class TooManyRequests(SyncError):
    status = 429
    error = "too_many_requests"
    default_reason = "Too many attempts: wait a minute, then try again."


class TooManyAttempts(TooManyRequests):
    """Sign-ins that failed, or codes that were wrong. `retry_after`: seconds to wait."""

    def __init__(self, retry_after: int) -> None:
        minutes = max(1, -(-retry_after // 60))
        super().__init__(
            f"Too many wrong attempts: wait {minutes} min, then try again, or ask the office for "
            f"help. / ព្យាយាមខុសច្រើនដងពេក៖ សូមរង់ចាំ {minutes} នាទី រួចព្យាយាមម្តងទៀត "
            "ឬសុំជំនួយពីការិយាល័យ។"
        )
        self.retry_after = retry_after


class NotImplementedHere(SyncError):
    status = 501
    error = "not_implemented"
    default_reason = "This server does not offer that."


class Unavailable(SyncError):
    """Not now: the one refusal that every client in use takes as a reason to come again."""

    status = 503
    error = "service_unavailable"
    default_reason = (
        "The server is busy: sync again in a minute. / "
        "ម៉ាស៊ីនមេកំពុងរវល់៖ សូមធ្វើសមកាលកម្មម្តងទៀតក្នុងមួយនាទីទៀត។"
    )

    def __init__(self, reason: str | None = None, *, retry_after: int | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class StorageFull(Unavailable):
    default_reason = (
        "The server's disk is full; nothing of this was stored. Tell the administrator, and sync "
        "again later. / ថាសរបស់ម៉ាស៊ីនមេពេញហើយ មិនបានរក្សាទុកអ្វីទេ៖ សូមប្រាប់អ្នកគ្រប់គ្រង "
        "រួចធ្វើសមកាលកម្មម្តងទៀតពេលក្រោយ។"
    )
