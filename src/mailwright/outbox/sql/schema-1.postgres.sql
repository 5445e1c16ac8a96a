-- Version 1, with the same tables and columns as SQLite's. Times are milliseconds since 1970 by the database's clock; ids
-- are UUIDs of version 7, 16 octets. What is compared is compared octet by octet (COLLATE "C"): faster, in the order
-- of SQLite, and no index breaks when the system's collations change. The view mw_status is for people.

CREATE TABLE mw_meta (                  -- version, identity of this database, epoch, whether it is paused
  name text COLLATE "C" PRIMARY KEY, value text NOT NULL);

CREATE TABLE mw_message (               -- what was put; never changed afterwards
  id bytea PRIMARY KEY, stream text COLLATE "C" NOT NULL, idem_key text COLLATE "C", fingerprint bytea,
  sender text NOT NULL, message_id text COLLATE "C" NOT NULL, size bigint NOT NULL, digest bytea NOT NULL,
  needs int NOT NULL DEFAULT 0, dsn text, created_at bigint NOT NULL, expires_at bigint,
  head bytea)                           -- the first octets of the content; NULL once it was pruned
  WITH (toast_tuple_target = 8160);     -- a usual message stands in its row, which is cheaper to write and to read
ALTER TABLE mw_message ALTER head SET STORAGE EXTERNAL;
CREATE UNIQUE INDEX mw_message_key ON mw_message (stream, idem_key) WHERE idem_key IS NOT NULL;
-- For delivery reports: only what its author named, since a Message-ID that was made here holds the id.
CREATE INDEX mw_message_named ON mw_message (message_id) WHERE position(encode(id, 'hex') in message_id) = 0;
CREATE INDEX mw_message_dsn ON mw_message (dsn) WHERE dsn IS NOT NULL;

CREATE TABLE mw_chunk (                 -- the rest of a content that is longer than its head
  message_id bytea NOT NULL REFERENCES mw_message ON DELETE CASCADE, place int NOT NULL, octets bytea NOT NULL,
  PRIMARY KEY (message_id, place));
ALTER TABLE mw_chunk ALTER octets SET STORAGE EXTERNAL;

CREATE TABLE mw_delivery (              -- open work only: one narrow row for each message and recipient
  message_id bytea NOT NULL, n int NOT NULL, rcpt text COLLATE "C" NOT NULL,
  account text COLLATE "C" NOT NULL, lane int NOT NULL, dest text COLLATE "C" NOT NULL,
  due_at bigint NOT NULL,               -- next visible; while leased the end of the lease
  phase int NOT NULL, hold int NOT NULL DEFAULT 0, cancelled int NOT NULL DEFAULT 0,
  claims int NOT NULL DEFAULT 0, attempts int NOT NULL DEFAULT 0, deaths int NOT NULL DEFAULT 0,
  lease_by bytea, first_tried bigint, last_code int NOT NULL DEFAULT 0, last_text text NOT NULL DEFAULT '',
  PRIMARY KEY (message_id, n))
  WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX mw_delivery_ready ON mw_delivery (account, lane, dest, due_at);

CREATE TABLE mw_outcome (               -- how it ended; rows are added and never changed
  message_id bytea NOT NULL, n int NOT NULL, rcpt text COLLATE "C" NOT NULL,
  account text COLLATE "C" NOT NULL, lane int NOT NULL, dest text COLLATE "C" NOT NULL,
  state int NOT NULL, hold int NOT NULL DEFAULT 0, claims int NOT NULL, attempts int NOT NULL,
  first_tried bigint, code int NOT NULL, text text NOT NULL, at bigint NOT NULL,
  PRIMARY KEY (message_id, n));
CREATE INDEX mw_outcome_at ON mw_outcome (at);

CREATE TABLE mw_event (                 -- what was heard afterwards: bounces, complaints, reports of delivery
  source text COLLATE "C" PRIMARY KEY,  -- names the report, so that reading it twice adds nothing
  message_id bytea, n int, rcpt text COLLATE "C" NOT NULL, kind text NOT NULL, at bigint NOT NULL, detail text NOT NULL);
CREATE INDEX mw_event_message ON mw_event (message_id);
CREATE INDEX mw_event_rcpt ON mw_event (rcpt, at);

CREATE TABLE mw_suppression (           -- an address, or a domain with a leading @
  address text COLLATE "C" PRIMARY KEY, reason text NOT NULL, created_at bigint NOT NULL, until bigint);

CREATE TABLE mw_limit (                 -- a rate shared by all workers: the time up to which tokens are spent
  name text COLLATE "C" PRIMARY KEY, spent_until double precision NOT NULL) WITH (fillfactor = 50);

CREATE TABLE mw_slot (                  -- connections shared by all workers
  name text COLLATE "C" NOT NULL, slot int NOT NULL, lease_by bytea NOT NULL, until bigint NOT NULL,
  PRIMARY KEY (name, slot)) WITH (fillfactor = 50);

CREATE TABLE mw_destination (           -- pauses and learned paces; dest '' is the account as a whole
  account text COLLATE "C" NOT NULL, dest text COLLATE "C" NOT NULL, until bigint NOT NULL DEFAULT 0,
  reason text NOT NULL DEFAULT '', pace double precision NOT NULL DEFAULT 0,
  PRIMARY KEY (account, dest)) WITH (fillfactor = 50);

CREATE TABLE mw_worker (                -- for people to look at: nothing depends on it
  id bytea PRIMARY KEY, host text NOT NULL, version text NOT NULL, seen_at bigint NOT NULL) WITH (fillfactor = 50);

CREATE VIEW mw_status AS                -- every recipient with its state, as a person reads it
  SELECT encode(d.message_id, 'hex') AS id, d.n, d.rcpt, d.account, (ARRAY['urgent', 'normal', 'bulk'])[d.lane + 1] AS lane,
    d.dest, (ARRAY['queued', 'deferred', 'leased', 'sending', 'held'])[d.phase + 1] AS state, d.attempts,
    d.last_code AS code, d.last_text AS text,
    CASE WHEN d.phase <> 4 THEN to_timestamp(d.due_at / 1000.0) END AS due, NULL::timestamptz AS ended
  FROM mw_delivery d
  UNION ALL
  SELECT encode(o.message_id, 'hex'), o.n, o.rcpt, o.account, (ARRAY['urgent', 'normal', 'bulk'])[o.lane + 1],
    o.dest, (ARRAY['sent', 'failed', 'expired', 'cancelled', 'suppressed', 'unknown'])[o.state - 9], o.attempts,
    o.code, o.text, NULL, to_timestamp(o.at / 1000.0)
  FROM mw_outcome o;
