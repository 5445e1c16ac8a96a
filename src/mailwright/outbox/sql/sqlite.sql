-- SQLite's own statements.

-- name: add_message
-- Parameters without names, in the order of `message_row`: ten thousand rows a second are bound faster so.
INSERT INTO mw_message
  (id, stream, idem_key, fingerprint, sender, message_id, size, digest, needs, dsn, expires_at, head, created_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, {now})
ON CONFLICT (stream, idem_key) WHERE idem_key IS NOT NULL DO NOTHING;

-- name: add_delivery
INSERT INTO mw_delivery (message_id, n, rcpt, account, lane, dest, due_at, phase, hold, last_text)
VALUES (?, ?, ?, ?, ?, ?, coalesce(?, {now}), ?, ?, ?);

-- name: add_outcome
INSERT INTO mw_outcome
  (message_id, n, rcpt, account, lane, dest, state, hold, text, claims, attempts, code, at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, {now});

-- name: claim
-- A lease that ended without a result counts as its worker's death (`deaths`). Who was marked as sending may have been
-- sent: with hold it is set aside. So is the suspect that killed its worker the third time (see posting.py).
UPDATE mw_delivery SET
  phase = CASE WHEN phase = 3 AND (hold = 1 OR deaths >= 2) THEN 4 ELSE 2 END,
  due_at = CASE WHEN phase = 3 AND (hold = 1 OR deaths >= 2) THEN {never} ELSE {now} + :lease END,
  lease_by = CASE WHEN phase = 3 AND (hold = 1 OR deaths >= 2) THEN NULL ELSE :worker END,
  last_text = CASE WHEN phase = 3 AND hold = 1 THEN 'In doubt: the worker ended after the mark, before the result.'
    WHEN phase = 3 AND deaths >= 2 THEN 'Set aside: three workers ended while they had it.' ELSE last_text END,
  deaths = CASE WHEN phase = 3 AND deaths >= 2 THEN 3 WHEN phase IN (2, 3) THEN min(deaths + 1, 2) ELSE deaths END,
  claims = claims + 1
WHERE (message_id, n) IN (
  SELECT message_id, n FROM mw_delivery
  WHERE account = :account AND lane = :lane AND dest = :dest AND due_at <= {now} ORDER BY due_at LIMIT :most)
RETURNING message_id, n, rcpt, dest, lane, phase, claims, attempts, deaths, cancelled, hold, first_tried;

-- name: messages
SELECT id, sender, message_id, size, head, digest, needs, dsn, created_at, expires_at
FROM mw_message WHERE id IN ({ids});

-- name: ids_named
-- Of a Message-ID that its author gave; the condition is that of the index, and an order would keep it from being used.
SELECT id FROM mw_message WHERE message_id = :message_id AND message_id <> '' AND instr(message_id, lower(hex(id))) = 0 LIMIT 20;

-- name: ids_of_envid
SELECT id FROM mw_message WHERE dsn IS NOT NULL AND instr(dsn, :envid) > 0 LIMIT 20;
