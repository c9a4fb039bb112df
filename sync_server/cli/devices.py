"""`sync-server device …`: tablets, enrolled, revoked and allowed to go on."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sync_server.cli.opening import opened
from sync_server.settings import Settings, split_bind

if TYPE_CHECKING:
    from sync_server.access.fleet import Tablet

TERMINAL = "-"


@click.group()
def device() -> None:
    """Tablets: enrol, revoke, and see how they do."""


@device.command("enrol")
@click.argument("account")
@click.argument("name", metavar="DEVICE")
@click.option("--database", help="Where it syncs; else the first of the programme's.")
@click.option("--valid", "minutes", default=60, show_default=True, help="Minutes.")
@click.option(
    "--qr",
    is_flag=False,
    flag_value=TERMINAL,
    help="A QR code as well: in the terminal, or in a file that ends with .svg or .png.",
)
@click.pass_context
def device_enrol(
    context: click.Context,
    account: str,
    name: str,
    database: str | None,
    minutes: int,
    qr: str | None,
) -> None:
    """A one-time code for a tablet, new, or to be enrolled again; shown once."""
    from sync_server import commands
    from sync_server.access import enrolment_link

    with opened(context) as parts:
        if qr not in (None, TERMINAL):
            enrolment_link.check_kind(Path(str(qr)))
        offer = commands.offer_enrolment(parts, account, name, database, minutes)
    click.echo(f"Code for {account} on {name}, once, until {_time(offer.expires_at)}: {offer.code}")
    if qr is None:
        return
    link = enrolment_link.link(_base_url(context.obj), offer.code)
    if not context.obj.public_url:
        click.echo(
            f"The QR code leads to {link.partition('#')[0]}: set SYNC_SERVER_PUBLIC_URL if tablets "
            "reach the service elsewhere.",
            err=True,
        )
    if qr == TERMINAL:
        click.echo(enrolment_link.as_text(link))
    else:
        enrolment_link.save(link, Path(qr))
        click.echo(f"Its QR code is in {qr}: whoever has the file can enrol in {account}'s name.")


@device.command("revoke")
@click.argument("account")
@click.argument("name", metavar="DEVICE")
@click.option("--reason", required=True, help="For the office; the tablet is not told.")
@click.option("--shared", is_flag=True, help="For all accounts with a device of this name.")
@click.pass_context
def device_revoke(
    context: click.Context, account: str, name: str, reason: str, shared: bool
) -> None:
    """Refuse a tablet from now on; its open feeds end within a second."""
    from sync_server import commands

    with opened(context) as parts:
        accounts = commands.revoke_device(parts, account, name, reason, shared=shared)
    click.echo(f"{name} is revoked for {', '.join(accounts)}.")


@device.command("allow")
@click.argument("account")
@click.argument("name", metavar="DEVICE")
@click.pass_context
def device_allow(context: click.Context, account: str, name: str) -> None:
    """Let a tablet write again that has written as much as it may."""
    from sync_server import commands

    with opened(context) as parts:
        written = commands.allow_device(parts, account, name)
    click.echo(f"{name} of {account} had written {written} revisions, and is counted from 0 again.")


@device.command("list")
@click.pass_context
def device_list(context: click.Context) -> None:
    """All tablets, and how far behind each is."""
    from sync_server import commands

    with opened(context) as parts:
        tablets = commands.list_devices(parts)
    for tablet in tablets:
        click.echo("\t".join(_columns(tablet)))


def _columns(tablet: Tablet) -> tuple[str, ...]:
    device = tablet.device
    skew = "-" if device.clock_skew_ms is None else f"{device.clock_skew_ms / 1000:+.0f} s"
    replicas = (
        f"{replica.database} at {replica.acknowledged}, "
        f"{'?' if replica.behind is None else replica.behind} behind"
        for replica in tablet.replicas
    )
    return (
        device.account,
        device.name,
        "active" if device.revoked_at is None else f"revoked: {device.revoke_reason or '-'}",
        f"seen {'-' if device.last_seen_at is None else _time(device.last_seen_at)}",
        f"{device.client or '-'} {device.app_version}".strip(),
        f"clock {skew}",
        f"{device.pushed} pushed, {device.refused} refused, {device.conflicting} conflicting",
        "; ".join(replicas) or "-",
    )


def _time(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"


def _base_url(settings: Settings) -> str:
    host, port = split_bind(settings.bind)
    shown = f"[{host}]" if ":" in host else host
    return settings.public_url or f"http://{shown}:{port}"
