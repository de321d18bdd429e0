package store

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"
)

// row is one statement to run, with its arguments. Rows are made in the
// goroutine of the caller: the committer is the one place that all writes pass.
type row struct {
	stmt statement
	args []driver.NamedValue
	num  int64  // the number given to a new task or entry
	task *Task  // numbered by this row
	ent  *entry // what an entry row means for numbers and journal
	of   int    // of a key: the row of its task, whose number is the first argument
}

// entry is what the committer needs to know of an Entry beyond its columns.
type entry struct {
	of   *Entry
	task int // the row of the task it belongs to when that has no number yet, else -1
	lsn  int64
	refs [2]Ref
	done bool
}

// encoded is a batch ready to be written.
type encoded struct {
	rows []row
	late *Batch // its deliveries and values are encoded once numbers are known
	// forgets says that rows with the highest numbers may go.
	forgets bool
}

func args(values ...any) []driver.NamedValue {
	out := make([]driver.NamedValue, len(values))
	for i, v := range values {
		out[i] = driver.NamedValue{Ordinal: i + 1, Value: v}
	}
	return out
}

// encode checks b and turns it into rows. Only what is not lazy may have parts
// that wait for numbers.
func encode(b *Batch, now time.Time, lazy bool) (*encoded, error) {
	e := &encoded{rows: make([]row, 0, len(b.Tasks)+len(b.Indexes)+len(b.Entries)+len(b.Deliveries)+
		len(b.Values)+len(b.ForgetIndexes)+4*len(b.ForgetTasks))}
	newTasks, err := e.addTasks(b.Tasks, now)
	if err != nil {
		return nil, err
	}
	for _, x := range b.Indexes {
		e.rows = append(e.rows, indexRow(x))
	}
	if err := e.addEntries(b.Entries, newTasks); err != nil {
		return nil, err
	}
	if !lazy && (b.Numbered != nil || needEntries(b.Deliveries)) {
		e.late = b
	} else if err := e.addLate(b, now); err != nil {
		return nil, err
	}
	for _, s := range b.SwapTaskUIDs {
		e.rows = append(e.rows, row{stmt: swapTaskUIDs, args: args(s.A, s.B, s.Before)})
	}
	for _, id := range b.ForgetIndexes {
		e.rows = append(e.rows, row{stmt: forgetIndex, args: args(id)})
	}
	e.forgets = len(b.ForgetTasks) > 0
	for _, uid := range b.ForgetTasks {
		for _, s := range []statement{forgetDeliveries, forgetEntries, orphanEntries, forgetTask} {
			e.rows = append(e.rows, row{stmt: s, args: args(uid)})
		}
	}
	return e, nil
}

// addTasks returns the rows of the tasks that have no number yet.
func (e *encoded) addTasks(tasks []*Task, now time.Time) (map[*Task]int, error) {
	var fresh map[*Task]int
	for _, t := range tasks {
		if t.UID < 0 {
			if fresh == nil {
				fresh = make(map[*Task]int, len(tasks))
			}
			if _, twice := fresh[t]; twice {
				return nil, fmt.Errorf("%w: a new task is in it twice", ErrRefused)
			}
			fresh[t] = len(e.rows)
		}
		e.rows = append(e.rows, taskRow(t))
		if t.UID < 0 && t.Key != nil {
			e.rows = append(e.rows, keyRows(t, len(e.rows)-1, now)...)
		}
	}
	return fresh, nil
}

// keyRows remember the key of a new task.
func keyRows(t *Task, of int, now time.Time) []row {
	var meta any
	if t.CustomMetadata != nil {
		meta = *t.CustomMetadata
	}
	name := []byte(t.Key.Name)
	return []row{
		{stmt: expireKeys, args: args(name, nanos(now))},
		{stmt: putKey, of: of, args: args(int64(0), name, []byte(t.Key.Request), t.IndexUID, t.Type, meta,
			nanos(t.EnqueuedAt), nanos(t.Key.Expires))},
	}
}

func (e *encoded) addEntries(entries []*Entry, newTasks map[*Task]int) error {
	first := len(e.rows)
	for _, x := range entries {
		r, err := entryRow(x)
		if err != nil {
			return err
		}
		if x.Task != nil {
			at, isNew := newTasks[x.Task]
			switch {
			case isNew:
				r.ent.task = at
			case x.Task.UID < 0:
				return fmt.Errorf("%w: the task of an entry is not in the batch", ErrRefused)
			}
		}
		for _, other := range e.rows[first:] {
			if x.LSN == 0 && other.ent.of == x {
				return fmt.Errorf("%w: a new entry is in it twice", ErrRefused)
			}
		}
		e.rows = append(e.rows, r)
	}
	return nil
}

