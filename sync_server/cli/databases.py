"""`sync-server database …`, `member …` and `compact`."""

from __future__ import annotations

import click

from sync_server.cli.opening import opened


@click.group()
def database() -> None:
    """Databases of documents."""


@database.command("create")
@click.argument("name")
@click.pass_context
def database_create(context: click.Context, name: str) -> None:
    """Make a database."""
    from sync_server import commands

    with opened(context) as parts:
        commands.create_database(parts, name)
    click.echo(f"Database {name} was made.")


@database.command("list")
@click.pass_context
def database_list(context: click.Context) -> None:
    """All databases, with the number of their documents and their size."""
    from sync_server import commands

    with opened(context) as parts:
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
    with opened(context) as parts:
        commands.delete_database(parts, name)
    click.echo(f"Database {name} was deleted.")


@database.command("restored")
@click.argument("names", nargs=-1, required=True)
@click.pass_context
def database_restored(context: click.Context, names: tuple[str, ...]) -> None:
    """Say that a backup was put back: every client looks at all changes again.

    Without it, a client that had synced after the backup was made may pass over what is written
    from now on.
    """
    from sync_server import commands

    with opened(context) as parts:
        commands.restored(parts, names)
    click.echo(f"Clients of {', '.join(names)} begin again.")


@click.group()
def member() -> None:
    """Replicators: accounts that read and write a whole database, whatever the area."""


@member.command("add")
@click.argument("account_name")
@click.argument("database_name")
@click.pass_context
def member_add(context: click.Context, account_name: str, database_name: str) -> None:
    """Let an account replicate a whole database."""
    from sync_server import commands

    with opened(context) as parts:
        commands.add_member(parts, account_name, database_name)
    click.echo(f"{account_name} is a member of {database_name}.")


@member.command("remove")
@click.argument("account_name")
@click.argument("database_name")
@click.pass_context
def member_remove(context: click.Context, account_name: str, database_name: str) -> None:
    """End a membership."""
    from sync_server import commands

    with opened(context) as parts:
        commands.remove_member(parts, account_name, database_name)
    click.echo(f"{account_name} is no member of {database_name}.")


@click.command("compact")
@click.argument("names", nargs=-1)
@click.pass_context
def compact(context: click.Context, names: tuple[str, ...]) -> None:
    """Drop superseded bodies of the named databases, or of all. Merge bases are kept."""
    from sync_server import commands

    with opened(context) as parts:
        results = commands.compact(parts, names)
    for result in results:
        click.echo(f"{result.name}\t{result.size_before} → {result.size_after} bytes")
