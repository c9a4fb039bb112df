"""The feeds that each device has open in this process.

A tablet that loses its connection opens a new feed while the server still holds the old one, which
may take minutes to be noticed. Refusing the new one would lock the tablet out meanwhile, so the
oldest ends. A client that really follows more feeds than it may would come again at once with each
that ended, for ever: so where even the oldest is new, the newest is refused after all.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator

from sync_server.errors import Unavailable
from sync_server.replication.turns import Device

NEW_SECONDS = 5.0
COME_BACK = 10

TOO_MANY = (
    "This tablet follows too many feeds: close the app and open it again. / "
    "ថេប្លេតនេះបើកការតាមដានច្រើនពេក៖ សូមបិទកម្មវិធី រួចបើកវាម្តងទៀត។"
)


class OpenFeed:
    """One feed; `ended` once it must make room."""

    __slots__ = ("device", "ended", "opened_at")

    def __init__(self, device: Device, opened_at: float) -> None:
        self.device = device
        self.opened_at = opened_at
        self.ended = False


class OpenFeeds:
    """Several threads or greenlets may use it at once."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[Device, deque[OpenFeed]] = {}
        """The oldest first."""

    def open(self, device: Device) -> OpenFeed:
        """Raises Unavailable where there is no room and none can be made."""
        feed = OpenFeed(device, self._clock())
        with self._lock:
            feeds = self._open.setdefault(device, deque())
            if len(feeds) >= self._most:
                if feed.opened_at - feeds[0].opened_at < NEW_SECONDS:
                    raise Unavailable(TOO_MANY, retry_after=COME_BACK)
                feeds.popleft().ended = True
            feeds.append(feed)
        return feed

    def unlimited(self, device: Device) -> OpenFeed:
        """A feed beside the others, that makes room for none."""
        return OpenFeed(device, self._clock())

    def close(self, feed: OpenFeed) -> None:
        """Twice is as good as once."""
        with self._lock:
            feeds = self._open.get(feed.device)
            if feeds is None or feed not in feeds:
                return
            feeds.remove(feed)
            if not feeds:
                del self._open[feed.device]

    def count(self, device: Device) -> int:
        return len(self._open.get(device, ()))


class FeedChunks:
    """A feed's chunks; whoever sends them closes it, and its place with it."""

    def __init__(self, chunks: Iterator[bytes], feed: OpenFeed, feeds: OpenFeeds) -> None:
        self._chunks = chunks
        self._feed = feed
        self._feeds = feeds

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._chunks)

    def close(self) -> None:
        self._feeds.close(self._feed)
        close = getattr(self._chunks, "close", None)
        if close is not None:
            close()
