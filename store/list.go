package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// How a page is found, so that a million tasks do not make it slow. The counts
// name every (index, type, status) that has tasks. When the filters leave few
// of those, each is an index range in uid order, and the page is a merge of
// their heads. When they leave many, the tasks that match are dense enough to
// walk all tasks by uid. Dates are nearly in uid order: their index gives the
// uids between which to look.

// maxKinds is the number of index ranges that one page is merged from.
const maxKinds = 64

// listing is a TaskQuery on its way to SQL.
type listing struct {
	q      *TaskQuery
	kinds  clause // on index_uid, type, status
	allow  clause // likewise, but without effect on the total
	others clause // on the other columns, but for the range of uids
	lo, hi int64  // no task outside matches
	dated  int    // how many date columns are filtered
	direct bool   // a list of uids or cancelers leads to the rows
}

// clause is a conjunction with its arguments.
type clause struct {
	sql  []string
	args []any
}

func (c *clause) add(sql string, args ...any) {
	c.sql = append(c.sql, sql)
	c.args = append(c.args, args...)
}

func (c *clause) in(column string, values any) error {
	list, err := json.Marshal(values)
	if err != nil {
		return err
	}
	c.add(column+" IN (SELECT value FROM json_each(?))", string(list))
	return nil
}

// join is the conjunction of clauses; with none it is true.
func join(clauses ...clause) (string, []any) {
	all := clause{sql: []string{"1"}}
	for _, c := range clauses {
		all.sql = append(all.sql, c.sql...)
		all.args = append(all.args, c.args...)
	}
	return strings.Join(all.sql, " AND "), all.args
}

