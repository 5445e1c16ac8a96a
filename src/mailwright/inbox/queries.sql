-- What is asked of an inbox. {where} stands for conditions from `search.py`, which are made of fixed words alone.

-- name: add
INSERT INTO messages (id, arrived, sender, recipients, subject, from_header, to_header, date, size, weight,
                      attachments, preview, login, tls, note, transcript)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: add_text
INSERT INTO texts (id, text, addressed, names) VALUES (?, ?, ?, ?)

-- name: add_piece
INSERT INTO contents (id, facts, octets) VALUES (?, ?, ?)

-- name: strays
-- Messages with a higher id than any that is in the list. 2^20 is 1048576.
SELECT id / 1048576, facts FROM contents WHERE id >= (? + 1) * 1048576 AND facts IS NOT NULL ORDER BY id

-- name: index
INSERT INTO search (rowid, sender, recipients, subject, text, names)
SELECT id, from_header || ' ' || sender, addressed || ' ' || recipients, subject, text, names
FROM messages JOIN texts USING (id) WHERE id > ? ORDER BY id

-- name: unindex
-- FTS5 takes a row out when it is given the words that were put in.
INSERT INTO search (search, rowid, sender, recipients, subject, text, names)
SELECT 'delete', id, from_header || ' ' || sender, addressed || ' ' || recipients, subject, text, names
FROM messages JOIN texts USING (id) WHERE id = ? AND id <= ?

-- name: unindex_all
INSERT INTO search (search) VALUES ('delete-all')

-- name: state
SELECT latest, indexed, dropped FROM state

-- name: note_state
UPDATE state SET latest = ?, indexed = ?, dropped = ?

-- name: totals
SELECT coalesce(max(id), 0), count(*), coalesce(sum(weight), 0) FROM messages

-- name: oldest
SELECT id, weight FROM messages ORDER BY id

-- name: weight
SELECT weight FROM messages WHERE id = ?

-- name: delete
DELETE FROM messages WHERE id = ?

-- name: delete_text
DELETE FROM texts WHERE id = ?

-- name: delete_pieces
DELETE FROM contents WHERE id BETWEEN ? AND ?

-- name: delete_all
DELETE FROM messages

-- name: delete_all_texts
DELETE FROM texts

-- name: delete_all_pieces
DELETE FROM contents

-- name: mark
UPDATE messages SET seen = ? WHERE id = ?

-- name: rows
SELECT id, arrived, sender, recipients, subject, from_header, to_header, date, size, attachments, preview, seen,
       login, tls, note
FROM messages WHERE id < ? AND {where} ORDER BY id DESC LIMIT ?

-- name: rows_after
SELECT id, arrived, sender, recipients, subject, from_header, to_header, date, size, attachments, preview, seen,
       login, tls, note
FROM messages WHERE id > ? AND {where} ORDER BY id LIMIT ?

-- name: count
SELECT count(*) FROM messages WHERE {where}

-- name: ids
SELECT id FROM messages ORDER BY id

-- name: facts
SELECT facts, transcript FROM messages JOIN contents ON contents.id = messages.id * 1048576 WHERE messages.id = ?

-- name: piece
SELECT octets FROM contents WHERE id = ?
