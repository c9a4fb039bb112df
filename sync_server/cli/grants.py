"""`sync-server grant …`: who works where, from when until when."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from sync_server.cli.moments import begins, ends, shown
from sync_server.cli.opening import opened

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sync_server.access.gazetteer import Place
    from sync_server.access.grants import Grant, Held
    from sync_server.access.tablets import Tablet
    from sync_server.access.transfers import Effect, Preview
    from sync_server.parts import Parts

UNSENT = """\
What a tablet captured since its last sync is known to that tablet alone: let it sync first, and
compare the number it shows with the one above."""


@click.group()
def grant() -> None:
    """Roles in areas, for a time: who works where."""


@grant.command("give")
@click.argument("account")
@click.argument("role", metavar="cew|coordinator")
@click.argument("database")
@click.argument("area")
@click.option("--from", "starts_at", callback=begins, help="When it begins; else now.")
@click.option("--until", "ends_at", callback=ends, help="The last day, or the end.")
@click.pass_context
def grant_give(
    context: click.Context,
    account: str,
    role: str,
    database: str,
    area: str,
    starts_at: int | None,
    ends_at: int | None,
) -> None:
    """Give ACCOUNT a role in AREA: 2 digits a province, 4 a district, 6 a commune, '' all."""
    from sync_server.access import granting
    from sync_server.access.audit import CLI

    with opened(context) as parts:
        made = granting.give(
            parts, account, role, database, area, starts_at=starts_at, ends_at=ends_at, actor=CLI
        )
        paths = parts.gazetteer.paths([area])
    click.echo(f"Grant {made.number}: {account} is {_described(made, paths)}.")


@grant.command("end")
@click.argument("number", type=int)
@click.option("--at", callback=ends, help="The last day, or the end; else now.")
@click.pass_context
def grant_end(context: click.Context, number: int, at: int | None) -> None:
    """End the grant of this number."""
    from sync_server.access.audit import CLI

    with opened(context) as parts:
        account, ended = parts.grants.end(number, at, actor=CLI)
        paths = parts.gazetteer.paths([ended.area])
    click.echo(f"Grant {number}: {account} is {_described(ended, paths)}.")


@grant.command("list")
@click.option("--account", help="Of this account.")
@click.option("--database", help="In this database.")
@click.option("--area", help="That reach this area: of it, of one above it or of one in it.")
@click.option("--ended", is_flag=True, help="Those that have ended, too.")
@click.pass_context
def grant_list(
    context: click.Context,
    account: str | None,
    database: str | None,
    area: str | None,
    ended: bool,
) -> None:
    """Grants, in the order they were given."""
    now = None if ended else time.time_ns() // 1_000_000
    with opened(context) as parts:
        found = parts.grants.find(account=account, database=database, area=area, now=now)
        paths = parts.gazetteer.paths({held.grant.area for held in found})
    for held in found:
        click.echo("\t".join(_columns(held, paths)))


@grant.command("transfer")
@click.argument("giver", metavar="FROM_ACCOUNT")
@click.argument("taker", metavar="TO_ACCOUNT")
@click.argument("database")
@click.option("--area", default="", help="Only grants of this area, and of areas in it.")
@click.option("--preview", is_flag=True, help="Say what it would do, and change nothing.")
@click.pass_context
def grant_transfer(
    context: click.Context, giver: str, taker: str, database: str, area: str, preview: bool
) -> None:
    """End the grants of one account and give the same to another, in one step."""
    from sync_server.access import granting, transfers
    from sync_server.access.audit import CLI

    with opened(context) as parts:
        if preview:
            _show(parts, transfers.preview(parts, giver, taker, database, area=area))
            return
        done = granting.transfer(parts, giver, taker, database, area=area, actor=CLI)
        paths = parts.gazetteer.paths(one.area for one in done.ended)
    for one in done.ended:
        click.echo(f"Grant {one.number}: {giver} is {_described(one, paths)}.")
    for one in done.given:
        click.echo(f"Grant {one.number}: {taker} is {_described(one, paths)}.")


def _columns(held: Held, paths: Mapping[str, tuple[Place, ...]]) -> Iterable[str]:
    account, one = held
    yield from (str(one.number), account, one.role, one.database, one.area or "nation")
    yield _named(one.area, paths) or "-"
    yield f"from {shown(one.starts_at)}"
    yield "-" if one.ends_at is None else f"until {shown(one.ends_at)}"


def _described(one: Grant, paths: Mapping[str, tuple[Place, ...]]) -> str:
    where = f"{one.area} {_named(one.area, paths)}".rstrip() or "all areas"
    until = "" if one.ends_at is None else f" until {shown(one.ends_at)}"
    return f"{one.role} of {one.database} in {where} from {shown(one.starts_at)}{until}"


def _named(area: str, paths: Mapping[str, tuple[Place, ...]]) -> str:
    return " › ".join(place.name_latin for place in paths.get(area, ()))


def _show(parts: Parts, preview: Preview) -> None:
    plan = preview.transfer
    paths = parts.gazetteer.paths(one.area for one in plan.ended)
    click.echo("Nothing was changed. The transfer would")
    for one in plan.ended:
        click.echo(f"  end grant {one.number}: {plan.giver} is {_described(one, paths)}")
    for one in plan.given:
        click.echo(f"  give: {plan.taker} is {_described(one, paths)}")
    for effect in (preview.giver, preview.taker):
        _show_effect(effect)
    click.echo(UNSENT)


def _show_effect(effect: Effect) -> None:
    click.echo(f"{effect.account} gains {effect.gains} documents and loses {effect.loses}:")
    for tablet in effect.tablets:
        click.echo(f"  {tablet.device or 'with its password or PIN'}: {_known(tablet)}")
    if not effect.tablets:
        click.echo("  no tablet has signed in for it")


def _known(tablet: Tablet) -> str:
    moved = (
        "no checkpoint yet"
        if tablet.checkpoint_at is None
        else f"its last sync that had something to do was at {shown(tablet.checkpoint_at)}"
    )
    if tablet.received is None:
        return f"{moved}; nothing of it is among the latest documents of these areas"
    number = tablet.received.device_seq
    which = "" if number is None else f", its number {number}"
    return f"{moved}; its newest document here came at {shown(tablet.received.at)}{which}"
