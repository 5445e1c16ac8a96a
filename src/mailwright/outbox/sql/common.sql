-- Statements that both engines understand. `:name` is a parameter, {now} the database's clock in milliseconds,
-- `IN [:name]` a list. A statement of the same name in the engine's own file takes the place of one here.

-- name: meta
SELECT value FROM mw_meta WHERE name = :name;

-- name: set_meta
INSERT INTO mw_meta (name, value) VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- name: now
SELECT {now};

-- name: any_suppressed
SELECT 1 FROM mw_suppression LIMIT 1;

-- name: suppressed
SELECT address, reason FROM mw_suppression WHERE address IN [:names] AND (until IS NULL OR until > {now});

-- name: by_key
SELECT idem_key, id, fingerprint FROM mw_message WHERE stream = :stream AND idem_key IN [:keys];

-- name: chunk
-- One piece at a time, so that a message of any size is sent in constant memory.
SELECT octets FROM mw_chunk WHERE message_id = :id AND place = :place;

-- name: add_chunk
INSERT INTO mw_chunk (message_id, place, octets) VALUES (:id, :place, :octets);

-- name: next_destination
-- A loose index scan: one seek a destination, however many rows each of them has.
SELECT dest FROM mw_delivery
WHERE account = :account AND lane = :lane AND dest > :after ORDER BY dest LIMIT 1;

-- name: next_account
SELECT account FROM mw_delivery WHERE account > :after ORDER BY account LIMIT 1;

-- name: next_due
SELECT min(due_at) FROM mw_delivery WHERE account = :account AND lane = :lane AND dest = :dest;

-- name: cancelled
SELECT n FROM mw_delivery WHERE message_id = :id AND cancelled = 1;

-- name: mark_sending
-- Durable before the last octet leaves. No row: the lease is lost, or somebody took the message back.
UPDATE mw_delivery SET phase = 3
WHERE message_id = :id AND n = :n AND claims = :claims AND lease_by = :worker AND cancelled = 0
RETURNING n;

-- name: renew
UPDATE mw_delivery SET due_at = {now} + :lease
WHERE message_id = :id AND n = :n AND claims = :claims AND lease_by = :worker;

-- name: finish
-- The second arm: the reply came after all to a row that another worker had set aside in doubt meanwhile.
INSERT INTO mw_outcome
  (message_id, n, rcpt, account, lane, dest, state, hold, claims, attempts, first_tried, code, text, at)
SELECT message_id, n, rcpt, account, lane, dest, :state, hold, claims, attempts + :counts,
  coalesce(first_tried, CASE WHEN :counts = 1 THEN {now} END), :code, :text, {now}
FROM mw_delivery WHERE message_id = :id AND n = :n
  AND ((claims = :claims AND lease_by = :worker) OR (phase = 4 AND hold = 1 AND claims = :claims + 1));

-- name: finished
DELETE FROM mw_delivery WHERE message_id = :id AND n = :n
  AND ((claims = :claims AND lease_by = :worker) OR (phase = 4 AND hold = 1 AND claims = :claims + 1));

-- name: put_off
-- Back to the queue, deferred or held: with the reply that did it. A first try that is still to come, for the clock was
-- set back, is now.
UPDATE mw_delivery SET phase = :state, due_at = CASE WHEN :state = 4 THEN {never} ELSE {now} + :delay END,
  lease_by = NULL, deaths = CASE WHEN :counts = 1 THEN 0 ELSE deaths END, attempts = attempts + :counts,
  first_tried = CASE WHEN :counts = 1 AND (first_tried IS NULL OR first_tried > {now}) THEN {now} ELSE first_tried END,
  last_code = CASE WHEN :code > 0 OR :text <> '' THEN :code ELSE last_code END,
  last_text = CASE WHEN :text <> '' THEN :text ELSE last_text END
WHERE message_id = :id AND n = :n AND claims = :claims AND lease_by = :worker;

-- name: known
SELECT id FROM mw_message WHERE id = :id;

-- name: status_message
SELECT id, stream, idem_key, sender, message_id, size, created_at, expires_at, head IS NULL
FROM mw_message WHERE id = :id;

