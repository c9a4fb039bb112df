"""The command line: `sync-server serve`, and the commands of whoever runs the service."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sync_server.errors import SyncError
from sync_server.settings import InvalidSetting, Settings

if TYPE_CHECKING:
    from sync_server.access.grants import Grant
    from sync_server.parts import Parts

# `serve` must stay light (see `serving.supervisor`): whatever opens parts is imported by the
# commands that do.


@click.group()
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the service's data (SYNC_SERVER_DATA_DIR).",
)
@click.pass_context
def main(context: click.Context, data_dir: Path | None) -> None:
    """A server that field tablets replicate with."""
    try:
        settings = Settings.from_environment()
    except InvalidSetting as error:
        raise click.UsageError(str(error)) from None
    context.obj = replace(settings, data_dir=data_dir) if data_dir else settings


@contextmanager
def _opened(context: click.Context) -> Iterator[Parts]:
    from sync_server.parts import open_parts

    parts = open_parts(context.obj)
    try:
        yield parts
    except SyncError as error:
        raise click.ClickException(error.reason) from None
    finally:
        parts.close()


@main.command()
@click.option("--bind", help="Address and port to listen on (SYNC_SERVER_BIND).")
@click.option("--web-workers", type=click.IntRange(1), help="Processes that answer requests.")
@click.pass_context
def serve(context: click.Context, bind: str | None, web_workers: int | None) -> None:
    """Run the service until it is told to stop (SIGTERM, Ctrl-C)."""
    from sync_server.serving import supervisor

    settings: Settings = context.obj
    try:
        settings = replace(
            settings,
            bind=bind or settings.bind,
            web_workers=web_workers or settings.web_workers,
        )
        status = supervisor.serve(settings)
    except InvalidSetting as error:
        raise click.UsageError(str(error)) from None
    except supervisor.FolderInUse as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"Cannot listen on {settings.bind}: {error}") from None
    sys.exit(status)


# -- accounts ------------------------------------------------------------------


@main.group()
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

    with _opened(context) as parts:
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

    with _opened(context) as parts:
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

    with _opened(context) as parts:
        commands.disable_account(parts, name, disabled=not undo)
    click.echo(f"Account {name} is {'active' if undo else 'disabled'}.")


@account.command("set-password")
@click.argument("name")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@click.pass_context
def account_set_password(context: click.Context, name: str, password_stdin: bool) -> None:
    """A new password, which ends the account's sessions."""
    from sync_server import commands

    with _opened(context) as parts:
        made_up = commands.set_password(parts, name, _password(password_stdin))
    click.echo(f"Account {name} has a new password.")
    _show_password(made_up)


@account.command("token")
@click.argument("name")
@click.argument("device")
@click.option("--revoke", is_flag=True, help="Refuse the tokens the device has, make none.")
@click.pass_context
def account_token(context: click.Context, name: str, device: str, revoke: bool) -> None:
    """A token for a tablet, in place of those it had; shown once."""
    from sync_server import commands

    with _opened(context) as parts:
        if revoke:
            count = commands.revoke_tokens(parts, name, device)
            click.echo(f"Revoked {count} token(s) of {device}.")
        else:
            click.echo(commands.issue_token(parts, name, device))


# -- databases and members -----------------------------------------------------


@main.group()
def database() -> None:
    """Databases of documents."""


@database.command("create")
@click.argument("name")
@click.pass_context
def database_create(context: click.Context, name: str) -> None:
    """Make a database."""
    from sync_server import commands

    with _opened(context) as parts:
        commands.create_database(parts, name)
    click.echo(f"Database {name} was made.")


@database.command("list")
@click.pass_context
def database_list(context: click.Context) -> None:
    """All databases, with the number of their documents and their size."""
    from sync_server import commands

    with _opened(context) as parts:
        infos = commands.list_databases(parts)
    for info in infos:
        click.echo(f"{info.name}\t{info.doc_count} documents\t{info.file_size} bytes")


@database.command("delete")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def database_delete(context: click.Context, name: str, yes: bool) -> None:
    """Delete a database with all its documents."""
    from sync_server import commands

    if not yes:
        click.confirm(f"Delete {name} and all its documents for good?", abort=True)
    with _opened(context) as parts:
        commands.delete_database(parts, name)
    click.echo(f"Database {name} was deleted.")


@main.group()
def member() -> None:
    """Replicators: accounts that read and write a whole database, whatever the area."""


@member.command("add")
@click.argument("account_name")
@click.argument("database_name")
@click.pass_context
def member_add(context: click.Context, account_name: str, database_name: str) -> None:
    """Let an account replicate a whole database."""
    from sync_server import commands

    with _opened(context) as parts:
        commands.add_member(parts, account_name, database_name)
    click.echo(f"{account_name} is a member of {database_name}.")


@member.command("remove")
@click.argument("account_name")
@click.argument("database_name")
@click.pass_context
def member_remove(context: click.Context, account_name: str, database_name: str) -> None:
    """End a membership."""
    from sync_server import commands

    with _opened(context) as parts:
        commands.remove_member(parts, account_name, database_name)
    click.echo(f"{account_name} is no member of {database_name}.")


@main.command("compact")
@click.argument("names", nargs=-1)
@click.pass_context
def compact_databases(context: click.Context, names: tuple[str, ...]) -> None:
    """Drop superseded bodies of the named databases, or of all. Merge bases are kept."""
    from sync_server import commands

    with _opened(context) as parts:
        results = commands.compact(parts, names)
    for result in results:
        click.echo(f"{result.name}\t{result.size_before} → {result.size_after} bytes")


def _grant_text(grant: Grant) -> str:
    ended = "" if grant.ends_at is None else " (ends)"
    return f"{grant.role} of {grant.database}/{grant.area or 'nation'}{ended}"


def _password(from_stdin: bool) -> str | None:
    return sys.stdin.readline().rstrip("\r\n") if from_stdin else None


def _show_password(made_up: str | None) -> None:
    if made_up is not None:
        click.echo(f"Its password, shown this once: {made_up}")
