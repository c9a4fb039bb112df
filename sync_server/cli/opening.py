"""The parts of the service for one command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from sync_server.errors import SyncError

if TYPE_CHECKING:
    from sync_server.parts import Parts


@contextmanager
def opened(context: click.Context) -> Iterator[Parts]:
    """The parts for these settings; an expected failure becomes the command's message."""
    from sync_server.parts import open_parts

    parts = open_parts(context.obj)
    try:
        yield parts
    except SyncError as error:
        raise click.ClickException(error.reason) from None
    finally:
        parts.close()
