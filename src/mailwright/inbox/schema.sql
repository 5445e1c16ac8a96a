-- The tables of an inbox, version 2. `database.py` says how a file is recognised.

-- What the list shows; small rows, so that a look through all of them is quick.
CREATE TABLE messages (
    id INTEGER PRIMARY KEY,
    arrived REAL NOT NULL,
    sender TEXT NOT NULL,
    recipients TEXT NOT NULL, -- each between two line feeds
    subject TEXT NOT NULL,
    from_header TEXT NOT NULL,
    to_header TEXT NOT NULL,
    date TEXT NOT NULL,
    size INTEGER NOT NULL,
    weight INTEGER NOT NULL, -- octets that it counts for when room is made
    attachments INTEGER NOT NULL,
    preview TEXT NOT NULL,
    seen INTEGER NOT NULL DEFAULT 0,
    login TEXT,
    tls TEXT NOT NULL,
    note TEXT NOT NULL,
    transcript TEXT -- JSON: what was said when it came; NULL where messages are kept in memory
);

CREATE INDEX with_attachments ON messages (id) WHERE attachments > 0;

-- What can be searched of it beyond its row.
CREATE TABLE texts (
    id INTEGER PRIMARY KEY,
    text TEXT NOT NULL,
    addressed TEXT NOT NULL, -- To and Cc
    names TEXT NOT NULL -- of the files that it carries
);

-- The octets of messages in pieces, of which each message has one at least. The id is that of the message times 2^20,
-- plus the number of the piece: so the pieces of one message lie side by side and need no second index. A message is
-- first here, and in the tables above a moment later, many at a time.
CREATE TABLE contents (
    id INTEGER PRIMARY KEY,
    facts TEXT, -- with the first piece, JSON: all that is known of the message but what was said
    octets BLOB NOT NULL
);

-- Words to ids. It keeps no text of its own, so that whoever takes a message out must say again what was put in.
CREATE VIRTUAL TABLE search USING fts5 (
    sender, recipients, subject, text, names,
    content = '', columnsize = 0, tokenize = 'unicode61 remove_diacritics 2'
);

-- One row: the highest id ever given (if that of no message is higher), how far `search` has come, how many messages had to make room.
CREATE TABLE state (
    latest INTEGER NOT NULL,
    indexed INTEGER NOT NULL,
    dropped INTEGER NOT NULL
);
INSERT INTO state VALUES (0, 0, 0);
