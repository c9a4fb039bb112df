"""Tables of one database file, and the steps that bring an older file up to date.

`PRAGMA user_version` counts the steps that a file has taken. A step is never edited once it is
released: the next change is a new step.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

MIGRATIONS: Sequence[str] = (
    """
    CREATE TABLE state (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        epoch TEXT NOT NULL,              -- new after a restore: older sequences start again
        instance TEXT NOT NULL,           -- instance_start_time
        update_seq INTEGER NOT NULL DEFAULT 0,
        purge_seq INTEGER NOT NULL DEFAULT 0,
        doc_count INTEGER NOT NULL DEFAULT 0,
        deleted_count INTEGER NOT NULL DEFAULT 0,
        last_document INTEGER NOT NULL DEFAULT 0,
        last_body INTEGER NOT NULL DEFAULT 0,
        revs_limit INTEGER NOT NULL DEFAULT 1000,
        security TEXT NOT NULL DEFAULT '{}',
        dropped INTEGER NOT NULL DEFAULT 0
    );
    CREATE TABLE document (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        area TEXT NOT NULL,
        seq INTEGER NOT NULL,             -- of its latest change
        rev TEXT NOT NULL,                -- the winning revision ...
        deleted INTEGER NOT NULL,
        body INTEGER,                     -- ... and its row in `body`
        live INTEGER NOT NULL,            -- live leaves; more than one is a conflict
        leaves TEXT,                      -- JSON, winner first; NULL where it is the only leaf
        tree BLOB NOT NULL
    );
    CREATE UNIQUE INDEX document_seq ON document (seq);
    CREATE INDEX document_area ON document (area, seq);
    CREATE INDEX document_conflicted ON document (id) WHERE live > 1;
    CREATE TABLE body (
        number INTEGER PRIMARY KEY,
        content BLOB NOT NULL,            -- JSON without members that start with _
        attachments TEXT,                 -- JSON: name -> metadata; NULL for none
        account TEXT NOT NULL,
        device TEXT NOT NULL,
        received_at INTEGER NOT NULL
    );
    CREATE TABLE superseded (             -- bodies of inner revisions, until compaction
        seq INTEGER NOT NULL,
        body INTEGER NOT NULL,
        document INTEGER NOT NULL,
        PRIMARY KEY (seq, body)
    ) WITHOUT ROWID;
    CREATE TABLE attachment (
        number INTEGER PRIMARY KEY,
        document INTEGER NOT NULL,
        digest TEXT NOT NULL,
        content BLOB NOT NULL,
        UNIQUE (document, digest)
    );
    CREATE TABLE local (
        owner TEXT NOT NULL,
        id TEXT NOT NULL,
        rev INTEGER NOT NULL,
        content BLOB NOT NULL,
        PRIMARY KEY (owner, id)
    ) WITHOUT ROWID;
    CREATE TABLE purged (
        id TEXT NOT NULL,
        rev TEXT NOT NULL,
        PRIMARY KEY (id, rev)
    ) WITHOUT ROWID;
    CREATE TABLE tally (                  -- documents per range of sequences, see tally.py
        area TEXT NOT NULL,
        level INTEGER NOT NULL,
        range INTEGER NOT NULL,
        documents INTEGER NOT NULL,
        PRIMARY KEY (area, level, range)
    ) WITHOUT ROWID;
    """,
    """
    ALTER TABLE document ADD COLUMN entered INTEGER NOT NULL DEFAULT 0;  -- into its area, a seq
    CREATE TABLE move (                   -- documents that have left an area
        area TEXT NOT NULL,
        seq INTEGER NOT NULL,             -- at which it left
        document INTEGER NOT NULL,
        entered INTEGER NOT NULL,         -- the sequence at which it had come
        PRIMARY KEY (area, seq)
    ) WITHOUT ROWID;
    CREATE INDEX move_seq ON move (seq);
    CREATE INDEX move_document ON move (document);
    CREATE TABLE area (                   -- what each area holds
        area TEXT PRIMARY KEY,
        documents INTEGER NOT NULL,
        deleted INTEGER NOT NULL
    ) WITHOUT ROWID;
    INSERT INTO area SELECT area, sum(NOT deleted), sum(deleted) FROM document GROUP BY area;
    CREATE TABLE scope (                  -- sets of areas that sequences name
        name TEXT PRIMARY KEY,
        areas TEXT NOT NULL               -- JSON
    ) WITHOUT ROWID;
    ALTER TABLE local ADD COLUMN updated_at INTEGER NOT NULL DEFAULT 0;
    """,
    """
    -- Milliseconds since 1970 by this server's clock; 0 for what came before there was a column.
    ALTER TABLE document ADD COLUMN entered_at INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE move ADD COLUMN entered_at INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE move ADD COLUMN left_at INTEGER NOT NULL DEFAULT 0;
    """,
)


def migrate(connection: sqlite3.Connection) -> None:
    """Take the steps that this file has not taken; each is one transaction."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise RuntimeError(
            f"This database file was written by a newer release (schema {version}, this release "
            f"knows {len(MIGRATIONS)}). Run that release, or restore a backup."
        )
    for number, step in enumerate(MIGRATIONS[version:], start=version + 1):
        connection.executescript(f"BEGIN IMMEDIATE; {step}; PRAGMA user_version={number}; COMMIT;")
