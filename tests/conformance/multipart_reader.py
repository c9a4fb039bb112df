"""Multipart answers, read by the standard library's mail parser: not by the code under test."""

from __future__ import annotations

import json
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any


@dataclass
class Part:
    message: EmailMessage

    @property
    def headers(self) -> dict[str, str]:
        return {name.lower(): str(value) for name, value in self.message.items()}

    @property
    def content(self) -> bytes:
        payload = self.message.get_payload(decode=True)
        assert isinstance(payload, bytes)
        return payload

    @property
    def filename(self) -> str | None:
        return self.message.get_filename()

    def json(self) -> Any:
        return json.loads(self.content)

    def parts(self) -> list[Part]:
        return [Part(part) for part in self.message.iter_parts()]  # type: ignore[arg-type]


def read_multipart(content_type: str, body: bytes) -> list[Part]:
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    message = message_from_bytes(head + body, policy=policy.HTTP)
    assert isinstance(message, EmailMessage) and message.is_multipart()
    assert not message.defects
    return Part(message).parts()