-- name: status_deliveries
SELECT message_id, n, rcpt, account, lane, dest, phase AS state, hold, cancelled, attempts, deaths, due_at, first_tried,
  last_code, last_text, NULL AS at, lease_by, (SELECT w.host FROM mw_worker w WHERE w.id = lease_by) AS host
FROM mw_delivery WHERE message_id = :id
UNION ALL
SELECT message_id, n, rcpt, account, lane, dest, state, hold, 0, attempts, 0, NULL, first_tried, code, text, at, NULL, NULL
FROM mw_outcome WHERE message_id = :id ORDER BY n;

-- name: status_events
SELECT n, rcpt, kind, at, detail FROM mw_event WHERE message_id = :id ORDER BY at, source;

-- Limits that all workers share, and the worker's own statements (see limiting.py)

-- name: limits
SELECT name, spent_until, {now} FROM mw_limit WHERE name IN [:names];

-- name: add_limit
INSERT INTO mw_limit (name, spent_until) VALUES (:name, 0) ON CONFLICT (name) DO NOTHING;

-- name: spend
-- Only if nobody else spent meanwhile: who comes too late gets nothing this time.
UPDATE mw_limit SET spent_until = :until WHERE name = :name AND spent_until = :seen RETURNING name;

-- name: slots
SELECT slot FROM mw_slot WHERE name = :name AND until > {now} AND lease_by <> :worker;

-- name: take_slot
INSERT INTO mw_slot (name, slot, lease_by, until) VALUES (:name, :slot, :worker, {now} + :lease)
ON CONFLICT (name, slot) DO UPDATE SET lease_by = excluded.lease_by, until = excluded.until
WHERE mw_slot.until <= {now} OR mw_slot.lease_by = excluded.lease_by
RETURNING slot;

-- name: keep_slots
UPDATE mw_slot SET until = {now} + :lease WHERE lease_by = :worker;

-- name: free_slots
DELETE FROM mw_slot WHERE lease_by = :worker AND name = :name;

-- name: free_all_slots
DELETE FROM mw_slot WHERE lease_by = :worker;

-- name: known_destinations
-- What is paused or has a learned pace now; the rest is as any. No number of connections is learned, and nobody reads
-- that column.
SELECT account, dest, until, reason, pace FROM mw_destination
WHERE account = :account AND (until > {now} OR pace > 0);

-- name: stop_until
INSERT INTO mw_destination (account, dest, until, reason) VALUES (:account, :dest, {now} + :span, :reason)
ON CONFLICT (account, dest) DO UPDATE SET until = excluded.until, reason = excluded.reason
WHERE mw_destination.until < excluded.until;

-- name: keep_pace
INSERT INTO mw_destination (account, dest, pace) VALUES (:account, :dest, :pace)
ON CONFLICT (account, dest) DO UPDATE SET pace = excluded.pace;

-- name: set_aside
-- What can't be read when it is claimed.
UPDATE mw_delivery SET phase = 4, due_at = {never}, lease_by = NULL, last_code = 0, last_text = :reason
WHERE message_id = :id AND n = :n;

-- name: overlong
-- After the clock was set back: a lease, or a wait for the next try, that ends later than any could; and what was put
-- for at once, by a clock that was ahead of this one. Only looked for, since that may take long where much is waiting.
SELECT message_id, n, due_at FROM mw_delivery
WHERE account = :account AND lane = :lane AND dest = :dest AND due_at > {now} AND due_at < {never}
  AND ((phase IN (2, 3) AND due_at > {now} + :lease) OR (phase = 1 AND due_at > {now} + :wait)
    OR (phase = 0 AND EXISTS (SELECT 1 FROM mw_message m
      WHERE m.id = mw_delivery.message_id AND m.created_at > {now} AND mw_delivery.due_at < m.created_at + 5000)))
LIMIT :most;

-- name: too_far_ahead
-- The same of stops, and of connections that all workers share.
SELECT 1 FROM mw_destination WHERE account = :account AND until > {now} + :wait
UNION ALL SELECT 1 FROM mw_slot WHERE until > {now} + :lease LIMIT 1;

-- name: end_stops
UPDATE mw_destination SET until = 0 WHERE account = :account AND until > {now} + :wait;

