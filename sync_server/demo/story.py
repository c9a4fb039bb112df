"""A day between villages and a commune office, played by real tablets and the real service."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sync_server.demo import documents
from sync_server.demo.service import DATABASE, Person, Service, reason
from sync_server.demo.tablet import Tablet, TabletHost, eventually
from sync_server.demo.telling import Telling

PATIENCE = 30.0
"""Seconds within which the service must have judged what the tablets brought."""


@dataclass
class Worker:
    """A community extension worker: an account, a tablet, and what was written on it."""

    person: Person
    author: documents.Author
    tablet: Tablet
    photos: dict[tuple[str, str], bytes] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.person.name.capitalize()

    def register(self, household: dict[str, Any], seed: int) -> str:
        """Save a registration, then the photo of the house; answers the household's id."""
        self.tablet.put(household)
        doc_id: str = household["_id"]
        name = f"house-{self.author.device}-{seed}.png"
        self.photos[doc_id, name] = documents.photo(seed)
        self.tablet.attach(doc_id, {name: ("image/png", self.photos[doc_id, name])})
        return doc_id

    def propose(self, household: str, lines: list[dict[str, Any]]) -> str:
        proposal = self.author.proposal(household, lines)
        self.tablet.put(proposal)
        doc_id: str = proposal["_id"]
        return doc_id

    def edit(self, doc_id: str, **changes: Any) -> None:
        self.tablet.edit(doc_id, **self.author.capture(), **changes)


