"""What must be there before any process serves; done at each start, harmless when done already.

Run by the supervisor as `python -m sync_server.serving.prepare`, so that the supervisor itself
stays small.
"""

from __future__ import annotations

import os
import shutil
import sys

import structlog

from sync_server.access.accounts import generated_password
from sync_server.access.gazetteer.importing import import_bundled_once
from sync_server.errors import FileExists
from sync_server.parts import Parts, open_parts
from sync_server.serving import logs
from sync_server.settings import Settings

ADMIN_NAME = "admin"
ADMIN_SECRET_VARIABLE = "SYNC_SERVER_ADMIN_SECRET"

_log = structlog.get_logger(__name__)


def prepare(parts: Parts, admin_secret: str | None) -> str | None:
    """Make the programme's databases, the gazetteer where none was imported, and the first admin
    where there is no account yet; bring the files of an older release up to date.

    Answers the admin's secret if it was made up here: it is to be shown once, and kept nowhere.
    """
    for name in parts.settings.programme_databases:
        if name not in parts.store.names():
            make_database(parts, name)
    for database in parts.store:
        database.update_seq()  # opens it, so that no client waits for a migration
    import_gazetteer(parts)
    if parts.accounts.all():
        return None
    password = admin_secret or generated_password()
    parts.accounts.create(ADMIN_NAME, password, roles=("admin",))
    return None if admin_secret else password


def make_database(parts: Parts, name: str) -> None:
    try:
        parts.store.create(name)
    except FileExists:
        return


def import_gazetteer(parts: Parts) -> None:
    done = import_bundled_once(parts)
    if done is not None:
        places, rejected = len(done.cleaned.places), len(done.cleaned.rejected)
        _log.info("gazetteer imported", source=done.source.name, places=places, rejected=rejected)


def main() -> int:
    settings = Settings.from_environment()
    logs.configure(settings.log_format, settings.log_level)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    os.chmod(settings.data_dir, 0o700)
    metrics_dir = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if metrics_dir:
        shutil.rmtree(metrics_dir, ignore_errors=True)
        os.makedirs(metrics_dir)
    parts = open_parts(settings)
    secret = prepare(parts, os.environ.get(ADMIN_SECRET_VARIABLE))
    parts.close()
    if secret is not None:
        print(f"First start: sign in as {ADMIN_NAME} with the secret {secret}")
        print("It is shown this once. Change it with: sync-server account set-password admin")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
