"""What may become of an entry, as a table.

    kept ──► returned ──► answered
      ├──────────┼──────► adopted
      ├──────────┴──────► discarded
      └── reassign: stays kept, for another area or account

Who was sent a document back corrects it and pushes again: once that is stored, the server notes
that it was answered. An admin who knows better may still adopt or discard it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

KEPT = "kept"
RETURNED = "returned"
ADOPTED = "adopted"
DISCARDED = "discarded"
ANSWERED = "answered"
STATES = (KEPT, RETURNED, ADOPTED, DISCARDED, ANSWERED)
OPEN = (KEPT, RETURNED)


@dataclass(frozen=True, slots=True)
class Step:
    sources: Sequence[str]
    target: str
    needs_reason: bool = False


STEPS: Mapping[str, Step] = {
    "adopt": Step(OPEN, ADOPTED),
    "reassign": Step((KEPT,), KEPT),
    "return": Step((KEPT,), RETURNED, needs_reason=True),
    "discard": Step(OPEN, DISCARDED, needs_reason=True),
    "answer": Step((RETURNED,), ANSWERED),
}
"""By what an admin asks for; `answer` is the server's."""
