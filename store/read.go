package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"
)

// queries are the prepared reads.
type queries struct {
	task, key, value, values, taskEntries, taskDeliveries *sql.Stmt
}

const (
	taskColumns = `t.uid, t.index_uid, t.type, t.status, t.enqueued_at, t.started_at, t.finished_at,
		t.canceled_by, t.index_id, t.custom_metadata, t.details, t.error`
	entryColumns = `e.lsn, e.task_uid, e.index_id, e.kind, e.done, e.payload_segment, e.payload_offset,
		e.payload_length, e.seqs_segment, e.seqs_offset, e.seqs_length, e.nodes, e.params`
	deliveryColumns = `d.lsn, d.node_id, d.state, d.updated_at, d.node_tasks, d.details, d.error`
)

func prepareQueries(ctx context.Context, db *sql.DB) (queries, error) {
	var q queries
	for _, p := range []struct {
		into **sql.Stmt
		text string
	}{
		{&q.task, "SELECT " + taskColumns + " FROM tasks t WHERE t.uid = ?"},
		{&q.key, "SELECT request, task_uid, index_uid, type, custom_metadata, enqueued_at, expires_at FROM request_keys WHERE name = ?"},
		{&q.value, "SELECT value FROM named_values WHERE name = ?"},
		{&q.values, "SELECT name, value FROM named_values WHERE name >= ?1 AND substr(name, 1, length(?1)) = ?1"},
		{&q.taskEntries, "SELECT " + entryColumns + " FROM entries e WHERE e.task_uid = ? ORDER BY e.lsn"},
		{&q.taskDeliveries, "SELECT " + deliveryColumns + ` FROM entries e CROSS JOIN deliveries d ON d.lsn = e.lsn
			WHERE e.task_uid = ? ORDER BY d.lsn, d.node_id`},
	} {
		s, err := db.PrepareContext(ctx, p.text)
		if err != nil {
			q.close()
			return queries{}, fmt.Errorf("prepare %q: %w", p.text, err)
		}
		*p.into = s
	}
	return q, nil
}

func (q *queries) close() {
	for _, s := range []*sql.Stmt{q.task, q.key, q.value, q.values, q.taskEntries, q.taskDeliveries} {
		if s != nil {
			_ = s.Close() // the connections go next
		}
	}
}

// Task implements Store.
func (d *disk) Task(ctx context.Context, uid int64) (*Task, error) {
	t, err := scanTask(d.queries.task.QueryRowContext(ctx, uid))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("task %d: %w", uid, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("read task %d: %w", uid, err)
	}
	return t, nil
}

// RequestKey implements Store.
func (d *disk) RequestKey(ctx context.Context, name string) (*RequestKey, error) {
	k := &RequestKey{Name: name, Task: &Task{}}
	var request []byte
	var enqueued, expires sql.NullInt64
	err := d.queries.key.QueryRowContext(ctx, []byte(name)).Scan(&request, &k.Task.UID, &k.Task.IndexUID, &k.Task.Type,
		&k.Task.CustomMetadata, &enqueued, &expires)
	k.Request, k.Task.EnqueuedAt, k.Expires = string(request), moment(enqueued), moment(expires)
	switch {
	case errors.Is(err, sql.ErrNoRows), err == nil && !k.Expires.After(d.opts.Now()):
		return nil, fmt.Errorf("request key: %w", ErrNotFound)
	case err != nil:
		return nil, fmt.Errorf("read request key: %w", err)
	}
	return k, nil
}

// Value implements Store.
func (d *disk) Value(ctx context.Context, name string) (json.RawMessage, error) {
	var v []byte
	err := d.queries.value.QueryRowContext(ctx, name).Scan(&v)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("value %q: %w", name, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("read value %q: %w", name, err)
	}
	return v, nil
}

// Values implements Store.
func (d *disk) Values(ctx context.Context, prefix string) (map[string]json.RawMessage, error) {
	out := map[string]json.RawMessage{}
	rows, err := d.queries.values.QueryContext(ctx, prefix)
	err = each(rows, err, func() error {
		var name string
		var v []byte
		err := rows.Scan(&name, &v)
		out[name] = v
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read values %q*: %w", prefix, err)
	}
	return out, nil
}

// Parts implements Store.
func (d *disk) Parts(ctx context.Context, taskUID int64) ([]*Entry, []*Delivery, error) {
	// Without a transaction a delivery might belong to an entry that came
	// between the two queries.
	tx, err := d.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, nil, fmt.Errorf("read parts of task %d: %w", taskUID, err)
	}
	defer tx.Rollback() //nolint:errcheck // nothing was written
	rows, err := tx.StmtContext(ctx, d.queries.taskEntries).QueryContext(ctx, taskUID)
	entries, err := collect(rows, err, scanEntry)
	if err != nil {
		return nil, nil, fmt.Errorf("read entries of task %d: %w", taskUID, err)
	}
	rows, err = tx.StmtContext(ctx, d.queries.taskDeliveries).QueryContext(ctx, taskUID)
	deliveries, err := collect(rows, err, scanDelivery)
	if err != nil {
		return nil, nil, fmt.Errorf("read deliveries of task %d: %w", taskUID, err)
	}
	return entries, deliveries, nil
}

