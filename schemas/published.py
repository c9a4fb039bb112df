"""Documents that the server writes and tablets read: reviews and notices."""

from __future__ import annotations

from marshmallow import INCLUDE, Schema

from schemas.fields import text, whole


class Review(Schema):
    """Where a proposal stands; the server's alone. Amounts in whole US cents."""

    class Meta:
        unknown = INCLUDE

    type = text("Type", "ប្រភេទ", required=True)
    proposal = text("Proposal", "សំណើ", required=True)
    state = text("Status", "ស្ថានភាព", required=True)
    revision = text("Revision", "កំណែ", required=True)
    requested_cents = whole("Requested", "ចំនួនស្នើសុំ", required=True)
    amount_cents = whole("Approved", "ចំនួនអនុម័ត", allow_none=True)
    reason = text("Reason", "មូលហេតុ", allow_none=True)


class Notice(Schema):
    """What the author of a document must know about it."""

    class Meta:
        unknown = INCLUDE

    type = text("Type", "ប្រភេទ", required=True)
    kind = text("Kind", "ប្រភេទសេចក្តីជូនដំណឹង", required=True)
    document = text("Document", "ឯកសារ", required=True)
    text_en = text("Text (English)", "អត្ថបទ (អង់គ្លេស)", required=True)
    text_km = text("Text (Khmer)", "អត្ថបទ (ខ្មែរ)", required=True)
