-- PostgreSQL's own statements. What SQLite does row by row is one statement here for any number of rows: they come as
-- columns, and `unnest` makes rows of them again. Locked rows are passed over, so that no worker waits for another.

-- name: add_messages
-- The messages and all that stands under them, in one statement; gives the ids that are written, and rings.
-- A put rings only while a worker sleeps, which then holds this lock: NOTIFY takes a lock of the whole server at COMMIT.
WITH m AS (
  INSERT INTO mw_message
    (id, stream, idem_key, fingerprint, sender, message_id, size, digest, needs, dsn, created_at, expires_at, head)
  SELECT x.id, x.stream, x.key, x.fingerprint, x.sender, x.message_id, x.size, x.digest, x.needs, x.dsn, {now},
    x.expires, x.head
  FROM unnest(:ids::bytea[], :streams::text[], :keys::text[], :fingerprints::bytea[], :senders::text[],
      :message_ids::text[], :sizes::bigint[], :digests::bytea[], :needs::int[], :dsns::text[], :expires::bigint[],
      :heads::bytea[])
    AS x(id, stream, key, fingerprint, sender, message_id, size, digest, needs, dsn, expires, head)
  ON CONFLICT (stream, idem_key) WHERE idem_key IS NOT NULL DO NOTHING
  RETURNING id),
r AS (
  SELECT * FROM unnest(:owners::bytea[], :ns::int[], :addresses::text[], :accounts::text[], :lanes::int[],
      :domains::text[], :dues::bigint[], :states::int[], :holds::int[], :reasons::text[])
    AS r(id, n, address, account, lane, domain, due, state, hold, reason)
  WHERE NOT :keyed::boolean OR r.id IN (SELECT id FROM m)),
d AS (
  INSERT INTO mw_delivery (message_id, n, rcpt, account, lane, dest, due_at, phase, hold, last_text)
  SELECT id, n, address, account, lane, domain, CASE WHEN state = 4 THEN {never} ELSE coalesce(due, {now}) END, state,
    hold, reason
  FROM r WHERE state < 10),
o AS (
  INSERT INTO mw_outcome (message_id, n, rcpt, account, lane, dest, state, hold, claims, attempts, code, text, at)
  SELECT id, n, address, account, lane, domain, state, hold, 0, 0, 0, reason, {now} FROM r WHERE state >= 10)
SELECT id, (SELECT pg_notify('mailwright', '')::text
  WHERE NOT (pg_try_advisory_lock(1835100524) AND pg_advisory_unlock(1835100524))) FROM m;

-- name: add_one
-- The same for one message with one recipient, as most are: a single round trip. Nothing is written, and no id given, for
-- who is on the suppression list; they take another way, for a table more in the statement would cost all others a tenth.
WITH m AS (
  INSERT INTO mw_message
    (id, stream, idem_key, fingerprint, sender, message_id, size, digest, needs, dsn, created_at, expires_at, head)
  SELECT :id::bytea, :stream::text, :key::text, :fingerprint::bytea, :sender::text, :message_id::text, :size::bigint,
    :digest::bytea, :needs::int, :dsn::text, {now}, :expires::bigint, :head::bytea
  WHERE NOT EXISTS (
    SELECT FROM mw_suppression WHERE address IN (:address, :host) AND (until IS NULL OR until > {now}))
  ON CONFLICT (stream, idem_key) WHERE idem_key IS NOT NULL DO NOTHING
  RETURNING id),
d AS (
  INSERT INTO mw_delivery (message_id, n, rcpt, account, lane, dest, due_at, phase, hold, last_text)
  SELECT id, :n::int, :rcpt::text, :account::text, :lane::int, :domain::text, coalesce(:due::bigint, {now}),
    :state::int, :hold::int, :reason::text FROM m)
SELECT id, CASE WHEN NOT (pg_try_advisory_lock(1835100524) AND pg_advisory_unlock(1835100524))
  THEN pg_notify('mailwright', '')::text END FROM m;

-- name: ring
SELECT pg_notify('mailwright', '')::text WHERE NOT (pg_try_advisory_lock(1835100524) AND pg_advisory_unlock(1835100524));

-- name: destinations
-- A loose index scan: one seek a destination, however many rows each of them has. It begins with SELECT, so that it is
-- asked without a transaction (see session.py).
SELECT dest FROM (
  WITH RECURSIVE d AS (
    (SELECT dest FROM mw_delivery WHERE account = :account AND lane = :lane AND dest > :after ORDER BY dest LIMIT 1)
    UNION ALL
    SELECT (SELECT x.dest FROM mw_delivery x WHERE x.account = :account AND x.lane = :lane AND x.dest > d.dest
      ORDER BY x.dest LIMIT 1) FROM d WHERE d.dest IS NOT NULL)
  SELECT dest FROM d WHERE dest IS NOT NULL LIMIT :most) w;