// Load implements Store.
func (d *disk) Load(ctx context.Context) (*State, error) {
	tx, err := d.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // nothing was written
	s := &State{}
	rows, err := tx.QueryContext(ctx, `SELECT id, uid, primary_key, shards, created_at, updated_at,
		visible, deleted, settings FROM indexes ORDER BY created_at, id`)
	if s.Indexes, err = collect(rows, err, scanIndex); err != nil {
		return nil, fmt.Errorf("load indexes: %w", err)
	}
	rows, err = tx.QueryContext(ctx, "SELECT "+entryColumns+` FROM entries e INDEXED BY entries_open
		WHERE e.done = 0 ORDER BY e.lsn`)
	if s.Entries, err = collect(rows, err, scanEntry); err != nil {
		return nil, fmt.Errorf("load entries: %w", err)
	}
	rows, err = tx.QueryContext(ctx, "SELECT "+deliveryColumns+` FROM entries e INDEXED BY entries_open
		CROSS JOIN deliveries d ON d.lsn = e.lsn WHERE e.done = 0 ORDER BY d.lsn, d.node_id`)
	if s.Deliveries, err = collect(rows, err, scanDelivery); err != nil {
		return nil, fmt.Errorf("load deliveries: %w", err)
	}
	// The counts lead straight to the few unfinished ones.
	rows, err = tx.QueryContext(ctx, "SELECT "+taskColumns+` FROM task_counts c
		CROSS JOIN tasks t INDEXED BY tasks_by_kind
			ON t.index_uid = c.index_uid AND t.type = c.type AND t.status = c.status
		WHERE c.n > 0 AND c.status NOT IN ('succeeded', 'failed', 'canceled') ORDER BY t.uid`)
	if s.Tasks, err = collect(rows, err, scanTask); err != nil {
		return nil, fmt.Errorf("load tasks: %w", err)
	}
	n, _, err := loadNumbers(ctx, tx)
	if err != nil {
		return nil, err
	}
	s.LastLSN, s.LastTask = n.lsn, n.task
	return s, nil
}

// loadPins reads what the entries that are not done need of the journal.
func loadPins(ctx context.Context, db *sql.DB) ([]pinned, error) {
	rows, err := db.QueryContext(ctx, "SELECT "+entryColumns+" FROM entries e INDEXED BY entries_open WHERE e.done = 0")
	entries, err := collect(rows, err, scanEntry)
	if err != nil {
		return nil, fmt.Errorf("read what needs the journal: %w", err)
	}
	pins := make([]pinned, len(entries))
	for i, e := range entries {
		pins[i] = pinned{lsn: e.LSN, refs: [2]Ref{e.Payload, e.Seqs}}
	}
	return pins, nil
}

// scanner is a *sql.Row or *sql.Rows.
type scanner interface{ Scan(into ...any) error }

// each calls f for every row and closes rows.
func each(rows *sql.Rows, err error, f func() error) error {
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // Err below says what matters
	for rows.Next() {
		if err := f(); err != nil {
			return err
		}
	}
	return rows.Err()
}

func collect[T any](rows *sql.Rows, err error, scan func(scanner) (T, error)) ([]T, error) {
	var out []T
	err = each(rows, err, func() error {
		v, err := scan(rows)
		out = append(out, v)
		return err
	})
	return out, err
}

func scanTask(s scanner) (*Task, error) {
	t := &Task{}
	var at [3]sql.NullInt64
	var details, failure []byte
	if err := s.Scan(&t.UID, &t.IndexUID, &t.Type, &t.Status, &at[0], &at[1], &at[2], &t.CanceledBy,
		&t.IndexID, &t.CustomMetadata, &details, &failure); err != nil {
		return nil, err
	}
	t.EnqueuedAt, t.StartedAt, t.FinishedAt = moment(at[0]), moment(at[1]), moment(at[2])
	t.Details, t.Error = details, failure
	return t, nil
}

func scanEntry(s scanner) (*Entry, error) {
	e := &Entry{}
	var nodes, params []byte
	if err := s.Scan(&e.LSN, &e.TaskUID, &e.IndexID, &e.Kind, &e.Done,
		&e.Payload.Segment, &e.Payload.Offset, &e.Payload.Length,
		&e.Seqs.Segment, &e.Seqs.Offset, &e.Seqs.Length, &nodes, &params); err != nil {
		return nil, err
	}
	e.Params = params
	if nodes != nil {
		if err := json.Unmarshal(nodes, &e.Nodes); err != nil {
			return nil, fmt.Errorf("nodes of entry %d: %w", e.LSN, err)
		}
	}
	return e, nil
}

func scanDelivery(s scanner) (*Delivery, error) {
	d := &Delivery{}
	var at sql.NullInt64
	var tasks, details, failure []byte
	if err := s.Scan(&d.LSN, &d.NodeID, &d.State, &at, &tasks, &details, &failure); err != nil {
		return nil, err
	}
	d.UpdatedAt, d.Details, d.Error = moment(at), details, failure
	if tasks != nil {
		if err := json.Unmarshal(tasks, &d.NodeTasks); err != nil {
			return nil, fmt.Errorf("node tasks of delivery %d: %w", d.LSN, err)
		}
	}
	return d, nil
}

func scanIndex(s scanner) (*Index, error) {
	x := &Index{}
	var at [2]sql.NullInt64
	var settings []byte
	if err := s.Scan(&x.ID, &x.UID, &x.PrimaryKey, &x.Shards, &at[0], &at[1], &x.Visible, &x.Deleted,
		&settings); err != nil {
		return nil, err
	}
	x.CreatedAt, x.UpdatedAt, x.Settings = moment(at[0]), moment(at[1]), settings
	return x, nil
}

// moment is the opposite of nanos.
func moment(n sql.NullInt64) time.Time {
	if !n.Valid || n.Int64 == math.MinInt64 {
		return time.Time{}
	}
	return time.Unix(0, n.Int64).UTC()
}
