"""What a case holds at present: the versions that a decision chooses from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import schemas
from conflict.merge import Merge, merge
from sync_server.cases.records import BASE, CLAIM, LEAF, Case, CaseVersion
from sync_server.errors import BadRequest


@dataclass(frozen=True, slots=True)
class Contents:
    """A case with its present versions. `leaves`: the winning one first, deletions too."""

    case: Case
    leaves: Sequence[CaseVersion]
    base: CaseVersion | None
    claims: Sequence[CaseVersion]

    @property
    def live(self) -> list[CaseVersion]:
        return [version for version in self.leaves if not version.deleted]

    @property
    def every(self) -> list[CaseVersion]:
        return [*self.leaves, *self.claims, *([self.base] if self.base else ())]

    def merged(self) -> Merge:
        """What the policies make of the live leaves; of one leaf: itself; of none: nothing."""
        live = [version.as_version() for version in self.live]
        if not live:
            return Merge([])
        if len(live) == 1:
            return merge(None, live, {})
        base = self.base.as_base() if self.base and not self.base.deleted else None
        return merge(base, live, schemas.policies_for(self.case.type))

    def version(self, rev: str) -> CaseVersion:
        """A version by its revision, or `base`. Raises BadRequest where there is none."""
        if rev == BASE:
            return self.required_base()
        found = next((version for version in self.every if version.rev == rev), None)
        if found is None:
            raise BadRequest(f"{rev!r} is no version of this case.")
        return found

    def required_base(self) -> CaseVersion:
        """Raises BadRequest where it is not kept."""
        if self.base is None:
            raise BadRequest("The state before the edits is not kept: choose another version.")
        return self.base


def contents(case: Case, versions: Sequence[CaseVersion], order: Sequence[str] = ()) -> Contents:
    """`order`: the document's leaves, the winner first."""
    by_rev = {version.rev: version for version in versions if version.role == LEAF}
    base = next((version for version in versions if version.role == BASE), None)
    claims = [version for version in versions if version.role == CLAIM]
    ordered = [rev for rev in order if rev in by_rev]
    rest = [rev for rev in by_rev if rev not in ordered]
    return Contents(case, [by_rev[rev] for rev in [*ordered, *rest]], base, claims)