class Story:
    """The demonstration; each method is a chapter and needs those before it."""

    def __init__(self, service: Service, host: TabletHost, telling: Telling) -> None:
        self.service = service
        self.host = host
        self.tell = telling
        self.sokha = self._worker("sokha", documents.COMMUNE)
        self.dara = self._worker("dara", documents.COMMUNE)
        self.pisey = self._worker("pisey", documents.ANOTHER_COMMUNE)
        self.bopha = service.person("bopha", "coordinator", documents.PROVINCE)

    def _worker(self, name: str, area: str) -> Worker:
        person = self.service.person(name, "cew", area)
        return Worker(person, documents.Author(name, f"tablet-{name}"), self._switch_on(name))

    def _switch_on(self, name: str) -> Tablet:
        """Each tablet keeps its database on disk, as a real one does."""
        return self.host.tablet(name, path=self._disk(name))

    def _disk(self, name: str) -> Path:
        return self.service.folder / f"tablet-{name}"

    @property
    def workers(self) -> tuple[Worker, Worker]:
        return self.sokha, self.dara

    def play(self) -> None:
        self.share_a_household()
        self.work_offline()
        self.come_back()
        self.see_the_merge()
        self.look_at_the_queue()
        self.approve()
        self.end_equal()
        self.hand_over()

    # -- chapters --------------------------------------------------------------

    def share_a_household(self) -> None:
        self.tell.chapter("Both tablets know one household")
        self.tell.say(f"The service listens on {self.service.url}.")
        chan = self.sokha.author.household(("ចាន់", "សុភា"), ("Chan", "Sophea"), "female")
        self.shared = self.sokha.register(chan, 1)
        self._sync(self.sokha)
        self._sync(self.dara)
        self.tell.expect(
            self.dara.tablet.find(self.shared) is not None,
            "Sokha registered Chan Sophea's household, and Dara's tablet has it.",
        )
        self._sync(self.pisey)
        self.tell.expect(
            self.pisey.tablet.ids() == [], "Pisey works in the next commune: hers has nothing."
        )

    def work_offline(self) -> None:
        self.tell.chapter("Both leave the network")
        sok = self.sokha.author.household(("សុខ", "វិចិត្រ"), ("Sok", "Vichet"), "male")
        keo = self.dara.author.household(("កែវ", "ម៉ាលី"), ("Keo", "Maly"), "female")
        chicks = documents.line("chick-local", 30, "head", 120)
        feed = documents.line("starter-feed", 25, "kg", 60)
        self.proposals = {
            self.sokha.propose(self.sokha.register(sok, 2), [chicks, feed]): "Sok Vichet",
            self.dara.propose(self.dara.register(keo, 3), [chicks]): "Keo Maly",
        }
        self.tell.say("Each registers a household with a photo and writes a proposal for it.")
        self.sokha.edit(self.shared, phone="+85598765432")
        self.dara.edit(self.shared, members_total=5, members_women=3)
        self.tell.say("Sokha corrects Chan Sophea's phone number;")
        self.tell.say("Dara, elsewhere, notes a newborn girl in the same household.")
        for worker in self.workers:
            worker.tablet.close()
            worker.tablet = self._switch_on(worker.person.name)
        self.tell.say("Both tablets are switched off over night and on again.")
        differ = self.sokha.tablet.state() != self.dara.tablet.state()
        self.tell.expect(differ, "The tablets differ, and nobody else knows of this work.")

    def come_back(self) -> None:
        self.tell.chapter("Both reach the commune office and sync")
        for worker in self.workers:
            self._sync(worker)

    def see_the_merge(self) -> None:
        self.tell.chapter("The service merges what both changed")
        eventually(self._merged_everywhere, seconds=PATIENCE, what="the merged household")
        merged = self.sokha.tablet.get(self.shared)
        self.tell.table(
            "Chan Sophea's household",
            ("", "before", "Sokha wrote", "Dara wrote", "now"),
            [
                ("phone", "+85512345678", "+85598765432", "", merged["phone"]),
                ("members", 4, "", 5, merged["members_total"]),
                ("women and girls", 2, "", 3, merged["members_women"]),
            ],
        )
        now = [merged[key] for key in ("phone", "members_total", "members_women")]
        self.tell.expect(now == ["+85598765432", 5, 3], "Both corrections stand.")
        leaves = self.sokha.tablet.state()[self.shared]["leaves"].values()
        live = sum(not leaf["deleted"] for leaf in leaves)
        self.tell.expect(live == 1 and len(leaves) > 1, "One live revision, the other settled.")

    def look_at_the_queue(self) -> None:
        self.tell.chapter("Bopha, the coordinator, looks at the queue")
        eventually(self._reviewed_everywhere, seconds=PATIENCE, what="a review of each proposal")
        status, answer = self.service.api(self.bopha, "GET", "/queue")
        self.tell.expect(status == 200, "The queue opens for a coordinator.")
        self.queue = {row["proposal"]: row for row in answer.get("proposals", ())}
        self.tell.table(
            "Waiting for a decision",
            ("household", "state", "requested", "revision"),
            [
                (name, row["state"], _dollars(row["requested_cents"]), row["revision"][:9])
                for doc_id, name in self.proposals.items()
                if (row := self.queue.get(doc_id))
            ],
        )
        self.tell.expect(set(self.queue) == set(self.proposals), "Both proposals wait in it.")
        states = {review["state"] for review in self._reviews(self.dara).values()}
        self.tell.expect(states == {"in_review"}, "Both tablets show them as in review.")

    def approve(self) -> None:
        self.tell.chapter("Bopha approves one proposal")
        self.approved = next(iter(self.proposals))
        row = self.queue[self.approved]
        cents = row["requested_cents"]
        stale = self._decide("1-" + "0" * 32, cents)
        self.tell.expect(
            stale["status"] == 409,
            f"For a revision she has not seen it is refused: {reason(stale)}",
        )
        outcome = self._decide(row["revision"], cents)
        name = self.proposals[self.approved]
        self.tell.expect(
            outcome["status"] == 200,
            f"{name}'s proposal is approved for {_dollars(cents)}."
            if outcome["status"] == 200
            else f"Approval refused: {reason(outcome)}",
        )

    def end_equal(self) -> None:
        self.tell.chapter("The tablets sync once more")
        eventually(self._approved_everywhere, seconds=PATIENCE, what="the approval on the tablets")
        for worker in self.workers:
            review = self._reviews(worker)[self.approved]
            amount = _dollars(review["amount_cents"])
            self.tell.expect(
                amount == _dollars(self.queue[self.approved]["requested_cents"]),
                f"{worker.name}'s tablet shows: {review['state']}, {amount}.",
            )
        mine, theirs = (worker.tablet.state() for worker in self.workers)
        served = self.sokha.tablet.remote_state(self.service.remote(self.sokha.person))
        self.tell.expect(mine == theirs, "Both tablets hold the same, leaf by leaf.")
        self.tell.expect(mine == served, "So does the server.")
        self.tell.expect(self._photos_arrived(), "Every photo is on both tablets, byte for byte.")
        self.tell.table(
            "On both tablets",
            ("document", "revision", "leaves"),
            [(doc_id[:40], one["winner"][:9], len(one["leaves"])) for doc_id, one in mine.items()],
        )

    def hand_over(self) -> None:
        self.tell.chapter("Sokha hands her commune over to Pisey")
        giver, taker = self.sokha.person.name, self.pisey.person.name
        printed = self.service.command("grant", "transfer", giver, taker, DATABASE)
        for sentence in printed.splitlines():
            self.tell.say(sentence)
        eventually(self._handed_over, seconds=PATIENCE, what="the commune on Pisey's tablet")
        self.tell.expect(self.sokha.tablet.ids() == [], "Sokha's tablet has let go of all of it.")
        self.tell.expect(
            self._living(self.pisey) == self._living(self.dara),
            "Pisey's tablet holds what Dara's does, leaf by leaf.",
        )
        sent = self.sokha.tablet.sync(self.service.remote(self.sokha.person))["push"]
        self.tell.expect(sent["docs_written"] == 0, "What it let go comes back from nowhere.")

    # -- what the chapters do --------------------------------------------------

    def _sync(self, worker: Worker, *, aloud: bool = True) -> None:
        result = worker.tablet.sync(self.service.remote(worker.person))
        if aloud:
            sent, got = (result[way]["docs_written"] for way in ("push", "pull"))
            count = len(worker.tablet.requests())
            self.tell.say(f"{worker.name} sends {sent} and gets {got}, in {count} requests.")

    def _sync_both(self) -> None:
        for worker in self.workers:
            self._sync(worker, aloud=False)

    def _merged_everywhere(self) -> bool:
        self._sync_both()
        docs = [worker.tablet.get(self.shared, conflicts=True) for worker in self.workers]
        return docs[0] == docs[1] and "_conflicts" not in docs[0]

    def _handed_over(self) -> bool:
        for worker in (self.sokha, self.pisey):
            self._sync(worker, aloud=False)
        return self._living(self.pisey) == self._living(self.dara) and not self.sokha.tablet.ids()

    @staticmethod
    def _living(worker: Worker) -> dict[str, set[str]]:
        """Live leaves of each document that the tablet shows."""
        return {
            doc_id: {rev for rev, leaf in one["leaves"].items() if not leaf["deleted"]}
            for doc_id, one in worker.tablet.state().items()
            if doc_id in worker.tablet.ids()
        }

    def _reviews(self, worker: Worker) -> dict[str, dict[str, Any]]:
        """The review of each proposal that this tablet has."""
        ids = {doc_id: doc_id.replace("proposal:", "review:") for doc_id in self.proposals}
        found = {doc_id: worker.tablet.find(review) for doc_id, review in ids.items()}
        return {doc_id: review for doc_id, review in found.items() if review}

    def _reviewed_everywhere(self) -> bool:
        self._sync_both()
        reviews = [self._reviews(worker) for worker in self.workers]
        settled = all(review["state"] != "received" for review in reviews[0].values())
        return reviews[0] == reviews[1] and len(reviews[0]) == len(self.proposals) and settled

    def _approved_everywhere(self) -> bool:
        self._sync_both()
        states = [self._reviews(worker)[self.approved]["state"] for worker in self.workers]
        same = self.sokha.tablet.state() == self.dara.tablet.state()
        return states == ["approved", "approved"] and same

    def _decide(self, rev: str, cents: int) -> dict[str, Any]:
        """Approve the chosen proposal at this revision; answers the outcome."""
        decision = {
            "proposal": self.approved,
            "rev": rev,
            "action": "approve",
            "amount_cents": cents,
        }
        body = {"decisions": [decision]}
        status, answer = self.service.api(self.bopha, "POST", "/decisions", body)
        outcome: dict[str, Any] = answer["outcomes"][0] if status == 200 else answer
        return {"status": status, **outcome}

    def _photos_arrived(self) -> bool:
        photos = {**self.sokha.photos, **self.dara.photos}
        return all(
            worker.tablet.attachment(doc_id, name) == content
            for worker in self.workers
            for (doc_id, name), content in photos.items()
        )


def _dollars(cents: int) -> str:
    return f"US${cents / 100:,.2f}"