-- name: end_slots
DELETE FROM mw_slot WHERE until > {now} + :lease;

-- name: make_due
UPDATE mw_delivery SET due_at = {now} WHERE message_id = :id AND n = :n AND due_at = :due AND phase <> 4;

-- name: out_of_lanes
SELECT 1 FROM mw_delivery WHERE account = :account AND (lane < 0 OR lane > 2) LIMIT 1;

-- name: out_of_time
SELECT 1 FROM mw_delivery WHERE account = :account AND lane = :lane AND dest = :dest AND due_at > {never} LIMIT 1;

-- name: no_lane
-- There is none of this number, so that nobody would ever claim it.
UPDATE mw_delivery SET phase = 4, due_at = {never}, lease_by = NULL, lane = 1, last_code = 0, last_text = :reason
WHERE account = :account AND (lane < 0 OR lane > 2);

-- name: no_time
-- Later than `never` is no number, or one that nobody put there.
UPDATE mw_delivery SET phase = 4, due_at = {never}, lease_by = NULL, last_code = 0, last_text = :reason
WHERE account = :account AND lane = :lane AND dest = :dest AND due_at > {never};

-- name: seen_worker
INSERT INTO mw_worker (id, host, version, seen_at) VALUES (:worker, :host, :version, {now})
ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at;

-- name: gone_worker
DELETE FROM mw_worker WHERE id = :worker OR seen_at < {now} - 86400000;

-- The suppression list, and what is heard afterwards (suppressing.py, bounces/)

-- name: suppress
INSERT INTO mw_suppression (address, reason, created_at, until) VALUES (:address, :reason, {now}, :until)
ON CONFLICT (address) DO UPDATE SET reason = excluded.reason, until = excluded.until;

-- name: suppress_longer
-- What a report does: it never shortens what is there.
INSERT INTO mw_suppression (address, reason, created_at, until) VALUES (:address, :reason, {now}, {now} + :span)
ON CONFLICT (address) DO UPDATE SET reason = excluded.reason, until = excluded.until
WHERE mw_suppression.until IS NOT NULL AND (excluded.until IS NULL OR excluded.until > mw_suppression.until);

-- name: unsuppress
DELETE FROM mw_suppression WHERE address = :address RETURNING address;

-- name: suppressions
SELECT address, reason, created_at, until FROM mw_suppression
WHERE address > :after AND (until IS NULL OR until > {now}) ORDER BY address LIMIT :most;

-- name: consigned
-- To whom a message goes: what a report has to agree with. What nobody ever claimed can't have been sent.
SELECT n, rcpt, claims FROM mw_delivery WHERE message_id = :id
UNION ALL SELECT n, rcpt, claims FROM mw_outcome WHERE message_id = :id;

-- name: hear
-- No row: it was heard before.
INSERT INTO mw_event (source, message_id, n, rcpt, kind, at, detail)
VALUES (:source, :id, :n, :address, :kind, {now}, :detail) ON CONFLICT (source) DO NOTHING RETURNING source;

-- name: bounced_since
-- Messages, not reports; and only those with one recipient, for of others anybody who got them may speak. What was
-- joined by a name that may be guessed does not count (NAMED in bounces/recording.py).
SELECT count(DISTINCT e.message_id) FROM mw_event e
WHERE e.rcpt = :address AND e.kind = 'bounced' AND e.at > {now} - :span AND substr(e.source, 1, 6) <> 'named '
  AND NOT EXISTS (SELECT 1 FROM mw_delivery d WHERE d.message_id = e.message_id AND d.n = 1)
  AND NOT EXISTS (SELECT 1 FROM mw_outcome o WHERE o.message_id = e.message_id AND o.n = 1);

-- name: heard_of
SELECT count(*), coalesce(sum(CASE WHEN substr(source, 1, 6) = 'named ' THEN 1 ELSE 0 END), 0)
FROM mw_event WHERE message_id = :id;

-- name: take_back
-- What waits is ended; what a worker has is marked by `mark_cancelled`, and the worker looks before the last octet.
DELETE FROM mw_delivery
WHERE message_id = :id AND (:n < 0 OR n = :n) AND phase IN (0, 1, 4)
RETURNING message_id, n, rcpt, account, lane, dest, hold, claims, attempts, first_tried, last_code, last_text, phase;

