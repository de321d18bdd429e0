package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"fmt"
)

// migrations bring a database from one version to the next; the version is the
// number of them that were carried out. They are never changed, only added to.
//
// Times are nanoseconds since 1970 in UTC, NULL for none. JSON is text. A task
// without an index has the index uid "".
//
// task_counts is kept by triggers, so that totals cost nothing and can never
// disagree with the rows, whatever is rolled back.
var migrations = []string{`
CREATE TABLE meta (
	name  TEXT PRIMARY KEY,
	value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE named_values (
	name  TEXT PRIMARY KEY,
	value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE indexes (
	id          TEXT PRIMARY KEY,
	uid         TEXT NOT NULL,
	primary_key TEXT NOT NULL,
	shards      INTEGER NOT NULL,
	created_at  INTEGER,
	updated_at  INTEGER,
	visible     INTEGER NOT NULL,
	deleted     INTEGER NOT NULL,
	settings    TEXT
) WITHOUT ROWID;

CREATE TABLE tasks (
	uid             INTEGER PRIMARY KEY,
	index_uid       TEXT NOT NULL,
	type            TEXT NOT NULL,
	status          TEXT NOT NULL,
	enqueued_at     INTEGER,
	started_at      INTEGER,
	finished_at     INTEGER,
	canceled_by     INTEGER,
	index_id        TEXT NOT NULL,
	custom_metadata TEXT,
	details         TEXT,
	error           TEXT
);
CREATE INDEX tasks_by_kind ON tasks (index_uid, type, status);
CREATE INDEX tasks_by_enqueued ON tasks (enqueued_at) WHERE enqueued_at IS NOT NULL;
CREATE INDEX tasks_by_started ON tasks (started_at) WHERE started_at IS NOT NULL;
CREATE INDEX tasks_by_finished ON tasks (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX tasks_by_canceler ON tasks (canceled_by) WHERE canceled_by IS NOT NULL;

CREATE TABLE task_counts (
	index_uid TEXT NOT NULL,
	type      TEXT NOT NULL,
	status    TEXT NOT NULL,
	n         INTEGER NOT NULL,
	PRIMARY KEY (index_uid, type, status)
) WITHOUT ROWID;
CREATE TRIGGER task_added AFTER INSERT ON tasks BEGIN
	INSERT INTO task_counts VALUES (new.index_uid, new.type, new.status, 1)
		ON CONFLICT DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER task_removed AFTER DELETE ON tasks BEGIN
	UPDATE task_counts SET n = n - 1
		WHERE index_uid = old.index_uid AND type = old.type AND status = old.status;
END;
CREATE TRIGGER task_moved AFTER UPDATE OF index_uid, type, status ON tasks
WHEN old.status <> new.status OR old.index_uid <> new.index_uid OR old.type <> new.type BEGIN
	UPDATE task_counts SET n = n - 1
		WHERE index_uid = old.index_uid AND type = old.type AND status = old.status;
	INSERT INTO task_counts VALUES (new.index_uid, new.type, new.status, 1)
		ON CONFLICT DO UPDATE SET n = n + 1;
END;

CREATE TABLE entries (
	lsn             INTEGER PRIMARY KEY,
	task_uid        INTEGER NOT NULL,
	index_id        TEXT NOT NULL,
	kind            TEXT NOT NULL,
	done            INTEGER NOT NULL,
	payload_segment INTEGER NOT NULL,
	payload_offset  INTEGER NOT NULL,
	payload_length  INTEGER NOT NULL,
	seqs_segment    INTEGER NOT NULL,
	seqs_offset     INTEGER NOT NULL,
	seqs_length     INTEGER NOT NULL,
	nodes           TEXT,
	params          TEXT,
	forgotten       INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX entries_by_task ON entries (task_uid);
CREATE INDEX entries_open ON entries (lsn) WHERE done = 0;
CREATE INDEX entries_forgotten ON entries (lsn) WHERE forgotten = 1;

CREATE TABLE deliveries (
	lsn        INTEGER NOT NULL,
	node_id    TEXT NOT NULL,
	state      TEXT NOT NULL,
	updated_at INTEGER,
	node_tasks TEXT,
	details    TEXT,
	error      TEXT,
	PRIMARY KEY (lsn, node_id)
) WITHOUT ROWID;
`, `
CREATE TABLE request_keys (
	name            BLOB PRIMARY KEY,
	request         BLOB NOT NULL,
	task_uid        INTEGER NOT NULL,
	index_uid       TEXT NOT NULL,
	type            TEXT NOT NULL,
	custom_metadata TEXT,
	enqueued_at     INTEGER,
	expires_at      INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX request_keys_by_expiry ON request_keys (expires_at);
`}

// applicationID marks the database file as one of ours ("MIRO").
const applicationID = 0x4d49524f

// migrate brings the database up to date and reports whether it is new.
// Everything happens in one transaction: a crash leaves no half store.
func migrate(ctx context.Context, db *sql.DB, now int64) (fresh bool, err error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return false, fmt.Errorf("begin: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // does nothing after Commit
	var version int
	if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return false, fmt.Errorf("read schema version: %w", err)
	}
	if version > len(migrations) {
		return false, fmt.Errorf("the store has schema version %d and this Miroir knows only %d: "+
			"start the newer Miroir that wrote it, or restore a backup", version, len(migrations))
	}
	if version == len(migrations) {
		return false, nil
	}
	for i, m := range migrations[version:] {
		if _, err := tx.ExecContext(ctx, m); err != nil {
			return false, fmt.Errorf("migrate to schema version %d: %w", version+i+1, err)
		}
	}
	if version == 0 {
		if err := create(ctx, tx, now); err != nil {
			return false, err
		}
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", len(migrations))); err != nil {
		return false, fmt.Errorf("set schema version: %w", err)
	}
	return version == 0, tx.Commit()
}

// create fills in what a store keeps for ever.
func create(ctx context.Context, tx *sql.Tx, now int64) error {
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		return fmt.Errorf("make cluster id: %w", err)
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO meta VALUES ('cluster_id', ?), ('created_at', ?),
		('last_lsn', '0'), ('last_task', '-1'), ('last_segment', '0'), ('probe', '')`,
		hex.EncodeToString(id), now)
	if err != nil {
		return fmt.Errorf("write cluster id: %w", err)
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d", applicationID)); err != nil {
		return fmt.Errorf("mark database: %w", err)
	}
	return nil
}

// numbers are what the store counts.
type numbers struct {
	lsn, task int64 // the last ones given
	segment   uint32
}

func loadNumbers(ctx context.Context, db querier) (n numbers, clusterID string, err error) {
	// Rows may have been forgotten, so their maximum alone would give numbers twice.
	err = db.QueryRowContext(ctx, `SELECT
		max((SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'last_lsn'), coalesce((SELECT max(lsn) FROM entries), 0)),
		max((SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'last_task'), coalesce((SELECT max(uid) FROM tasks), -1)),
		(SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'last_segment'),
		(SELECT value FROM meta WHERE name = 'cluster_id')`).Scan(&n.lsn, &n.task, &n.segment, &clusterID)
	if err != nil {
		return n, "", fmt.Errorf("read what was counted: %w", err)
	}
	return n, clusterID, nil
}

// querier is a database or a transaction in it.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}
