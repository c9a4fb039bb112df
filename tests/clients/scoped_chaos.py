"""Random work of tablets whose grants come and go and whose households move, drawn from a seed.

Whoever takes documents out of a tablet's sight sees to it first that it has sent its work: what
becomes of work that comes too late is another matter, and tested elsewhere.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sync_server.demo.tablet import Remote, Tablet, TabletError
from tests.clients.cutting import CuttingProxy
from tests.clients.photos import photo
from tests.office import DATABASE, PASSWORD, Office

ACTIONS = 25


@dataclass
class Worker:
    """A tablet and the account that works on it. Several tablets may have the same."""

    tablet: Tablet
    account: str
    has_unsent: bool = False
    made: int = 0


@dataclass
class ScopedChaos:
    """One run in a province of its own, with three communes in two districts."""

    seed: int
    office: Office
    proxy: CuttingProxy
    workers: Sequence[Worker]
    log: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.province = f"{self.seed + 1:02}"
        self.communes = [self.province + rest for rest in ("0101", "0102", "0201")]
        self.areas = [*self.communes, self.province + "01"]
        self.office.know(commune + "01" for commune in self.communes)
        self.actions: dict[Callable[[Worker], str], int] = {
            self.register: 5,
            self.propose: 4,
            self.edit: 6,
            self.attach: 2,
            self.remove: 1,
            self.move: 3,
            self.sync: 6,
            self.push: 1,
            self.pull: 2,
            self.sync_over_a_bad_line: 4,
            self.office_moves: 3,
            self.office_writes_above: 1,
            self.grant: 5,
            self.grant_during_a_sync: 2,
        }

    def run(self) -> None:
        for account in dict.fromkeys(worker.account for worker in self.workers):
            self.office.grant(account, self.rng.choice(self.communes))
        for _ in range(ACTIONS):
            worker = self.rng.choice(self.workers)
            (action,) = self.rng.choices(list(self.actions), list(self.actions.values()))
            self.log.append(f"{worker.tablet.name} {action.__name__}: {action(worker)}")
        self.send_all()

    def remote(self, worker: Worker) -> Remote:
        return Remote(self.office.server.db_url(DATABASE), worker.account, PASSWORD)

    # -- work without a network ------------------------------------------------

    def register(self, worker: Worker) -> str:
        own = [area for area in self.granted(worker) if len(area) == 6]
        if not own:
            return "nowhere"
        worker.made += 1
        village = self.rng.choice(own) + "01"
        doc_id = f"household:{self.province}-{worker.tablet.name}-{worker.made}"
        return self.save(worker, doc_id, type="household", village=village)

    def propose(self, worker: Worker) -> str:
        household = self.known(worker, "household:")
        if household is None:
            return "nothing"
        worker.made += 1
        doc_id = f"proposal:{self.province}-{worker.tablet.name}-{worker.made}"
        return self.save(worker, doc_id, type="proposal", household=household, submitted=True)

    def edit(self, worker: Worker) -> str:
        doc_id = self.known(worker)
        members = {self.rng.choice("abc"): self.rng.randrange(9)}
        return self.save(worker, doc_id, **members) if doc_id else "nothing"

    def attach(self, worker: Worker) -> str:
        doc_id = self.known(worker)
        if doc_id is None:
            return "nothing"
        number = self.rng.randrange(10**9)
        worker.has_unsent = True
        files = {f"photo-{number}.jpg": ("image/jpeg", photo(self.rng.choice([9, 900]), number))}
        return worker.tablet.attach(doc_id, files)

    def remove(self, worker: Worker) -> str:
        doc_id = self.known(worker)
        if doc_id is None:
            return "nothing"
        worker.has_unsent = True
        return worker.tablet.remove(doc_id)

    def move(self, worker: Worker) -> str:
        """A worker notes that a household has moved, and sends it."""
        household = self.known(worker, "household:")
        if household is None:
            return "nothing"
        self.send_all()
        if not self.office.sees(worker.account, household) or not worker.tablet.find(household):
            return "gone"
        village = self.rng.choice(self.communes) + "01"
        done = self.save(worker, household, village=village)
        self.send(worker)
        return f"{household} to {village}: {done}"

    def known(self, worker: Worker, prefix: str = "") -> str | None:
        """A document that the tablet shows and that its worker may see."""
        shown = [
            doc_id
            for doc_id in worker.tablet.ids()
            if doc_id.startswith(prefix or ("household:", "proposal:"))
            and (self.office.sees(worker.account, doc_id) or self.is_unsent(worker, doc_id))
        ]
        return self.rng.choice(shown) if shown else None

    def is_unsent(self, worker: Worker, doc_id: str) -> bool:
        return worker.has_unsent and self.office.whole.states([doc_id]) == [None]

    def save(self, worker: Worker, doc_id: str, **members: Any) -> str:
        worker.has_unsent = True
        return f"{doc_id} {worker.tablet.edit(doc_id, **members)}"

    # -- with a network --------------------------------------------------------

    def sync(self, worker: Worker) -> str:
        worker.tablet.sync(self.remote(worker), batch_size=self.rng.choice([1, 3, 100]))
        worker.has_unsent = False
        self.office.rest()
        return ""

    def push(self, worker: Worker) -> str:
        self.send(worker)
        return ""

    def pull(self, worker: Worker) -> str:
        worker.tablet.pull(self.remote(worker), batch_size=self.rng.choice([1, 100]))
        return ""

    def sync_over_a_bad_line(self, worker: Worker) -> str:
        """What arrived stays; that it arrived may not be noted."""
        name = self.rng.choice(["_bulk_get", "_bulk_docs", "_local", "_changes"])
        passes = self.rng.randrange(4)
        through = Remote(f"{self.proxy.url}/db/{DATABASE}", worker.account, PASSWORD)
        self.proxy.cut_after(name, passes)
        try:
            worker.tablet.sync(through, batch_size=self.rng.choice([1, 2]))
            worker.has_unsent = False
        except TabletError:
            return f"cut after {passes} {name}"
        finally:
            self.proxy.let_through()
            self.office.rest()
        return "whole"

    def send(self, worker: Worker) -> None:
        worker.tablet.push(self.remote(worker))
        worker.has_unsent = False
        self.office.rest()

    def send_all(self) -> None:
        for worker in self.workers:
            if worker.has_unsent:
                self.send(worker)

    # -- in the office -----------------------------------------------------------

    def granted(self, worker: Worker) -> list[str]:
        grants = self.office.parts.grants.of(worker.account)
        return [grant.area for grant in grants if grant.ends_at is None]

    def grant(self, worker: Worker) -> str:
        self.send_all()
        return self.grant_at_random(worker)

    def grant_during_a_sync(self, worker: Worker) -> str:
        self.send_all()
        syncing = worker.tablet.begin("sync", self.remote(worker), batch_size=1)
        done = self.grant_at_random(worker)
        syncing.result(60)
        return done

    def grant_at_random(self, worker: Worker) -> str:
        areas = self.rng.sample(self.areas, self.rng.choice([0, 1, 1, 1, 2, 2]))
        self.office.grant(worker.account, *areas)
        return f"{worker.account} {areas}"

    def office_moves(self, _: Worker) -> str:
        self.send_all()
        view = self.office.whole.within(self.communes)
        rows = view.all_docs(startkey="household:", endkey="household;").rows
        households = [row.doc_id for row in rows if row is not None]
        if not households:
            return "nothing"
        doc_id, village = self.rng.choice(households), self.rng.choice(self.communes) + "01"
        self.office.change(doc_id, village=village)
        self.office.rest()
        return f"{doc_id} to {village}"

    def office_writes_above(self, _: Worker) -> str:
        area = self.rng.choice([self.province, self.province + "01"])
        return self.office.write(
            f"catalogue:{area}", area, type="catalogue", price=self.rng.randrange(100)
        )


def alive(state: dict[str, Any]) -> dict[str, Any]:
    """Of `Tablet.state`, what is not deleted: winners, and every live leaf with what it says."""
    found = {}
    for doc_id, one in state.items():
        leaves = {
            rev: leaf
            for rev, leaf in one["leaves"].items()
            if leaf != "missing" and not leaf["deleted"]
        }
        if leaves:
            found[doc_id] = {"winner": one["winner"], "leaves": leaves}
    return found
