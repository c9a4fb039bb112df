"""The service's own SQL database: accounts, members, secrets, and the workflow's ledger.

Documents are not kept here but in `sync_server.storage`. One SQLite file serves one host;
PostgreSQL serves several.
"""

from sync_server.sql.engine import open_engine, take_turns, upgrade

__all__ = ["open_engine", "take_turns", "upgrade"]
