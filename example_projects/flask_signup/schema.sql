CREATE TABLE IF NOT EXISTS subscriber (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  address TEXT NOT NULL UNIQUE COLLATE NOCASE,
  created_at TEXT NOT NULL
);

-- One row for each e-mail, written in one transaction with what the e-mail is about.
CREATE TABLE IF NOT EXISTS letter (
  key TEXT PRIMARY KEY,          -- of the job, and for the API: whatever is repeated, one e-mail is sent
  subscriber_id INTEGER NOT NULL REFERENCES subscriber (id) ON DELETE CASCADE,
  kind TEXT NOT NULL,
  created_at TEXT NOT NULL,
  email_id TEXT UNIQUE,          -- PostStack's em_… id, once it has accepted the e-mail
  accepted_at TEXT,
  given_up TEXT                  -- why nobody tries any longer
);

-- What webhooks told. It may be told before the job has stored the em_… id, so this refers to no letter.
CREATE TABLE IF NOT EXISTS event (
  id TEXT PRIMARY KEY,
  email_id TEXT NOT NULL,
  type TEXT NOT NULL,
  at TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS event_email ON event (email_id);