-- name: claim
-- A lease that ended without a result counts as its worker's death (`deaths`). Who was marked as sending may have been
-- sent: with hold it is set aside. So is the suspect that killed its worker the third time (see posting.py).
WITH c AS MATERIALIZED (
  SELECT x.place FROM unnest(:dests::text[], :budgets::int[]) AS w(dest, most)
  CROSS JOIN LATERAL (
    SELECT ctid AS place FROM mw_delivery
    WHERE account = :account AND lane = :lane AND dest = w.dest AND due_at <= {now}
    ORDER BY due_at LIMIT w.most FOR UPDATE SKIP LOCKED) x)
UPDATE mw_delivery d SET
  phase = CASE WHEN phase = 3 AND (hold = 1 OR deaths >= 2) THEN 4 ELSE 2 END,
  due_at = CASE WHEN phase = 3 AND (hold = 1 OR deaths >= 2) THEN {never} ELSE {now} + :lease END,
  lease_by = CASE WHEN phase = 3 AND (hold = 1 OR deaths >= 2) THEN NULL ELSE :worker::bytea END,
  last_text = CASE WHEN phase = 3 AND hold = 1 THEN 'In doubt: the worker ended after the mark, before the result.'
    WHEN phase = 3 AND deaths >= 2 THEN 'Set aside: three workers ended while they had it.' ELSE last_text END,
  deaths = CASE WHEN phase = 3 AND deaths >= 2 THEN 3 WHEN phase IN (2, 3) THEN least(deaths + 1, 2) ELSE deaths END,
  claims = claims + 1
FROM c WHERE d.ctid = c.place
RETURNING message_id, n, rcpt, dest, lane, phase, claims, attempts, deaths, cancelled, hold, first_tried;

-- name: claim_new
-- What a worker that slept does first when it is rung for: all that a claim looks at, and the claim, in one statement.
-- It takes a few rows that nobody has tried, of ways that nothing speaks against; the rest is left to the usual walk.
WITH RECURSIVE d AS (
  (SELECT lane, dest FROM mw_delivery WHERE account = :account AND lane >= 0
    AND EXISTS (SELECT FROM mw_meta WHERE name = 'identity' AND value = :identity)
    AND NOT EXISTS (SELECT FROM mw_meta WHERE name = 'paused' AND value <> '')
    AND NOT EXISTS (SELECT FROM mw_destination WHERE account = :account AND dest = '' AND (until > {now} OR pace > 0))
  ORDER BY lane, dest LIMIT 1)
  UNION ALL
  SELECT x.lane, x.dest FROM d CROSS JOIN LATERAL (SELECT y.lane, y.dest FROM mw_delivery y
    WHERE y.account = :account AND (y.lane, y.dest) > (d.lane, d.dest) ORDER BY y.lane, y.dest LIMIT 1) x),
c AS MATERIALIZED (
  SELECT x.place FROM (SELECT lane, dest FROM d LIMIT :ways) w CROSS JOIN LATERAL (
    SELECT ctid AS place FROM mw_delivery
    WHERE account = :account AND lane = w.lane AND dest = w.dest AND due_at <= {now}
    ORDER BY due_at LIMIT :each FOR UPDATE SKIP LOCKED) x
  WHERE w.lane <= 2 AND w.dest <> ALL(:closed::text[])
    AND NOT EXISTS (SELECT FROM mw_destination s WHERE s.account = :account AND s.dest = w.dest
      AND (s.until > {now} OR s.pace > 0))
  LIMIT :most),
u AS (
  UPDATE mw_delivery r SET phase = 2, due_at = {now} + :lease, lease_by = :worker::bytea, claims = claims + 1
  FROM c WHERE r.ctid = c.place AND r.phase = 0
  RETURNING r.message_id, n, rcpt, dest, lane, phase, claims, attempts, deaths, cancelled, hold, first_tried)
SELECT u.*, m.id, m.sender, m.message_id, m.size, m.head, m.digest, m.needs, m.dsn, m.created_at, m.expires_at,
  EXISTS (SELECT FROM mw_suppression)
FROM u LEFT JOIN mw_message m ON m.id = u.message_id;

-- name: forgotten
-- Leases of this worker that are not over, made longer. It knows of most; the others are of claims whose answer was lost.
WITH RECURSIVE d AS (
  (SELECT lane, dest FROM mw_delivery WHERE account = :account ORDER BY lane, dest LIMIT 1)
  UNION ALL
  SELECT x.lane, x.dest FROM d CROSS JOIN LATERAL (SELECT y.lane, y.dest FROM mw_delivery y
    WHERE y.account = :account AND (y.lane, y.dest) > (d.lane, d.dest) ORDER BY y.lane, y.dest LIMIT 1) x),
