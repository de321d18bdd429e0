package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// statement names a prepared statement of the writer.
type statement int

const (
	beginWrite statement = iota
	commitWrite
	rollbackWrite
	savepoint
	releaseSavepoint
	rollbackSavepoint
	insertTask
	updateTask
	replaceTask
	putIndex
	insertEntry
	updateEntry
	putDelivery
	putValue
	forgetValue
	forgetIndex
	forgetTask
	forgetEntries
	forgetDeliveries
	orphanEntries
	swapTaskUIDs
	expireKeys
	putKey
	putMeta
	statementCount
)

// The parameters are numbered so that several statements share one argument list.
var statements = [statementCount]string{
	beginWrite:        "BEGIN IMMEDIATE",
	commitWrite:       "COMMIT",
	rollbackWrite:     "ROLLBACK",
	savepoint:         "SAVEPOINT batch",
	releaseSavepoint:  "RELEASE batch",
	rollbackSavepoint: "ROLLBACK TO batch",
	insertTask: `INSERT INTO tasks (uid, index_uid, type, status, enqueued_at, started_at, finished_at,
		canceled_by, index_id, custom_metadata, details, error) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12)`,
	// Nearly always only these change, and the indexes of the other columns
	// are then left alone.
	updateTask: `UPDATE tasks SET status = ?4, started_at = ?6, finished_at = ?7, canceled_by = ?8,
		custom_metadata = ?10, details = ?11, error = ?12
		WHERE uid = ?1 AND index_uid = ?2 AND type = ?3 AND enqueued_at IS ?5 AND index_id = ?9`,
	replaceTask: `UPDATE tasks SET index_uid = ?2, type = ?3, status = ?4, enqueued_at = ?5, started_at = ?6,
		finished_at = ?7, canceled_by = ?8, index_id = ?9, custom_metadata = ?10, details = ?11, error = ?12
		WHERE uid = ?1`,
	putIndex: `INSERT INTO indexes (id, uid, primary_key, shards, created_at, updated_at, visible, deleted, settings)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
		ON CONFLICT (id) DO UPDATE SET uid = ?2, primary_key = ?3, shards = ?4, created_at = ?5, updated_at = ?6,
		visible = ?7, deleted = ?8, settings = ?9`,
	insertEntry: `INSERT INTO entries (lsn, task_uid, index_id, kind, done, payload_segment, payload_offset,
		payload_length, seqs_segment, seqs_offset, seqs_length, nodes, params)
		VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13)`,
	updateEntry: `UPDATE entries SET index_id = ?3, kind = ?4, done = ?5, payload_segment = ?6,
		payload_offset = ?7, payload_length = ?8, seqs_segment = ?9, seqs_offset = ?10, seqs_length = ?11,
		nodes = ?12, params = ?13 WHERE lsn = ?1 AND task_uid = ?2`,
	putDelivery: `INSERT INTO deliveries (lsn, node_id, state, updated_at, node_tasks, details, error)
		VALUES (?1,?2,?3,?4,?5,?6,?7)
		ON CONFLICT DO UPDATE SET state = ?3, updated_at = ?4, node_tasks = ?5, details = ?6, error = ?7`,
	putValue:         "INSERT INTO named_values VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = ?2",
	forgetValue:      "DELETE FROM named_values WHERE name = ?1",
	forgetIndex:      "DELETE FROM indexes WHERE id = ?1",
	forgetTask:       "DELETE FROM tasks WHERE uid = ?1",
	forgetDeliveries: "DELETE FROM deliveries WHERE lsn IN (SELECT lsn FROM entries WHERE task_uid = ?1 AND done = 1)",
	forgetEntries:    "DELETE FROM entries WHERE task_uid = ?1 AND done = 1",
	orphanEntries:    "UPDATE entries SET forgotten = 1 WHERE task_uid = ?1",
	swapTaskUIDs: `UPDATE tasks SET index_uid = CASE index_uid WHEN ?1 THEN ?2 ELSE ?1 END
		WHERE uid < ?3 AND index_uid IN (?1, ?2)`,
	// The expired go a few at a time, more of them than come: no commit is slow
	// because many are due.
	expireKeys: `DELETE FROM request_keys WHERE name = ?1 AND expires_at <= ?2 OR name IN
		(SELECT name FROM request_keys WHERE expires_at <= ?2 ORDER BY expires_at LIMIT 4)`,
	putKey: `INSERT INTO request_keys (task_uid, name, request, index_uid, type, custom_metadata, enqueued_at, expires_at)
		VALUES (?1,?2,?3,?4,?5,?6,?7,?8)`,
	putMeta: "UPDATE meta SET value = ?2 WHERE name = ?1",
}

// writer is the one connection that writes. It speaks to the driver itself:
// database/sql costs as much again for statements this small.
type writer struct {
	conn  driver.Conn
	stmts [statementCount]driver.StmtExecContext
}

func openWriter(dsn string) (*writer, error) {
	connector, err := sqlite.NewConnector(dsn)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	conn, err := connector.Connect(context.Background())
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	w := &writer{conn: conn}
	for i, text := range statements {
		s, err := conn.Prepare(text)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("prepare %q: %w", text, err), w.close())
		}
		exec, ok := s.(driver.StmtExecContext)
		if !ok {
			return nil, errors.Join(errors.New("the database driver cannot run prepared statements"), w.close())
		}
		w.stmts[i] = exec
	}
	return w, nil
}

// exec runs a statement and says how many rows it changed.
func (w *writer) exec(s statement, args []driver.NamedValue) (int64, error) {
	res, err := w.stmts[s].ExecContext(context.Background(), args)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (w *writer) close() error {
	for _, s := range w.stmts {
		if c, ok := s.(driver.Stmt); ok {
			_ = c.Close() // the connection goes next
		}
	}
	return w.conn.Close()
}

// refused reports whether the database finds fault with the batch and not
// with the disk.
func refused(err error) bool {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_RANGE:
		return true
	}
	return false
}
