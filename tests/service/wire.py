"""Bytes to and from a server's socket, where an HTTP client would be in the way."""

from __future__ import annotations

import base64
import json
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.serving import RunningServer


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict[str, str]:
        parsed: dict[str, str] = json.loads(self.body)
        return parsed


class Wire:
    """One connection."""

    def __init__(self, server: RunningServer) -> None:
        target = urlsplit(server.url)
        self.socket = socket.create_connection((target.hostname, target.port), timeout=30)
        self.file = self.socket.makefile("rb")
        pair = base64.b64encode(":".join(server.admin).encode()).decode()
        self.signed_in = f"Host: x\r\nAuthorization: Basic {pair}\r\n".encode()

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def request(self, line: str, headers: bytes = b"", body: bytes = b"") -> Answer:
        head = f"{line} HTTP/1.1\r\n".encode() + self.signed_in + headers
        if body:
            head += f"Content-Length: {len(body)}\r\n".encode()
        self.send(head + b"\r\n" + body)
        return self.answer()

    def head(self) -> tuple[int, dict[str, str]]:
        """Status and header fields of the next answer, its body left unread."""
        status = int(self.file.readline().split()[1])
        headers: dict[str, str] = {}
        while line := self.file.readline().strip():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        return status, headers

    def answer(self) -> Answer:
        status, headers = self.head()
        return Answer(status, headers, self.file.read(int(headers.get("content-length", 0))))

    def closed(self) -> bool:
        """Whether the server has ended the connection, reading off what it still sent."""
        while True:
            try:
                if not self.socket.recv(65536):
                    return True
            except ConnectionError:
                return True
            except TimeoutError:
                return False
