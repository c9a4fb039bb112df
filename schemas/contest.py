"""An author contests that a value of theirs was not taken: an admin looks at it again."""

from __future__ import annotations

from marshmallow import validate

from schemas import fields
from schemas.envelope import Envelope

LONGEST_TEXT = 2000


class Contest(Envelope):
    notice = fields.reference("Notice", "សេចក្តីជូនដំណឹង", "notice", required=True)
    text = fields.text(
        "Why",
        "មូលហេតុ",
        "latest",
        required=True,
        validate=validate.Length(1, LONGEST_TEXT, error="reason"),
    )
