"""From a decision to what the document becomes: which field from which version.

Fields that nobody disputes are merged as ever; those in question come from the version that the
decision names, from what it sets, or by its rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

import schemas
from conflict.canonical import MISSING, Missing
from conflict.merge import ATTACHMENTS, Merge, Override
from conflict.resolution import DELETED
from sync_server.cases.contents import Contents
from sync_server.cases.records import CaseVersion
from sync_server.cases.rules import choose
from sync_server.errors import BadRequest


@dataclass(frozen=True, slots=True)
class Decision:
    """What an admin asks for, on the set of leaves that was on screen.

    One of: `take`, `values` and `remove`, field by field; a whole `version`; a whole `document`;
    `delete`; or a `rule` (see `rules.py`) for every field in question.
    """

    case: int
    leaves: Sequence[str]
    take: Mapping[str, str] = field(default_factory=dict)
    """Field → the revision of a version of the case, or `base`."""
    values: Mapping[str, Any] = field(default_factory=dict)
    remove: Sequence[str] = ()
    version: str | None = None
    document: Mapping[str, Any] | None = None
    delete: bool = False
    rule: str | None = None
    reason: str | None = None
    shape: str | None = None
    """The case must be of this shape, where it is one of many."""

    def how(self) -> dict[str, Any]:
        """What was decided, for the record: never what a field was set to."""
        said = {
            "take": dict(self.take),
            "set": sorted(self.values),
            "remove": list(self.remove),
            "version": self.version,
            "document": self.document is not None,
            "delete": self.delete,
            "rule": self.rule,
            "reason": self.reason,
        }
        return {name: value for name, value in said.items() if value}


@dataclass(frozen=True, slots=True)
class Result:
    """`fields` None: the document is deleted."""

    fields: Mapping[str, Any] | None
    attachments: Mapping[str, str] = field(default_factory=dict)
    """Name → digest."""
    decided: Sequence[str] = ()
    """Fields that the decision speaks of; the rest was merged by policy."""
    overrides: Sequence[Override] = ()
    """Values that the policies did not take."""

    def value(self, name: str) -> Any:
        if name.startswith(ATTACHMENTS):
            return self.attachments.get(name.removeprefix(ATTACHMENTS), MISSING)
        return MISSING if self.fields is None else self.fields.get(name, MISSING)


def result(known: Contents, decision: Decision) -> Result:
    """Raises BadRequest where the decision leaves something open, or the document would fail its
    schema: then with `problems`, field by field.
    """
    made = _result(known, decision)
    if made.fields is not None:
        _check(known, made.fields)
    return made


def _result(known: Contents, decision: Decision) -> Result:
    _require_one_way(decision)
    if decision.delete:
        return _deleted(known)
    if decision.document is not None:
        return _document(known, decision.document)
    if decision.version is not None:
        return _whole(known, known.version(decision.version))
    merged = known.merged()
    wanted = sorted({*known.case.fields, *(conflict.field for conflict in merged.conflicts)})
    if not known.live and decision.rule:
        return _whole(known, choose(known, None, decision.rule))
    return _by_field(known, decision, merged, wanted)


def _require_one_way(decision: Decision) -> None:
    ways = [
        bool(decision.take or decision.values or decision.remove),
        decision.version is not None,
        decision.document is not None,
        decision.delete,
        decision.rule is not None,
    ]
    if sum(ways) > 1:
        raise BadRequest(
            "Decide in one way: by field, or with a version, a document, a rule or delete."
        )


def _deleted(known: Contents) -> Result:
    return Result(None, decided=_every_field(known))


def _every_field(known: Contents) -> list[str]:
    """What the versions say beside the bookkeeping."""
    names = {name for version in [*known.live, *known.claims] for name in _names(version)}
    return sorted(names - schemas.BOOKKEEPING)


def _names(version: CaseVersion) -> set[str]:
    return {*version.fields, *(ATTACHMENTS + name for name in version.attachments)}


def _document(known: Contents, fields: Mapping[str, Any]) -> Result:
    """The whole body as an admin edited it; attachments as the policies leave them."""
    if any(name.startswith("_") for name in fields):
        raise BadRequest("Members that start with an underscore are no fields: leave them out.")
    decided = sorted({*_every_field(known), *fields} - schemas.BOOKKEEPING)
    return Result(fields, _digests(known, known.merged()), decided)


def _whole(known: Contents, version: CaseVersion) -> Result:
    if version.deleted:
        return _deleted(known)
    if version.speaks_of is not None:
        raise BadRequest(f"{version.rev} is known for {', '.join(version.speaks_of)} alone.")
    return Result(version.fields, version.digests(), _every_field(known))


def _by_field(known: Contents, decision: Decision, merged: Merge, wanted: Sequence[str]) -> Result:
    take = dict(decision.take)
    if decision.rule:
        take = {name: choose(known, name, decision.rule).rev for name in wanted}
    decided = {*take, *decision.values, *decision.remove}
    _require_all(known, set(wanted) - decided)
    if DELETED in decided and _deletes(known, decision, take):
        return _deleted(known)
    if not known.live:
        raise BadRequest("The document is deleted: give a whole `version` or `document`.")
    chosen = {name: _taken(known, name, rev) for name, rev in take.items() if name != DELETED}
    chosen.update(dict.fromkeys(decision.remove, MISSING))
    fields, attachments = dict(merged.fields), _digests(known, merged)
    for name, value in {**chosen, **decision.values}.items():
        if name.startswith(ATTACHMENTS) and name not in decision.values:
            _put(attachments, name.removeprefix(ATTACHMENTS), value)
        elif name.startswith("_"):
            _require_deleted(name)
        else:
            _put(fields, name, value)
    return Result(fields, attachments, sorted(decided - {DELETED}), merged.overrides)


def _deletes(known: Contents, decision: Decision, take: Mapping[str, str]) -> bool:
    """What was said of whether the document is deleted at all."""
    if DELETED in take:
        return known.version(take[DELETED]).deleted
    return decision.values.get(DELETED, False) is True


def _require_deleted(name: str) -> None:
    if name != DELETED:
        raise BadRequest(f"{name} cannot be set: take it from a version, or remove it.")


def _put(target: dict[str, Any], name: str, value: Any) -> None:
    if isinstance(value, Missing):
        target.pop(name, None)
    else:
        target[name] = value


def _require_all(known: Contents, missing: set[str]) -> None:
    if missing:
        names = ", ".join(
            f"{name} ({schemas.label(known.case.type, name, 'en')})" for name in sorted(missing)
        )
        raise BadRequest(f"Say for each field in question what it becomes; missing: {names}.")


def _taken(known: Contents, name: str, rev: str) -> Any:
    version = known.version(rev)
    if not version.says(name):
        raise BadRequest(f"{version.rev} says nothing about {name}.")
    if version.deleted:
        raise BadRequest(f"{version.rev} is a deletion: choose it as `version`, or `delete`.")
    return version.value(name)


def _digests(known: Contents, merged: Merge) -> dict[str, str]:
    by_rev = {version.rev: version.digests() for version in known.leaves}
    return {name: by_rev[rev][name] for name, rev in merged.attachments.items()}


def _check(known: Contents, fields: Mapping[str, Any]) -> None:
    if known.case.type and fields.get("type") != known.case.type:
        raise BadRequest(f"A {known.case.type} stays one: `type` cannot change.")
    try:
        orjson.dumps(fields)
    except TypeError as error:
        raise BadRequest(f"This is no JSON that can be kept: {error}.") from error
    problems = schemas.validate(fields)
    if problems:
        named = "; ".join(f"{problem.field}: {problem.text_en}" for problem in problems)
        raise BadRequest(
            f"The document would not be valid. {named}", problems=[*map(asdict, problems)]
        )
