"""The command line: `sync-server serve`, and the commands of whoever runs the service.

One module per group of commands; each reads arguments, calls the service and prints. `serve` must
stay light (see `serving.supervisor`): whatever opens parts is imported by the commands that do.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from sync_server.cli.accounts import account
from sync_server.cli.conflicts import conflict
from sync_server.cli.databases import compact, database, member
from sync_server.cli.devices import device
from sync_server.cli.gazetteer import gazetteer
from sync_server.cli.grants import grant
from sync_server.cli.quarantine import quarantine
from sync_server.cli.serve import serve
from sync_server.settings import InvalidSetting, Settings

__all__ = ["main"]


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


for command in (
    serve,
    account,
    device,
    grant,
    database,
    member,
    gazetteer,
    quarantine,
    conflict,
    compact,
):
    main.add_command(command)
