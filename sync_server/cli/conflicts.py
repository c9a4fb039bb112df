"""`sync-server conflict …`: what is in conflict, why, and what becomes of it."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import click

from sync_server.cli.opening import opened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sync_server.cases.settling import Outcome
    from sync_server.storage.base import Origin


@click.group()
def conflict() -> None:
    """Conflicts between edits, and the cases that an admin settles."""


@conflict.command("list")
@click.argument("database")
@click.option("--area", help="Only in this area, and what lies in it.")
@click.option("--type", "type_", help="Only of this type of document.")
@click.option("--field", help="Only where this field is in question.")
@click.option("--author", help="Only where a version of this account is in question.")
@click.option("--reason", help="Only those opened for this reason.")
@click.option("--state", default="open", help="open (default), settled, obsolete or all.")
@click.pass_context
def conflict_list(context: click.Context, /, database: str, **wanted: Any) -> None:
    """Cases, the oldest first: number, document, fields in question, who, since when."""
    from sync_server.cases import queries
    from sync_server.cli import conflict_texts as texts

    state = None if wanted["state"] == "all" else wanted["state"]
    asked = queries.Filter(
        **{name: wanted[name] for name in ("area", "field", "author", "reason")},
        type=wanted["type_"],
        state=state,
    )
    with opened(context) as parts:
        parts.store.database(database)
        with parts.sql.connect() as connection:
            after = 0
            while page := queries.page(connection, database, asked, after, 500):
                authors = queries.authors(connection, [case.number for case in page])
                for case in page:
                    click.echo(texts.case_line(case, authors[case.number]))
                after = page[-1].number


@conflict.command("show")
@click.argument("database")
@click.argument("doc_id", metavar="ID")
@click.pass_context
def conflict_show(context: click.Context, database: str, doc_id: str) -> None:
    """A document's tree, the leaves, their common state, and what the policies say."""
    from sync_server.cases import records
    from sync_server.cli import conflict_texts as texts
    from sync_server.errors import NotFound

    with opened(context) as parts:
        found = parts.store.database(database)
        leaves = texts.read_leaves(found, doc_id)
        if not leaves:
            raise NotFound(f"There is no document {doc_id} in {database}.")
        with parts.sql.connect() as connection:
            case = records.latest(connection, database, [doc_id]).get(doc_id)
        for line in texts.picture(found, leaves, case):
            click.echo(line)


@conflict.command("explain")
@click.argument("database")
@click.argument("doc_id", metavar="ID")
@click.pass_context
def conflict_explain(context: click.Context, database: str, doc_id: str) -> None:
    """How a document's present body came to be: who wrote, what was merged, who decided."""
    from sync_server.cases.explaining import explain
    from sync_server.cli import conflict_texts as texts

    with opened(context) as parts:
        for step in explain(parts.sql, parts.store.database(database), doc_id):
            for line in texts.step(step):
                click.echo(line)


@conflict.command("resolve")
@click.argument("database")
@click.argument("numbers", metavar="CASE...", type=int, nargs=-1, required=True)
@click.option("--take", multiple=True, metavar="FIELD=REV", help="A field from a version.")
@click.option("--set", "set_", multiple=True, metavar="FIELD=JSON", help="A field's new value.")
@click.option("--remove", multiple=True, metavar="FIELD", help="A field to leave out.")
@click.option("--version", metavar="REV", help="A version as a whole.")
@click.option("--delete", is_flag=True, help="Delete the document.")
@click.option("--rule", help="latest, earliest, base, winner or author:ACCOUNT.")
@click.option("--leaf", "leaves", multiple=True, metavar="REV", help="The leaves that were seen.")
@click.option("--reason", help="Why, for the record.")
@click.option("--as", "account", help="The account that decides; else the command line does.")
@click.pass_context
def conflict_resolve(
    context: click.Context,
    /,
    database: str,
    numbers: tuple[int, ...],
    account: str | None,
    leaves: tuple[str, ...],
    **how: Any,
) -> None:
    """Settle cases; each for itself. Without --leaf: for the leaves that the case shows now."""
    from sync_server.cases.records import find
    from sync_server.cases.results import Decision
    from sync_server.cases.settling import settle

    with opened(context) as parts:
        found = parts.store.database(database)
        with parts.sql.connect() as connection:
            known = find(connection, database, numbers)
        asked = [
            Decision(
                case=number,
                leaves=leaves or (known[number].leaves if number in known else ()),
                **_how(how),
            )
            for number in numbers
        ]
        _report(settle(parts.sql, found, asked, _by(account)))


@conflict.command("undo")
@click.argument("database")
@click.argument("numbers", metavar="CASE...", type=int, nargs=-1, required=True)
@click.option("--as", "account", help="The account that undoes; else the command line does.")
@click.pass_context
def conflict_undo(
    context: click.Context, database: str, numbers: tuple[int, ...], account: str | None
) -> None:
    """Undo what was decided: every version is back, and the case is open."""
    from sync_server.cases.undoing import undo

    with opened(context) as parts:
        found = parts.store.database(database)
        days = parts.settings.undo_days
        _report(undo(parts.sql, found, numbers, _by(account), days))


@conflict.command("rebuild")
@click.argument("database")
@click.pass_context
def conflict_rebuild(context: click.Context, database: str) -> None:
    """Open the cases that are missing, after the service's database was restored."""
    from sync_server.intake.case_sweep import rebuild_cases

    with opened(context) as parts:
        count = rebuild_cases(parts.store, parts.sql, database, places=parts.gazetteer)
    click.echo(f"Looked at {count} documents with more than one leaf.")


def _how(options: dict[str, Any]) -> dict[str, Any]:
    """The options as a decision has them. Raises UsageError."""
    from sync_server.cases.rules import is_rule

    rule = options["rule"]
    if rule is not None and not is_rule(rule):
        raise click.UsageError(f"There is no rule {rule!r}.")
    return {
        "take": dict(_pair(text) for text in options["take"]),
        "values": {name: _json(text) for name, text in map(_pair, options["set_"])},
        **{name: options[name] for name in ("remove", "version", "delete", "rule", "reason")},
    }


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise click.UsageError(f"{text!r} is no FIELD=VALUE.")
    return name, value


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise click.UsageError(f"{text!r} is no JSON: put a text in double quotes.") from None


def _by(account: str | None) -> Origin:
    from sync_server.access.audit import CLI
    from sync_server.storage.base import Origin

    return Origin(account or CLI, "", time.time_ns() // 1_000_000)


def _report(outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        said = outcome.rev if outcome.error is None else f"refused: {outcome.error.reason}"
        click.echo(f"{outcome.case}\t{said}")
    if any(outcome.error is not None for outcome in outcomes):
        raise SystemExit(1)