// Tasks implements Store.
func (d *disk) Tasks(ctx context.Context, q *TaskQuery) (*TaskPage, error) {
	tx, err := d.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, fmt.Errorf("list tasks: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // nothing was written
	page, err := listTasks(ctx, tx, q)
	if err != nil {
		return nil, fmt.Errorf("list tasks: %w", err)
	}
	return page, nil
}

// MatchingTasks implements Store.
func (d *disk) MatchingTasks(ctx context.Context, q *TaskQuery) ([]int64, error) {
	tx, err := d.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, fmt.Errorf("find tasks: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // nothing was written
	all := *q
	all.Limit, all.From, all.Reverse = 0, nil, true
	l, err := newListing(&all)
	if err != nil {
		return nil, fmt.Errorf("find tasks: %w", err)
	}
	if _, err := l.clip(ctx, tx); err != nil {
		return nil, fmt.Errorf("find tasks: %w", err)
	}
	if l.lo > l.hi {
		return nil, nil
	}
	uids, err := l.uids(ctx, tx, math.MaxInt64)
	if err != nil {
		return nil, fmt.Errorf("find tasks: %w", err)
	}
	return uids, nil
}

func listTasks(ctx context.Context, tx *sql.Tx, q *TaskQuery) (*TaskPage, error) {
	l, err := newListing(q)
	if err != nil {
		return nil, err
	}
	within, err := l.clip(ctx, tx)
	if err != nil {
		return nil, err
	}
	page := &TaskPage{}
	if page.Total, err = l.total(ctx, tx, within); err != nil {
		return nil, err
	}
	if page.Total > 0 {
		err = l.fill(ctx, tx, page)
	}
	if err == nil {
		err = l.addSwaps(ctx, tx, page)
	}
	return page, err
}

// addSwaps adds to the total the swaps that name one of the indexes asked for. They
// are not listed, as in Meilisearch: they belong to no index.
func (l *listing) addSwaps(ctx context.Context, tx *sql.Tx, page *TaskPage) error {
	if len(l.q.IndexUIDs) == 0 || l.lo > l.hi || len(l.q.Types) > 0 && !slices.Contains(l.q.Types, "indexSwap") {
		return nil
	}
	c := clause{}
	if len(l.q.Statuses) > 0 {
		if err := c.in("status", l.q.Statuses); err != nil {
			return err
		}
	}
	list, err := json.Marshal(l.q.IndexUIDs)
	if err != nil {
		return err
	}
	c.add(`EXISTS (SELECT 1 FROM json_each(details, '$.swaps') s CROSS JOIN json_each(s.value, '$.indexes') i
		WHERE i.value IN (SELECT value FROM json_each(?)))`, string(list))
	where, args := join(l.others, c)
	var n int64
	err = tx.QueryRowContext(ctx, "SELECT count(*) FROM tasks INDEXED BY tasks_by_kind WHERE index_uid = '' AND type = 'indexSwap' AND "+where, args...).Scan(&n)
	if err != nil {
		return fmt.Errorf("count swaps: %w", err)
	}
	page.Total += n
	return nil
}

// fill finds the tasks of a page.
func (l *listing) fill(ctx context.Context, tx *sql.Tx, page *TaskPage) error {
	q := l.q
	limit := int64(max(q.Limit, 0))
	if limit < math.MaxInt64 {
		limit++ // one more tells where the next page starts
	}
	uids, err := l.uids(ctx, tx, limit)
	if err != nil {
		return err
	}
	if int64(len(uids)) == limit {
		next := uids[len(uids)-1]
		page.Next, uids = &next, uids[:len(uids)-1]
	}
	if len(uids) == 0 {
		return nil
	}
	page.From = &uids[0]
	page.Tasks, err = tasksByUID(ctx, tx, uids, q.Reverse)
	return err
}

func newListing(q *TaskQuery) (*listing, error) {
	l := &listing{q: q, lo: 0, hi: math.MaxInt64, direct: len(q.UIDs)+len(q.CanceledBy)+len(q.BatchUIDs) > 0}
	for _, f := range []struct {
		into   *clause
		column string
		n      int
		values any
	}{
		{&l.kinds, "index_uid", len(q.IndexUIDs), q.IndexUIDs},
		{&l.kinds, "type", len(q.Types), q.Types},
		{&l.kinds, "status", len(q.Statuses), q.Statuses},
		{&l.others, "uid", len(q.UIDs), q.UIDs},
		{&l.others, "canceled_by", len(q.CanceledBy), q.CanceledBy},
	} {
		if f.n == 0 {
			continue
		}
		if err := f.into.in(f.column, f.values); err != nil {
			return nil, err
		}
	}
	if len(q.BatchUIDs) > 0 {
		list, err := json.Marshal(q.BatchUIDs)
		if err != nil {
			return nil, err
		}
		l.others.add(`(uid IN (SELECT value FROM json_each(?)) AND status NOT IN ('enqueued', 'canceled') OR
			canceled_by IN (SELECT value FROM json_each(?)))`, string(list), string(list))
	}
	if q.AllowedIndexes != nil && !slices.Contains(q.AllowedIndexes, "*") {
		list, err := json.Marshal(q.AllowedIndexes)
		if err != nil {
			return nil, err
		}
		l.allow.add(`index_uid <> '' AND EXISTS (SELECT 1 FROM json_each(?) p WHERE p.value = index_uid OR
			(substr(p.value, -1) = '*' AND substr(index_uid, 1, length(p.value) - 1) = substr(p.value, 1, length(p.value) - 1)))`,
			string(list))
	}
	return l, nil
}

// clip turns the date filters into clauses and narrows the range of uids. It
// returns how many tasks the last date column leaves.
func (l *listing) clip(ctx context.Context, tx *sql.Tx) (within int64, err error) {
	for _, f := range []struct {
		name          string
		after, before time.Time
	}{
		{"enqueued", l.q.AfterEnqueuedAt, l.q.BeforeEnqueued},
		{"started", l.q.AfterStartedAt, l.q.BeforeStartedAt},
		{"finished", l.q.AfterFinishedAt, l.q.BeforeFinished},
	} {
		var c clause
		if !f.after.IsZero() {
			c.add(f.name+"_at > ?", nanos(f.after))
		}
		if !f.before.IsZero() {
			c.add(f.name+"_at < ?", nanos(f.before))
		}
		if len(c.sql) == 0 {
			continue
		}
		l.dated++
		where, args := join(c)
		l.others.add("("+where+")", args...)
		if l.direct {
			continue
		}
		var lo, hi sql.NullInt64
		err := tx.QueryRowContext(ctx, "SELECT min(uid), max(uid), count(*) FROM tasks INDEXED BY tasks_by_"+f.name+
			" WHERE "+where, args...).Scan(&lo, &hi, &within)
		if err != nil {
			return 0, fmt.Errorf("find dates: %w", err)
		}
		if !lo.Valid {
			l.lo, l.hi = 1, 0
			return 0, nil
		}
		l.lo, l.hi = max(l.lo, lo.Int64), min(l.hi, hi.Int64)
	}
	return within, nil
}

// total counts the tasks that match, whoever asks and wherever the page starts.
func (l *listing) total(ctx context.Context, tx *sql.Tx, within int64) (int64, error) {
	if l.lo > l.hi {
		return 0, nil
	}
	if l.dated == 1 && len(l.kinds.sql) == 0 && !l.direct {
		return within, nil
	}
	var n, matching int64
	kinds, kindArgs := join(l.kinds)
	err := tx.QueryRowContext(ctx, "SELECT coalesce(sum(n), 0) FROM task_counts WHERE "+kinds, kindArgs...).Scan(&matching)
	if err != nil {
		return 0, fmt.Errorf("sum counts: %w", err)
	}
	if matching == 0 || len(l.others.sql) == 0 {
		return matching, nil
	}
	from := "tasks NOT INDEXED"
	on := clause{sql: slices.Concat(l.others.sql, l.kinds.sql), args: slices.Concat(l.others.args, l.kinds.args)}
	switch {
	case l.direct:
		from = "tasks"
	// Looking up a row through the index costs several times as much as passing it by.
	case matching < (l.hi-l.lo)/4:
		from = `(SELECT index_uid i, type y, status s FROM task_counts WHERE n > 0 AND ` + kinds + `)
			CROSS JOIN tasks INDEXED BY tasks_by_kind ON index_uid = i AND type = y AND status = s`
		on = clause{sql: l.others.sql, args: slices.Concat(kindArgs, l.others.args)}
	}
	// The bounds are written out: they stand between arguments of both sides.
	where, args := join(on)
	query := fmt.Sprintf( //nolint:gosec // the parts are constants of ours
		"SELECT count(*) FROM %s WHERE uid BETWEEN %d AND %d AND %s", from, l.lo, l.hi, where)
	if err := tx.QueryRowContext(ctx, query, args...).Scan(&n); err != nil {
		return 0, fmt.Errorf("count: %w", err)
	}
	return n, nil
}

// uids finds the first limit tasks of the page, in its order.
func (l *listing) uids(ctx context.Context, tx *sql.Tx, limit int64) ([]int64, error) {
	lo, hi, order := l.lo, l.hi, " ORDER BY uid DESC LIMIT ?"
	if l.q.Reverse {
		order = " ORDER BY uid LIMIT ?"
	}
	if l.q.From != nil {
		if l.q.Reverse {
			lo = max(lo, *l.q.From)
		} else {
			hi = min(hi, *l.q.From)
		}
	}
	if !l.direct && len(l.kinds.sql)+len(l.allow.sql) > 0 {
		kinds, err := l.kindsLeft(ctx, tx)
		if err != nil {
			return nil, err
		}
		if len(kinds) == 0 {
			return nil, nil
		}
		if len(kinds) <= maxKinds {
			return l.merged(ctx, tx, kinds, lo, hi, order, limit)
		}
	}
	where, args := join(l.others, l.kinds, l.allow)
	query := "SELECT uid FROM tasks NOT INDEXED WHERE uid BETWEEN ? AND ? AND "
	if l.direct {
		query = "SELECT uid FROM tasks WHERE uid BETWEEN ? AND ? AND "
	}
	args = append(append([]any{lo, hi}, args...), limit)
	rows, err := tx.QueryContext(ctx, query+where+order, args...)
	return collect(rows, err, scanUID)
}

// kindsLeft lists the (index, type, status) that the filters leave, but no
// more than tell that there are too many.
func (l *listing) kindsLeft(ctx context.Context, tx *sql.Tx) ([][3]string, error) {
	where, args := join(l.kinds, l.allow)
	rows, err := tx.QueryContext(ctx, "SELECT index_uid, type, status FROM task_counts WHERE n > 0 AND "+where+" LIMIT ?",
		append(args, maxKinds+1)...)
	return collect(rows, err, func(s scanner) (k [3]string, err error) {
		return k, s.Scan(&k[0], &k[1], &k[2])
	})
}

func (l *listing) merged(ctx context.Context, tx *sql.Tx, kinds [][3]string, lo, hi int64, order string, limit int64) ([]int64, error) {
	where, others := join(l.others)
	part := "SELECT uid FROM (SELECT uid FROM tasks INDEXED BY tasks_by_kind WHERE index_uid = ? AND type = ? AND status = ?" +
		" AND uid BETWEEN ? AND ? AND " + where + order + ")"
	parts := make([]string, len(kinds))
	var args []any
	for i, k := range kinds {
		parts[i] = part
		args = append(append(append(args, k[0], k[1], k[2], lo, hi), others...), limit)
	}
	rows, err := tx.QueryContext(ctx, strings.Join(parts, " UNION ALL ")+order, append(args, limit)...)
	return collect(rows, err, scanUID)
}

func scanUID(s scanner) (uid int64, err error) { return uid, s.Scan(&uid) }

func tasksByUID(ctx context.Context, tx *sql.Tx, uids []int64, ascending bool) ([]*Task, error) {
	list, err := json.Marshal(uids)
	if err != nil {
		return nil, err
	}
	order := " ORDER BY t.uid DESC"
	if ascending {
		order = " ORDER BY t.uid"
	}
	rows, err := tx.QueryContext(ctx, "SELECT "+taskColumns+
		" FROM tasks t WHERE t.uid IN (SELECT value FROM json_each(?))"+order, string(list))
	return collect(rows, err, scanTask)
}
