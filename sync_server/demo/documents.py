"""What the tablets write: households, proposals and photos, as the tablet app makes them."""

from __future__ import annotations

import random
import struct
import uuid
import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

PHNOM_PENH = timezone(timedelta(hours=7))
VILLAGE = "01020101"
COMMUNE, ANOTHER_COMMUNE, PROVINCE = "010201", "010202", "01"
"""Where that village lies, one next to it, and the province of both."""


@dataclass
class Author:
    """A community extension worker with a tablet; numbers what the tablet captures."""

    account: str
    device: str
    captured: int = 0

    def envelope(self, kind: str) -> dict[str, Any]:
        """The members that every document has, for something captured now."""
        return {
            "type": kind,
            "schema_version": 1,
            "author": self.account,
            "gazetteer": "mef-2025",
            **self.capture(),
        }

    def capture(self) -> dict[str, Any]:
        """On which tablet and when this is captured: new with each edit, as the author is not."""
        self.captured += 1
        return {
            "device": self.device,
            "device_seq": self.captured,
            "captured_at": datetime.now(PHNOM_PENH).isoformat(timespec="seconds"),
            "server_offset_ms": 0,
        }

    def household(self, khmer: tuple[str, str], latin: tuple[str, str], sex: str) -> dict[str, Any]:
        """A registration; names are surname first."""
        return {
            **self.envelope("household"),
            "_id": f"household:{uuid.uuid4()}",
            "village": VILLAGE,
            "head": {
                "surname_km": khmer[0],
                "given_name_km": khmer[1],
                "surname_latin": latin[0],
                "given_name_latin": latin[1],
                "sex": sex,
                "birth_year": 1980,
            },
            "phone": "+85512345678",
            "members_total": 4,
            "members_women": 2,
            "consent": {"date": f"{datetime.now(PHNOM_PENH):%Y-%m-%d}", "method": "signature"},
        }

    def proposal(self, household: str, lines: list[dict[str, Any]]) -> dict[str, Any]:
        """A request for inputs of chicken raising; money is in US cents."""
        total = sum(line["quantity"] * line["unit_price_cents"] for line in lines)
        return {
            **self.envelope("proposal"),
            "_id": f"proposal:{uuid.uuid4()}",
            "household": household,
            "activity": "chicken",
            "birds": 30,
            "lines": lines,
            "requested_total_cents": total,
            "submitted": True,
        }


def line(item: str, quantity: int, unit: str, unit_price_cents: int) -> dict[str, Any]:
    return {
        "item": item,
        "quantity": quantity,
        "unit": unit,
        "unit_price_cents": unit_price_cents,
    }


def photo(seed: int, width: int = 160, height: int = 120) -> bytes:
    """A PNG of coloured noise: it opens in any viewer and, as a photo, does not compress."""
    noise = random.Random(seed)
    rows = b"".join(b"\x00" + noise.randbytes(3 * width) for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)
