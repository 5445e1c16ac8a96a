-- Version 1. Times are milliseconds since 1970 by the database's clock; ids are UUIDs of version 7, 16 octets.

CREATE TABLE mw_meta (                  -- version, identity of this database, epoch, whether it is paused
  name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE mw_message (               -- what was put; never changed afterwards
  id BLOB PRIMARY KEY, stream TEXT NOT NULL, idem_key TEXT, fingerprint BLOB,
  sender TEXT NOT NULL, message_id TEXT NOT NULL, size INTEGER NOT NULL, digest BLOB NOT NULL,
  needs INTEGER NOT NULL DEFAULT 0, dsn TEXT, created_at INTEGER NOT NULL, expires_at INTEGER,
  head BLOB);                           -- the first octets of the content; NULL once it was pruned
CREATE UNIQUE INDEX mw_message_key ON mw_message (stream, idem_key) WHERE idem_key IS NOT NULL;
-- For delivery reports: only what its author named, since a Message-ID that was made here holds the id.
CREATE INDEX mw_message_named ON mw_message (message_id)
  WHERE message_id <> '' AND instr(message_id, lower(hex(id))) = 0;
CREATE INDEX mw_message_dsn ON mw_message (dsn) WHERE dsn IS NOT NULL;

CREATE TABLE mw_chunk (                 -- the rest of a content that is longer than its head
  message_id BLOB NOT NULL REFERENCES mw_message ON DELETE CASCADE, place INTEGER NOT NULL, octets BLOB NOT NULL,
  PRIMARY KEY (message_id, place));

CREATE TABLE mw_delivery (              -- open work only: one narrow row for each message and recipient
  message_id BLOB NOT NULL, n INTEGER NOT NULL, rcpt TEXT NOT NULL,
  account TEXT NOT NULL, lane INTEGER NOT NULL, dest TEXT NOT NULL,
  due_at INTEGER NOT NULL,              -- next visible; while leased the end of the lease
  phase INTEGER NOT NULL, hold INTEGER NOT NULL DEFAULT 0, cancelled INTEGER NOT NULL DEFAULT 0,
  claims INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0, deaths INTEGER NOT NULL DEFAULT 0,
  lease_by BLOB, first_tried INTEGER, last_code INTEGER NOT NULL DEFAULT 0, last_text TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (message_id, n)) WITHOUT ROWID;
CREATE INDEX mw_delivery_ready ON mw_delivery (account, lane, dest, due_at);

CREATE TABLE mw_outcome (               -- how it ended; a row is never changed, and one of
                                        -- what was not sent is taken out by `retry`, which notes it in mw_event
  message_id BLOB NOT NULL, n INTEGER NOT NULL, rcpt TEXT NOT NULL,
  account TEXT NOT NULL, lane INTEGER NOT NULL, dest TEXT NOT NULL,
  state INTEGER NOT NULL, hold INTEGER NOT NULL DEFAULT 0, claims INTEGER NOT NULL, attempts INTEGER NOT NULL,
  first_tried INTEGER, code INTEGER NOT NULL, text TEXT NOT NULL, at INTEGER NOT NULL,
  PRIMARY KEY (message_id, n)) WITHOUT ROWID;
CREATE INDEX mw_outcome_at ON mw_outcome (at);

CREATE TABLE mw_event (                 -- what was heard afterwards: bounces, complaints, reports of delivery
  source TEXT PRIMARY KEY,              -- names the report, so that reading it twice adds nothing
  message_id BLOB, n INTEGER, rcpt TEXT NOT NULL, kind TEXT NOT NULL, at INTEGER NOT NULL, detail TEXT NOT NULL
  ) WITHOUT ROWID;
CREATE INDEX mw_event_message ON mw_event (message_id);
CREATE INDEX mw_event_rcpt ON mw_event (rcpt, at);

CREATE TABLE mw_suppression (           -- an address, or a domain with a leading @
  address TEXT PRIMARY KEY, reason TEXT NOT NULL, created_at INTEGER NOT NULL, until INTEGER) WITHOUT ROWID;

CREATE TABLE mw_limit (                 -- a rate shared by all workers: the time up to which tokens are spent
  name TEXT PRIMARY KEY, spent_until REAL NOT NULL) WITHOUT ROWID;

CREATE TABLE mw_slot (                  -- connections shared by all workers
  name TEXT NOT NULL, slot INTEGER NOT NULL, lease_by BLOB NOT NULL, until INTEGER NOT NULL,
  PRIMARY KEY (name, slot)) WITHOUT ROWID;

CREATE TABLE mw_destination (           -- pauses and learned paces; dest '' is the account as a whole
  account TEXT NOT NULL, dest TEXT NOT NULL, until INTEGER NOT NULL DEFAULT 0, reason TEXT NOT NULL DEFAULT '',
  pace REAL NOT NULL DEFAULT 0, PRIMARY KEY (account, dest)) WITHOUT ROWID;

CREATE TABLE mw_worker (                -- for people to look at: nothing depends on it
  id BLOB PRIMARY KEY, host TEXT NOT NULL, version TEXT NOT NULL, seen_at INTEGER NOT NULL) WITHOUT ROWID;

CREATE VIEW mw_status AS                -- every recipient with its state, as a person reads it
  SELECT lower(hex(message_id)) AS id, n, rcpt, account,
    CASE lane WHEN 0 THEN 'urgent' WHEN 1 THEN 'normal' ELSE 'bulk' END AS lane, dest,
    CASE phase WHEN 0 THEN 'queued' WHEN 1 THEN 'deferred' WHEN 2 THEN 'leased' WHEN 3 THEN 'sending' ELSE 'held' END
      AS state,
    attempts, last_code AS code, last_text AS text,
    CASE WHEN phase <> 4 THEN datetime(due_at / 1000, 'unixepoch') END AS due, NULL AS ended
  FROM mw_delivery
  UNION ALL
  SELECT lower(hex(message_id)), n, rcpt, account,
    CASE lane WHEN 0 THEN 'urgent' WHEN 1 THEN 'normal' ELSE 'bulk' END, dest,
    CASE state WHEN 10 THEN 'sent' WHEN 11 THEN 'failed' WHEN 12 THEN 'expired' WHEN 13 THEN 'cancelled'
      WHEN 14 THEN 'suppressed' ELSE 'unknown' END,
    attempts, code, text, NULL, datetime(at / 1000, 'unixepoch')
  FROM mw_outcome;
