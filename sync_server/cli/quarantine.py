"""`sync-server quarantine …`: what was refused, and what becomes of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from sync_server.cli.opening import opened

if TYPE_CHECKING:
    from sync_server.quarantine.entries import Entry


@click.group()
def quarantine() -> None:
    """Documents that their authors had no right to write."""


@quarantine.command("list")
@click.argument("database")
@click.option("--area", help="A code; what lies in it is meant, too.")
@click.option("--account", help="Who sent it.")
@click.option("--device")
@click.option("--reason", help="A code, as outside.")
@click.option("--state", default="kept", help="kept (as without), returned, adopted, … or all.")
@click.option("--after", default=0, help="Entries above this number.")
@click.option("--limit", default=50)
@click.pass_context
def quarantine_list(context: click.Context, /, database: str, state: str, **options: Any) -> None:
    """Entries of a database, the oldest first."""
    from sync_server import quarantine_commands

    wanted = None if state == "all" else state
    with opened(context) as parts:
        found = quarantine_commands.listed(parts, database, state=wanted, **options)
    for entry in found:
        click.echo(_line(entry))


@quarantine.command("show")
@click.argument("number", type=int)
@click.option("--attachment", help="Write the content of this attachment instead.")
@click.pass_context
def quarantine_show(context: click.Context, number: int, attachment: str | None) -> None:
    """An entry with its document as JSON; or the bytes of an attachment."""
    from sync_server import quarantine_commands

    with opened(context) as parts:
        if attachment is None:
            click.echo(quarantine_commands.shown(parts, number))
        else:
            click.echo(quarantine_commands.attachment(parts, number, attachment), nl=False)


@quarantine.command("adopt")
@click.argument("number", type=int)
@click.pass_context
def quarantine_adopt(context: click.Context, number: int) -> None:
    """Write the document on behalf of its author."""
    from sync_server import quarantine_commands

    with opened(context) as parts:
        entry = quarantine_commands.adopt(parts, number)
    click.echo(f"{entry.doc_id} was adopted as {entry.adopted_rev}.")


@quarantine.command("reassign")
@click.argument("number", type=int)
@click.option("--area", help="Where the document belongs.")
@click.option("--account", help="On whose behalf it is adopted.")
@click.option("--reason")
@click.pass_context
def quarantine_reassign(context: click.Context, /, number: int, **given: str | None) -> None:
    """Say where a document belongs, or to whom; it stays in quarantine."""
    from sync_server import quarantine_commands

    with opened(context) as parts:
        entry = quarantine_commands.reassign(parts, number, **given)
    click.echo(_line(entry))


@quarantine.command("return")
@click.argument("number", type=int)
@click.option("--reason", required=True, help="What the author is told.")
@click.pass_context
def quarantine_return(context: click.Context, number: int, reason: str) -> None:
    """Send the content back to its author in a notice."""
    from sync_server import quarantine_commands

    with opened(context) as parts:
        entry = quarantine_commands.send_back(parts, number, reason)
    click.echo(f"{entry.doc_id} was returned to {entry.owner}.")


@quarantine.command("discard")
@click.argument("number", type=int)
@click.option("--reason", required=True, help="What the author is told.")
@click.pass_context
def quarantine_discard(context: click.Context, number: int, reason: str) -> None:
    """Do not take a document; it stays on record."""
    from sync_server import quarantine_commands

    with opened(context) as parts:
        entry = quarantine_commands.discard(parts, number, reason)
    click.echo(f"{entry.doc_id} was discarded.")


def _line(entry: Entry) -> str:
    at = datetime.fromtimestamp(entry.received_at / 1000, UTC)
    words = (
        str(entry.number),
        f"{at:%Y-%m-%d %H:%M}",
        entry.state,
        entry.reason,
        entry.place or "nation",
        entry.owner,
        entry.device or "-",
        entry.doc_id,
        entry.rev or "-",
    )
    return "\t".join(words)
