"""A country of communes with households in each, and the workers who sync them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product

from sync_server.access.grants import CEW
from sync_server.bench.households import Household, households_of
from sync_server.bench.http import Endpoint
from sync_server.bench.peers import basic
from sync_server.parts import Parts
from sync_server.storage.base import Database, Origin, Revisions, RevisionWrite

PROVINCES, DISTRICTS, COMMUNES = 25, 8, 8
"""Districts of a province and communes of a district; 1,600 communes in all."""
SEED_BATCH = 2_000


@dataclass(frozen=True, slots=True)
class Worker:
    """A Community Extension Worker with a tablet, and the commune that is theirs."""

    name: str
    token: str
    commune: str

    def endpoint(self, place: Endpoint) -> Endpoint:
        """The same place, as this worker signs in there."""
        return replace(place, authorization=basic(self.name, self.token))


def communes(count: int) -> list[str]:
    """Codes of so many communes, spread over provinces and districts."""
    every = product(range(1, COMMUNES + 1), range(1, DISTRICTS + 1), range(1, PROVINCES + 1))
    codes = [f"{province:02}{district:02}{commune:02}" for commune, district, province in every]
    if count > len(codes):
        raise ValueError(f"there are {len(codes)} communes")
    return codes[:count]


def visits(places: Sequence[str], each: int, seed: int) -> list[tuple[str, int]]:
    """Outings, in a random order, that register `each` households in each of the places."""
    source = random.Random(seed)
    planned = [(place, size) for place in places for size in _sizes(source, each)]
    source.shuffle(planned)
    return planned


def _sizes(source: random.Random, total: int) -> Iterator[int]:
    while total:
        size = min(source.randint(4, 14), total)
        total -= size
        yield size


def fill(
    database: Database,
    places: Sequence[str],
    each: int,
    seed: int,
    advance: Callable[[int], object] = lambda count: None,
) -> None:
    """Store `each` new households in every place. `advance` is told how many have been."""
    documents = households_of(visits(places, each, seed), seed)
    while batch := list(islice(documents, SEED_BATCH)):
        database.bulk_docs([_write(one) for one in batch], new_edits=False, origin=Origin("bench"))
        advance(len(batch))


def _write(household: Household) -> RevisionWrite:
    revisions = Revisions(household.generation, household.revision_ids)
    body = household.body_json()
    return RevisionWrite(household.doc_id, revisions, body, area=household.commune)


def workers(parts: Parts, places: Sequence[str], databases: Sequence[str]) -> list[Worker]:
    """An account with a tablet for each place, granted it in all of these databases."""
    return [_worker(parts, place, databases) for place in places]


def _worker(parts: Parts, commune: str, databases: Sequence[str]) -> Worker:
    name = f"cew{commune}"
    parts.accounts.create(name, f"the password of {name}")
    for database in databases:
        parts.grants.give(name, CEW, database, commune)
    return Worker(name, parts.accounts.issue_token(name, f"tablet-{commune}"), commune)
