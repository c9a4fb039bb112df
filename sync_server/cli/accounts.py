"""`sync-server account …`: who may sign in."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from sync_server.cli.opening import opened

if TYPE_CHECKING:
    from sync_server.access.grants import Grant


@click.group()
def account() -> None:
    """Who may sign in."""


@account.command("add")
@click.argument("name")
@click.option("--role", "roles", multiple=True, help="admin, replicator, coordinator or cew.")
@click.option("--database", "databases", multiple=True, help="A database it works with.")
@click.option(
    "--area",
    "areas",
    multiple=True,
    help="For a coordinator or cew: 2 digits for a province, 4 a district, 6 a commune, '' all.",
)
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.pass_context
def account_add(
    context: click.Context,
    name: str,
    roles: tuple[str, ...],
    databases: tuple[str, ...],
    areas: tuple[str, ...],
    password_stdin: bool,
) -> None:
    """Make an account. Without --password-stdin a password is made up and shown once."""
    from sync_server import commands

    with opened(context) as parts:
        made_up = commands.add_account(
            parts, name, _password(password_stdin), roles, databases, areas
        )
    click.echo(f"Account {name} was made.")
    _show_password(made_up)


@account.command("list")
@click.pass_context
def account_list(context: click.Context) -> None:
    """All accounts, with roles and databases."""
    from sync_server import commands

    with opened(context) as parts:
        records = commands.list_accounts(parts)
    for record in records:
        made = datetime.fromtimestamp(record.created_at / 1000, UTC)
        click.echo(
            "\t".join(
                (
                    record.account.name,
                    ",".join(sorted(record.account.roles)) or "-",
                    ",".join(sorted(record.account.databases)) or "-",
                    ",".join(map(_grant_text, record.account.grants)) or "-",
                    f"{made:%Y-%m-%d}",
                    "disabled" if record.disabled else "active",
                )
            )
        )


@account.command("disable")
@click.argument("name")
@click.option("--undo", is_flag=True, help="Let the account in again.")
@click.pass_context
def account_disable(context: click.Context, name: str, undo: bool) -> None:
    """Refuse an account everywhere, at once."""
    from sync_server import commands

    with opened(context) as parts:
        commands.disable_account(parts, name, disabled=not undo)
    click.echo(f"Account {name} is {'active' if undo else 'disabled'}.")


@account.command("set-password")
@click.argument("name")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.pass_context
def account_set_password(context: click.Context, name: str, password_stdin: bool) -> None:
    """A new password, which ends the account's sessions."""
    from sync_server import commands

    with opened(context) as parts:
        made_up = commands.set_password(parts, name, _password(password_stdin))
    click.echo(f"Account {name} has a new password.")
    _show_password(made_up)


@account.command("reset-pin")
@click.argument("name")
@click.pass_context
def account_reset_pin(context: click.Context, name: str) -> None:
    """A new PIN of six digits for a worker, in the place of the password; shown once."""
    from sync_server import commands

    with opened(context) as parts:
        pin = commands.reset_pin(parts, name)
    click.echo(f"The PIN of {name}, shown this once: {pin}")


@account.command("token")
@click.argument("name")
@click.argument("device")
@click.option("--revoke", is_flag=True, help="Refuse the tokens the device has, make none.")
@click.pass_context
def account_token(context: click.Context, name: str, device: str, revoke: bool) -> None:
    """A token for a tablet, in place of those it had; shown once."""
    from sync_server import commands

    with opened(context) as parts:
        if revoke:
            count = commands.revoke_tokens(parts, name, device)
            click.echo(f"Revoked {count} token(s) of {device}.")
        else:
            click.echo(commands.issue_token(parts, name, device))


def _grant_text(grant: Grant) -> str:
    ended = "" if grant.ends_at is None else " (ends)"
    return f"{grant.role} of {grant.database}/{grant.area or 'nation'}{ended}"


def _password(from_stdin: bool) -> str | None:
    return sys.stdin.readline().rstrip("\r\n") if from_stdin else None


def _show_password(made_up: str | None) -> None:
    if made_up is not None:
        click.echo(f"Its password, shown this once: {made_up}")