-- name: mark_cancelled
UPDATE mw_delivery SET cancelled = 1 WHERE message_id = :id AND (:n < 0 OR n = :n) AND phase IN (2, 3);

-- name: take_held
DELETE FROM mw_delivery
WHERE message_id = :id AND (:n < 0 OR n = :n) AND phase = 4
RETURNING message_id, n, rcpt, account, lane, dest, hold, claims, attempts, first_tried, last_code, last_text;

-- name: end_with
INSERT INTO mw_outcome
  (message_id, n, rcpt, account, lane, dest, state, hold, claims, attempts, first_tried, code, text, at)
VALUES (:id, :n, :address, :account, :lane, :domain, :state, :hold, :claims, :attempts, :first_tried, :code, :text,
  {now});

-- name: take_ended
DELETE FROM mw_outcome
WHERE message_id = :id AND (:n < 0 OR n = :n) AND state IN (11, 12, 13, 14, 15)
RETURNING message_id, n, rcpt, account, lane, dest, hold, claims, attempts, first_tried, code, text, state;

-- name: reopen
-- `first_tried` begins anew, and with it the time after which one gives up.
INSERT INTO mw_delivery
  (message_id, n, rcpt, account, lane, dest, due_at, phase, hold, claims, attempts, last_code, last_text)
VALUES (:id, :n, :address, :account, :lane, :domain, {now}, 0, :hold, :claims, :attempts, :code, :text);

-- name: hurry
UPDATE mw_delivery SET due_at = {now} WHERE message_id = :id AND (:n < 0 OR n = :n) AND phase = 1;

-- name: extend
UPDATE mw_message SET expires_at = :expires WHERE id = :id AND expires_at IS NOT NULL AND expires_at <= {now};

-- name: hold
UPDATE mw_delivery SET phase = 4, due_at = {never}, last_code = 0, last_text = :reason
WHERE message_id = :id AND (:n < 0 OR n = :n) AND phase IN (0, 1);

-- name: release
UPDATE mw_delivery SET phase = 0, due_at = {now}, deaths = 0, cancelled = 0
WHERE message_id = :id AND (:n < 0 OR n = :n) AND phase = 4;

-- name: add_event
INSERT INTO mw_event (source, message_id, n, rcpt, kind, at, detail)
VALUES (:source, :id, :n, :address, :kind, {now}, :detail) ON CONFLICT (source) DO NOTHING;

-- name: addresses
SELECT n, rcpt FROM mw_delivery WHERE message_id = :id UNION ALL SELECT n, rcpt FROM mw_outcome WHERE message_id = :id;

-- name: has_content
SELECT head IS NOT NULL FROM mw_message WHERE id = :id;

-- name: counts_open
SELECT phase, count(*) FROM mw_delivery GROUP BY phase;

-- name: counts_ended
SELECT state, count(*) FROM mw_outcome GROUP BY state;

-- name: oldest
-- Ids follow the time.
SELECT {now} - created_at FROM mw_message
WHERE id = (SELECT message_id FROM mw_delivery WHERE phase <> 4 ORDER BY message_id LIMIT 1);

-- name: recent_counts
SELECT state, count(*) FROM mw_outcome WHERE at > {now} - :span GROUP BY state;

-- name: recent_latencies
SELECT o.at - m.created_at FROM mw_outcome o JOIN mw_message m ON m.id = o.message_id
WHERE o.state = 10 AND o.at > {now} - :span ORDER BY o.at DESC LIMIT 1000;

-- name: by_destination
-- All of it stands in the index. What a worker has is due when its lease ends. The least id is that of the oldest, held
-- ones left out; it begins with the milliseconds at which it was put.
SELECT account, dest, count(*), sum(CASE WHEN due_at <= {now} THEN 1 ELSE 0 END),
  sum(CASE WHEN due_at >= {never} THEN 1 ELSE 0 END), min(CASE WHEN due_at < {never} THEN hex(message_id) END)
FROM mw_delivery GROUP BY account, lane, dest;

