"""The embedded engine (default): SQLite files that several processes share."""

from sync_server.storage.sqlite.store import SQLiteStore, open_store

__all__ = ["SQLiteStore", "open_store"]
