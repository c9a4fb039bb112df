"""A client that pushes without a pause and remembers what the server acknowledged."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from typing import Any

import requests

BATCH = 5
READ_BATCH = 1000
TIMEOUT = (2.0, 20.0)
"""Seconds to connect, and to wait for an answer."""


def revision(doc_id: str) -> dict[str, Any]:
    """A document's only revision, the same each time it is sent."""
    digest = hashlib.md5(doc_id.encode()).hexdigest()
    return {"_id": doc_id, "_rev": f"1-{digest}", "text": digest * 20}


class Pusher:
    """Sends batches to `url` (a database) in a thread until it is stopped.

    A batch that got no answer is sent again until it does, as a tablet's next sync would.
    """

    def __init__(self, url: str, auth: tuple[str, str], name: str) -> None:
        self.url = url
        self.name = name
        self.acknowledged: list[str] = []
        self.unexpected: list[str] = []
        self._session = requests.Session()
        self._session.auth = auth
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=60)

    def _run(self) -> None:
        for batch in self._batches():
            while not self._stop.is_set() and not self._send(batch):
                time.sleep(0.01)
            if self._stop.is_set():
                return

    def _batches(self) -> Iterator[list[str]]:
        number = 0
        while True:
            yield [f"{self.name}:{number + offset:07d}" for offset in range(BATCH)]
            number += BATCH

    def _send(self, doc_ids: list[str]) -> bool:
        """True where the server acknowledged all of them."""
        body = {"new_edits": False, "docs": [revision(doc_id) for doc_id in doc_ids]}
        try:
            answer = self._session.post(f"{self.url}/_bulk_docs", json=body, timeout=TIMEOUT)
        except requests.RequestException:
            return False
        if answer.status_code == 201 and answer.json() == []:
            self.acknowledged += doc_ids
            return True
        if answer.status_code != 503:
            self.unexpected.append(f"{answer.status_code} {answer.text[:200]}")
        return False


def missing(url: str, auth: tuple[str, str], doc_ids: list[str]) -> dict[str, Any]:
    """Which of these the server does not have, as `_revs_diff` tells it."""
    found: dict[str, Any] = {}
    for start in range(0, len(doc_ids), READ_BATCH):
        chunk = doc_ids[start : start + READ_BATCH]
        revs = {doc_id: [revision(doc_id)["_rev"]] for doc_id in chunk}
        answer = requests.post(f"{url}/_revs_diff", json=revs, auth=auth, timeout=60)
        answer.raise_for_status()
        found |= answer.json()
    return found


def unreadable(url: str, auth: tuple[str, str], doc_ids: list[str]) -> list[str]:
    """Which of these do not read back as they were sent."""
    return [
        doc_id
        for start in range(0, len(doc_ids), READ_BATCH)
        for doc_id in _unreadable(url, auth, doc_ids[start : start + READ_BATCH])
    ]


def _unreadable(url: str, auth: tuple[str, str], doc_ids: list[str]) -> list[str]:
    wanted = {doc_id: revision(doc_id) for doc_id in doc_ids}
    asked = [{"id": doc_id, "rev": doc["_rev"]} for doc_id, doc in wanted.items()]
    answer = requests.post(f"{url}/_bulk_get", json={"docs": asked}, auth=auth, timeout=120)
    answer.raise_for_status()
    results = answer.json()["results"]
    return [one["id"] for one in results if one["docs"][0].get("ok") != wanted[one["id"]]]
