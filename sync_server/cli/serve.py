"""`sync-server serve`."""

from __future__ import annotations

import sys
from dataclasses import replace

import click

from sync_server.settings import InvalidSetting, Settings


@click.command()
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