func needEntries(ds []*Delivery) bool {
	for _, d := range ds {
		if d.Entry != nil {
			return true
		}
	}
	return false
}

// addLate encodes what may depend on numbers.
func (e *encoded) addLate(b *Batch, now time.Time) error {
	for _, d := range b.Deliveries {
		r, err := deliveryRow(d, now)
		if err != nil {
			return err
		}
		e.rows = append(e.rows, r)
	}
	for name, v := range b.Values {
		if len(v) == 0 || string(v) == "null" {
			e.rows = append(e.rows, row{stmt: forgetValue, args: args(name)})
		} else {
			e.rows = append(e.rows, row{stmt: putValue, args: args(name, string(v))})
		}
	}
	return nil
}

func taskRow(t *Task) row {
	var canceledBy, meta any
	if t.CanceledBy != nil {
		canceledBy = *t.CanceledBy
	}
	if t.CustomMetadata != nil {
		meta = *t.CustomMetadata
	}
	r := row{stmt: updateTask, args: args(t.UID, t.IndexUID, t.Type, t.Status, nanos(t.EnqueuedAt),
		nanos(t.StartedAt), nanos(t.FinishedAt), canceledBy, t.IndexID, meta, text(t.Details), text(t.Error))}
	if t.UID < 0 {
		r.stmt, r.task = insertTask, t
	}
	return r
}

func indexRow(x *Index) row {
	return row{stmt: putIndex, args: args(x.ID, x.UID, x.PrimaryKey, int64(x.Shards), nanos(x.CreatedAt),
		nanos(x.UpdatedAt), x.Visible, x.Deleted, text(x.Settings))}
}

func entryRow(x *Entry) (row, error) {
	for _, r := range []Ref{x.Payload, x.Seqs} {
		if !r.IsZero() && (r.Segment == 0 || r.Offset < 0 || r.Length < 0) {
			return row{}, fmt.Errorf("%w: no journal has a record at %+v", ErrRefused, r)
		}
	}
	if x.LSN < 0 {
		return row{}, fmt.Errorf("%w: %d is not an LSN", ErrRefused, x.LSN)
	}
	task := x.TaskUID
	if x.Task != nil {
		task = x.Task.UID
	}
	var nodes any
	if x.Nodes != nil {
		enc, err := json.Marshal(x.Nodes)
		if err != nil {
			return row{}, fmt.Errorf("encode nodes of entry: %w", err)
		}
		nodes = string(enc)
	}
	r := row{stmt: updateEntry, args: args(x.LSN, task, x.IndexID, x.Kind, x.Done,
		int64(x.Payload.Segment), x.Payload.Offset, x.Payload.Length,
		int64(x.Seqs.Segment), x.Seqs.Offset, x.Seqs.Length, nodes, text(x.Params)),
		ent: &entry{of: x, task: -1, lsn: x.LSN, refs: [2]Ref{x.Payload, x.Seqs}, done: x.Done}}
	if x.LSN == 0 {
		r.stmt = insertEntry
	}
	return r, nil
}

func deliveryRow(d *Delivery, now time.Time) (row, error) {
	lsn := d.LSN
	if d.Entry != nil {
		lsn = d.Entry.LSN
	}
	if lsn <= 0 {
		return row{}, fmt.Errorf("%w: a delivery to %s has no entry", ErrRefused, d.NodeID)
	}
	var tasks any
	if d.NodeTasks != nil {
		b := append(make([]byte, 0, 16), '[')
		for i, t := range d.NodeTasks {
			if i > 0 {
				b = append(b, ',')
			}
			b = strconv.AppendInt(b, t, 10)
		}
		tasks = string(append(b, ']'))
	}
	at := d.UpdatedAt
	if at.IsZero() {
		at = now
	}
	return row{stmt: putDelivery, args: args(lsn, d.NodeID, string(d.State), nanos(at), tasks,
		text(d.Details), text(d.Error))}, nil
}

// text is JSON as a column: NULL when there is none.
func text(raw json.RawMessage) any {
	if raw == nil {
		return nil
	}
	return string(raw)
}

// nanos is a time as a column. Dates outside the years that 64 bits of
// nanoseconds cover become the nearest one: clients filter by the year 9999.
func nanos(t time.Time) any {
	switch {
	case t.IsZero():
		return nil
	case t.Year() > 2261:
		return int64(math.MaxInt64)
	case t.Year() < 1679:
		return int64(math.MinInt64)
	}
	return t.UnixNano()
}
