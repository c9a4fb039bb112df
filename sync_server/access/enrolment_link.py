"""What the QR code of an enrolment holds: the address that redeems it, and the code.

    https://sync.example.org/api/enrol#code=7K3M-Q9TX-2FHA

The code stands behind the `#`: programs that open the address send it to nobody, so it gets into
no log on the way.
"""

from __future__ import annotations

import io
from pathlib import Path

import segno

from sync_server.errors import BadRequest

PATH = "/api/enrol"
FILE_KINDS = (".svg", ".png")


def link(base_url: str, code: str) -> str:
    return f"{base_url.rstrip('/')}{PATH}#code={code}"


def as_svg(address: str) -> str:
    """An SVG image, to be placed in a page."""
    drawn = io.BytesIO()
    _drawn(address).save(drawn, kind="svg", scale=4, xmldecl=False, nl=False)
    return drawn.getvalue().decode()


def as_text(address: str) -> str:
    """For a terminal."""
    drawn = io.StringIO()
    _drawn(address).terminal(drawn, compact=True)
    return drawn.getvalue()


def save(address: str, path: Path) -> None:
    """Raises BadRequest for a kind of file that is not offered."""
    check_kind(path)
    _drawn(address).save(str(path), scale=8)


def check_kind(path: Path) -> None:
    """Raises BadRequest."""
    if path.suffix.lower() not in FILE_KINDS:
        raise BadRequest(f"A QR code is written as {' or '.join(FILE_KINDS)}.")


def _drawn(address: str) -> segno.QRCode:
    return segno.make_qr(address, error="m")