-- name: newest_outcomes
-- What ended lately, by destination: as much of the span as `most` rows reach back.
SELECT account, dest, sum(CASE WHEN state = 10 THEN 1 ELSE 0 END), sum(CASE WHEN state = 11 THEN 1 ELSE 0 END), count(*),
  {now} - min(at)
FROM (SELECT account, dest, state, at FROM mw_outcome WHERE at > {now} - :span ORDER BY at DESC LIMIT :most) o
GROUP BY account, dest;

-- name: newest_latencies
-- How long it took the newest ones, by destination: `most` outcomes are read, whatever they are.
SELECT o.account, o.dest, o.at - m.created_at
FROM (SELECT account, dest, state, message_id, at FROM mw_outcome WHERE at > {now} - :span ORDER BY at DESC LIMIT :most) o
JOIN mw_message m ON m.id = o.message_id WHERE o.state = 10;

-- name: slowed
SELECT account, dest, CASE WHEN until > {now} THEN until END, reason, pace FROM mw_destination
WHERE until > {now} OR pace > 0 ORDER BY account, dest LIMIT 200;

-- name: workers
SELECT host, version, seen_at FROM mw_worker WHERE seen_at > {now} - 120000 ORDER BY host LIMIT 200;

-- name: finished_before
-- Messages with a recipient whose end came before `until`, in the order of these; for `prune` to walk along.
SELECT message_id, at FROM mw_outcome
WHERE at < :until AND (at > :at OR (at = :at AND message_id > :after)) ORDER BY at, message_id LIMIT :most;

-- name: prunable
-- Nobody waits for it, and nothing of it ended after `until`.
SELECT m.id, m.size, m.head IS NULL FROM mw_message m
WHERE m.id = :id AND NOT EXISTS (SELECT 1 FROM mw_delivery d WHERE d.message_id = m.id)
  AND NOT EXISTS (SELECT 1 FROM mw_outcome o WHERE o.message_id = m.id AND o.at >= :until);

-- name: drop_head
UPDATE mw_message SET head = NULL WHERE id = :id;

-- name: drop_chunks
DELETE FROM mw_chunk WHERE message_id = :id AND place >= :place;

-- name: last_chunk
SELECT max(place) FROM mw_chunk WHERE message_id = :id;

-- name: drop_events
DELETE FROM mw_event WHERE message_id = :id;

-- name: drop_outcomes
DELETE FROM mw_outcome WHERE message_id = :id;

-- name: drop_message
DELETE FROM mw_message WHERE id = :id;

-- name: hold_all
-- After a backup was restored: what was open in it may have been sent since.
UPDATE mw_delivery SET phase = 4, due_at = {never}, lease_by = NULL, last_code = 0, last_text = :reason
WHERE (message_id, n) IN (
  SELECT message_id, n FROM mw_delivery WHERE phase <> 4 ORDER BY message_id, n LIMIT :most);

-- name: find
SELECT d.message_id, d.n, d.rcpt, d.account, d.lane, d.dest, d.state, d.hold, d.cancelled, d.attempts, d.deaths,
  d.due_at, d.first_tried, d.code, d.text, d.at, d.lease_by, (SELECT w.host FROM mw_worker w WHERE w.id = d.lease_by)
FROM (
  SELECT message_id, n, rcpt, account, lane, dest, phase AS state, hold, cancelled, attempts, deaths, due_at,
    first_tried, last_code AS code, last_text AS text, NULL AS at, lease_by
  FROM mw_delivery
  UNION ALL
  SELECT message_id, n, rcpt, account, lane, dest, state, hold, 0, attempts, 0, NULL, first_tried, code, text, at, NULL
  FROM mw_outcome) d
JOIN mw_message m ON m.id = d.message_id
WHERE {conditions}
ORDER BY d.message_id DESC, d.n DESC LIMIT :most;

-- name: count_suppressions
SELECT count(*) FROM mw_suppression WHERE until IS NULL OR until > {now};

-- name: set_key
UPDATE mw_message SET idem_key = :key, fingerprint = :fingerprint WHERE id = :id;

-- name: drop_meta
DELETE FROM mw_meta WHERE name = :name;

-- name: notes
SELECT name FROM mw_meta WHERE name > :first AND name < :last ORDER BY name;
