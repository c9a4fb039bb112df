-- A database of the first schema, as the release that had it wrote it.
PRAGMA user_version = 1;
BEGIN TRANSACTION;
CREATE TABLE attachment (
        number INTEGER PRIMARY KEY,
        document INTEGER NOT NULL,
        digest TEXT NOT NULL,
        content BLOB NOT NULL,
        UNIQUE (document, digest)
    );
INSERT INTO "attachment" VALUES(1,4,'md5-IgbAkcxL/ITMCwr2Fnm31w==',X'FFD820612070686F746F');
CREATE TABLE body (
        number INTEGER PRIMARY KEY,
        content BLOB NOT NULL,            -- JSON without members that start with _
        attachments TEXT,                 -- JSON: name -> metadata; NULL for none
        account TEXT NOT NULL,
        device TEXT NOT NULL,
        received_at INTEGER NOT NULL
    );
INSERT INTO "body" VALUES(1,X'7B227375726E616D65223A22E19E9FE19EBBE19E81227D',NULL,'sok','tablet-1',1700000000000);
INSERT INTO "body" VALUES(2,X'7B227375726E616D65223A22E19E9FE19EBBE19E81E19EB6227D',NULL,'sok','tablet-1',1700000000000);
INSERT INTO "body" VALUES(3,X'7B226E223A327D',NULL,'sok','tablet-1',1700000000000);
INSERT INTO "body" VALUES(4,X'7B226E223A337D',NULL,'sok','tablet-1',1700000000000);
INSERT INTO "body" VALUES(5,X'7B226E223A347D',NULL,'sok','tablet-1',1700000000000);
INSERT INTO "body" VALUES(6,X'7B7D',NULL,'sok','tablet-1',1700000000000);
INSERT INTO "body" VALUES(7,X'7B7D','{"front.jpg":["image/jpeg","md5-IgbAkcxL/ITMCwr2Fnm31w==",10,1,null,null]}','sok','tablet-1',1700000000000);
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
INSERT INTO "document" VALUES(1,'household:1','020301',2,'2-b',0,2,1,NULL,X'5B5B322C5B2262222C2261225D2C6E756C6C2C5B5D2C5B5B302C325D2C5B312C315D5D5D5D');
INSERT INTO "document" VALUES(2,'household:2','020302',5,'2-d',0,5,2,'["2-d","2-c"]',X'5B5B322C5B2264222C2261225D2C6E756C6C2C5B5D2C5B5B302C355D2C5B312C335D5D5D2C5B322C5B2263225D2C22312D61222C5B5D2C5B5B302C345D5D5D5D');
INSERT INTO "document" VALUES(3,'household:3','020301',6,'2-b',1,6,0,NULL,X'5B5B322C5B2262222C2261225D2C6E756C6C2C5B305D2C5B5B302C365D5D5D5D');
INSERT INTO "document" VALUES(4,'photo','',7,'1-a',0,7,1,NULL,X'5B5B312C5B2261225D2C6E756C6C2C5B5D2C5B5B302C375D5D5D5D');
CREATE TABLE local (
        owner TEXT NOT NULL,
        id TEXT NOT NULL,
        rev INTEGER NOT NULL,
        content BLOB NOT NULL,
        PRIMARY KEY (owner, id)
    ) WITHOUT ROWID;
INSERT INTO "local" VALUES('sok','checkpoint',1,X'7B226C6173745F736571223A2233227D');
CREATE TABLE purged (
        id TEXT NOT NULL,
        rev TEXT NOT NULL,
        PRIMARY KEY (id, rev)
    ) WITHOUT ROWID;
INSERT INTO "purged" VALUES('purged','1-a');
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
INSERT INTO "state" VALUES(1,'aa0e16b2','1795568956732795',9,1,3,1,5,8,500,'{"members":{"names":["sok"]}}',0);
CREATE TABLE superseded (             -- bodies of inner revisions, until compaction
        seq INTEGER NOT NULL,
        body INTEGER NOT NULL,
        document INTEGER NOT NULL,
        PRIMARY KEY (seq, body)
    ) WITHOUT ROWID;
INSERT INTO "superseded" VALUES(2,1,1);
INSERT INTO "superseded" VALUES(4,3,2);
CREATE TABLE tally (                  -- documents per range of sequences, see tally.py
        area TEXT NOT NULL,
        level INTEGER NOT NULL,
        range INTEGER NOT NULL,
        documents INTEGER NOT NULL,
        PRIMARY KEY (area, level, range)
    ) WITHOUT ROWID;
INSERT INTO "tally" VALUES('',8,0,1);
INSERT INTO "tally" VALUES('',16,0,1);
INSERT INTO "tally" VALUES('*',8,0,4);
INSERT INTO "tally" VALUES('*',16,0,4);
INSERT INTO "tally" VALUES('020301',8,0,2);
INSERT INTO "tally" VALUES('020301',16,0,2);
INSERT INTO "tally" VALUES('020302',8,0,1);
INSERT INTO "tally" VALUES('020302',16,0,1);
CREATE UNIQUE INDEX document_seq ON document (seq);
CREATE INDEX document_area ON document (area, seq);
CREATE INDEX document_conflicted ON document (id) WHERE live > 1;
COMMIT;
