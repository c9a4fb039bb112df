"""The parts of a running service, as every surface and job finds them.

A Flask app keeps them at `app.extensions["sync_server"]`; the worker process and the commands
open their own. Nothing here knows Flask.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from sqlalchemy import Engine

from sync_server.access.accounts import Accounts
from sync_server.access.activity import DeviceActivity
from sync_server.access.allowance import Allowance
from sync_server.access.authentication import CredentialCache
from sync_server.access.departures import Departures
from sync_server.access.devices import Devices
from sync_server.access.enrolment import Enrolments
from sync_server.access.gazetteer import Gazetteer
from sync_server.access.grants import Grants
from sync_server.access.remote_address import networks
from sync_server.access.scopes import Scopes
from sync_server.access.sealing import Seals
from sync_server.access.sessions import Sessions, signing_secret
from sync_server.access.stamp import ChangeStamp
from sync_server.access.throttle import Throttle
from sync_server.metrics import Metrics
from sync_server.quarantine.service import Quarantine
from sync_server.settings import Settings
from sync_server.sql import open_engine, upgrade
from sync_server.storage.base import DocumentStore
from sync_server.storage.sqlite import open_store


@dataclass(frozen=True, slots=True)
class Parts:
    settings: Settings
    store: DocumentStore
    sql: Engine
    """The service's own database: accounts, ledger."""
    accounts: Accounts
    grants: Grants
    gazetteer: Gazetteer
    scopes: Scopes
    seals: Seals
    departures: Departures
    sessions: Sessions
    credentials: CredentialCache
    """What this process has verified; see `access.authentication`."""
    throttle: Throttle
    devices: Devices
    enrolments: Enrolments
    activity: DeviceActivity
    """What this process has seen of tablets and not written yet."""
    allowance: Allowance
    """How much each device has written, and may."""
    metrics: Metrics
    stopping: threading.Event = field(default_factory=threading.Event)
    """Set when this process is about to end: feeds finish, loops return."""

    def quarantine(self, database: str) -> Quarantine:
        """What was refused in a database. Raises NotFound."""
        return Quarantine(
            self.sql,
            self.store.database(database),
            self.gazetteer,
            self.accounts,
            self.settings.max_generation_jump,
        )

    def close(self) -> None:
        self.activity.close()
        self.store.close()
        self.sql.dispose()


def open_parts(
    settings: Settings, store: DocumentStore | None = None, *, migrate: bool = True
) -> Parts:
    """Open what `settings` name. `migrate=False` where `serve` has brought tables up to date."""
    sql = open_engine(settings.sql_url)
    if migrate:
        upgrade(sql)
    stamp = ChangeStamp(settings.data_dir / "accounts.stamp")
    accounts = Accounts(sql, stamp)
    gazetteer = Gazetteer(sql, ChangeStamp(settings.data_dir / "gazetteer.stamp"))
    secret = signing_secret(sql)
    return Parts(
        settings=settings,
        store=store or open_store(settings.databases_dir),
        sql=sql,
        accounts=accounts,
        grants=Grants(sql, stamp),
        gazetteer=gazetteer,
        scopes=Scopes(gazetteer),
        seals=Seals(secret),
        departures=Departures(sql),
        sessions=Sessions(secret, settings.session_seconds),
        credentials=CredentialCache(accounts),
        throttle=Throttle(sql, networks(settings.trusted_proxies)),
        devices=Devices(sql, stamp),
        enrolments=Enrolments(sql, stamp),
        activity=DeviceActivity(sql),
        allowance=Allowance(
            sql,
            warning=settings.device_documents_warning,
            most=settings.max_device_documents,
            most_per_day=settings.max_device_documents_per_day,
        ),
        metrics=Metrics(),
    )