c AS MATERIALIZED (
  SELECT x.place FROM d CROSS JOIN LATERAL (
    SELECT ctid AS place FROM mw_delivery
    WHERE account = :account AND lane = d.lane AND dest = d.dest AND due_at > {now} AND due_at <= {now} + :lease
      AND phase = 2 AND lease_by = :worker::bytea
    FOR UPDATE SKIP LOCKED) x)
UPDATE mw_delivery r SET due_at = {now} + :lease FROM c WHERE r.ctid = c.place
RETURNING r.message_id, n, rcpt, dest, lane, phase, claims, attempts, deaths, cancelled, hold, first_tried;

-- name: messages
SELECT id, sender, message_id, size, head, digest, needs, dsn, created_at, expires_at
FROM mw_message WHERE id = ANY(:ids::bytea[]);

-- name: known
SELECT id FROM mw_message WHERE id = ANY(:ids::bytea[]);

-- name: cancelled
SELECT message_id, n FROM mw_delivery WHERE message_id = ANY(:ids::bytea[]) AND cancelled = 1;

-- name: mark_sending
-- Durable before the last octet leaves. Fewer rows than asked: a lease is lost, or somebody took a message back.
UPDATE mw_delivery d SET phase = 3
FROM unnest(:ids::bytea[], :ns::int[], :claims::int[]) AS r(id, n, claims)
WHERE d.message_id = r.id AND d.n = r.n AND d.claims = r.claims AND d.lease_by = :worker AND d.cancelled = 0;

-- name: renew
UPDATE mw_delivery d SET due_at = {now} + :lease
FROM unnest(:ids::bytea[], :ns::int[], :claims::int[]) AS r(id, n, claims)
WHERE d.message_id = r.id AND d.n = r.n AND d.claims = r.claims AND d.lease_by = :worker;

-- name: finish
-- The second arm: the reply came after all to a row that another worker had set aside in doubt meanwhile.
WITH x AS (
  DELETE FROM mw_delivery d
  USING unnest(:ids::bytea[], :ns::int[], :claims::int[], :states::int[], :counts::int[], :codes::int[], :texts::text[])
    AS r(id, n, claims, state, counts, code, text)
  WHERE d.message_id = r.id AND d.n = r.n
    AND ((d.claims = r.claims AND d.lease_by = :worker) OR (d.phase = 4 AND d.hold = 1 AND d.claims = r.claims + 1))
  RETURNING d.message_id, d.n, d.rcpt, d.account, d.lane, d.dest, r.state, d.hold, d.claims, d.attempts, r.counts,
    d.first_tried, r.code, r.text)
INSERT INTO mw_outcome
  (message_id, n, rcpt, account, lane, dest, state, hold, claims, attempts, first_tried, code, text, at)
SELECT message_id, n, rcpt, account, lane, dest, state, hold, claims, attempts + counts,
  coalesce(first_tried, CASE WHEN counts = 1 THEN {now} END), code, text, {now} FROM x;

-- name: put_off
-- Back to the queue, deferred or held: with the reply that did it. A first try that is still to come, for the clock was
-- set back, is now.
UPDATE mw_delivery d SET phase = r.state, due_at = CASE WHEN r.state = 4 THEN {never} ELSE {now} + r.delay END,
  lease_by = NULL, deaths = CASE WHEN r.counts = 1 THEN 0 ELSE d.deaths END, attempts = d.attempts + r.counts,
  first_tried = CASE WHEN r.counts = 1 THEN least(d.first_tried, {now}) ELSE d.first_tried END,
  last_code = CASE WHEN r.code > 0 OR r.text <> '' THEN r.code ELSE d.last_code END,
  last_text = CASE WHEN r.text <> '' THEN r.text ELSE d.last_text END
FROM unnest(:ids::bytea[], :ns::int[], :claims::int[], :states::int[], :counts::int[], :codes::int[], :texts::text[],
  :delays::bigint[]) AS r(id, n, claims, state, counts, code, text, delay)
WHERE d.message_id = r.id AND d.n = r.n AND d.claims = r.claims AND d.lease_by = :worker;

-- name: ids_named
-- Of a Message-ID that its author gave; the condition is that of the index, and an order would keep it from being used.
SELECT id FROM mw_message WHERE message_id = :message_id AND position(encode(id, 'hex') in message_id) = 0 LIMIT 20;

-- name: ids_of_envid
SELECT id FROM mw_message WHERE dsn IS NOT NULL AND position(:envid in dsn) > 0 LIMIT 20;

-- name: by_destination
-- As SQLite's. Octets have no min() before version 18, and their digits have the same order.
SELECT account, dest, count(*), sum(CASE WHEN due_at <= {now} THEN 1 ELSE 0 END),
  sum(CASE WHEN due_at >= {never} THEN 1 ELSE 0 END), min(CASE WHEN due_at < {never} THEN encode(message_id, 'hex') END)
FROM mw_delivery GROUP BY account, lane, dest;
