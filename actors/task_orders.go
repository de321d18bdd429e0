package actors

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/messages"
	"github.com/miroir-search/miroir/rawjson"
	"github.com/miroir-search/miroir/store"
)

// Tasks about tasks: cancelations and deletions. They belong to no index and are
// carried out ahead of all that waits: a cancelation at once, a deletion once what it
// is about has ended or took too long for that. One Meilisearch too ends what it works
// on before it deletes, and deletes before it takes on something else. The tasks that they are about are
// found before they are numbered, and recorded with them, so that a restart
// carries on with the same ones.

// taskOrder is what a cancelation or deletion is about, as it is stored.
type taskOrder struct {
	// Tasks are ranges of task uids, ascending, both ends included.
	Tasks [][2]int64 `json:"tasks"`
}

// orderProgress is how far a deletion has come, as it is stored.
type orderProgress struct {
	UpTo int64 `json:"upTo"`
	Done int64 `json:"done"`
}

func orderKey(uid int64) string    { return fmt.Sprintf("task-order/%d", uid) }
func progressKey(uid int64) string { return fmt.Sprintf("task-progress/%d", uid) }

// ordersTasks reports whether tasks of a type are about other tasks.
func ordersTasks(taskType string) bool {
	return taskType == api.TaskCancelation || taskType == api.TaskDeletion
}

// toRanges packs ascending uids.
func toRanges(uids []int64) [][2]int64 {
	out := [][2]int64{}
	for _, uid := range uids {
		if n := len(out); n > 0 && out[n-1][1] == uid-1 {
			out[n-1][1] = uid
			continue
		}
		out = append(out, [2]int64{uid, uid})
	}
	return out
}

// next lists the first n uids above after.
func (o *taskOrder) next(after int64, n int) []int64 {
	var out []int64
	for _, r := range o.Tasks {
		for uid := max(r[0], after+1); uid <= r[1]; uid++ {
			if len(out) == n {
				return out
			}
			out = append(out, uid)
		}
	}
	return out
}

// orderTasks takes a cancelation or deletion, and starts it.
func (c *Cluster) orderTasks(taskType string, sel *messages.TaskSelection, metadata *string, key *store.RequestKey) *messages.TaskAccepted {
	ctx, cancel := c.within(c.opts.WriteTimeout)
	defer cancel()
	t, o, err := c.recordOrder(ctx, taskType, sel, metadata, key)
	if err != nil {
		c.log.WithError(err).Error("a task about tasks was not taken")
		return &messages.TaskAccepted{Err: storeUnavailable(err)}
	}
	answer := &messages.TaskAccepted{Task: summary(t)}
	c.carryOut(t, o)
	return answer
}

// recordOrder finds the tasks that an order is about and makes both durable.
func (c *Cluster) recordOrder(ctx context.Context, taskType string, sel *messages.TaskSelection, metadata *string, key *store.RequestKey) (*store.Task, *taskOrder, error) {
	var uids []int64
	if sel.Query != nil {
		var err error
		if uids, err = c.store.MatchingTasks(ctx, sel.Query); err != nil {
			return nil, nil, err
		}
	}
	about, err := c.worthWorkingOn(ctx, taskType, sel.Query, uids)
	if err != nil {
		return nil, nil, err
	}
	t := &store.Task{Type: taskType, CustomMetadata: metadata, Key: key}
	o, err := c.writeOrder(ctx, t, len(uids), about, sel.Filter)
	return t, o, err
}

// writeOrder makes an order, of which t says what kind it is, durable.
func (c *Cluster) writeOrder(ctx context.Context, t *store.Task, matched int, about []int64, filter string) (*taskOrder, error) {
	d := &api.Details{MatchedTasks: api.Some(uint64(matched)), OriginalFilter: api.Some(filter)} //nolint:gosec // counts are not negative
	if t.Type == api.TaskCancelation {
		d.CanceledTasks = api.NullOpt[uint64]()
	} else {
		d.DeletedTasks = api.NullOpt[uint64]()
	}
	t.UID, t.Status, t.EnqueuedAt, t.Details = -1, api.Enqueued, time.Now().UTC(), mustJSON(d)
	o := &taskOrder{Tasks: toRanges(about)}
	b := &store.Batch{Tasks: []*store.Task{t}, Values: map[string]json.RawMessage{}}
	text := mustJSON(o)
	b.Numbered = func() {
		clear(b.Values) // it may have had another number
		b.Values[orderKey(t.UID)] = text
	}
	return o, c.store.Commit(ctx, b)
}

// worthWorkingOn leaves out of a cancelation the tasks that have ended: there may be
// a million of them.
func (c *Cluster) worthWorkingOn(ctx context.Context, taskType string, q *store.TaskQuery, uids []int64) ([]int64, error) {
	if taskType != api.TaskCancelation || len(uids) == 0 {
		return uids, nil
	}
	open := *q
	open.Statuses = nil
	for _, s := range []string{api.Enqueued, api.Processing} {
		if len(q.Statuses) == 0 || slices.Contains(q.Statuses, s) {
			open.Statuses = append(open.Statuses, s)
		}
	}
	if open.Statuses == nil {
		return nil, nil
	}
	found, err := c.store.MatchingTasks(ctx, &open)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(found, func(uid int64) bool {
		_, matched := slices.BinarySearch(uids, uid)
		return !matched
	}), nil
}

// carryOut begins an order, or goes on with it after a restart.
func (c *Cluster) carryOut(t *store.Task, o *taskOrder) {
	row := c.begun(t)
	if row.Type == api.TaskCancelation {
		c.spawn("cancelation", func() { c.cancelTasks(row, o) }, nil)
		return
	}
	c.spawn("task deletion", func() { c.deleteTasks(row, o) }, nil)
}

// begun shows that an order is being worked on.
func (c *Cluster) begun(t *store.Task) *store.Task {
	row := *t
	if row.StartedAt.IsZero() {
		row.Status, row.StartedAt = api.Processing, time.Now().UTC()
		c.store.CommitLazily(&store.Batch{Tasks: []*store.Task{&row}})
	}
	return &row
}

// resumeOrders goes on with the orders that the last run left.
func (c *Cluster) resumeOrders(ctx context.Context) error {
	st, err := c.store.Load(ctx)
	if err != nil {
		return fmt.Errorf("read the store: %w", err)
	}
	for _, t := range st.Tasks {
		if !ordersTasks(t.Type) {
			continue
		}
		o := &taskOrder{}
		raw, err := c.store.Value(ctx, orderKey(t.UID))
		if err == nil {
			err = json.Unmarshal(raw, o)
		}
		if err != nil {
			return fmt.Errorf("read what task %d is about: %w", t.UID, err)
		}
		c.carryOut(t, o)
	}
	return nil
}

// orderChunk is how many tasks are looked at in one step.
const orderChunk = 500

// cancelTasks cancels what no node has been handed of the tasks of an order.
func (c *Cluster) cancelTasks(t *store.Task, o *taskOrder) {
	wanted := map[string]map[int64]bool{}
	c.eachChunk(o, -1, func(uids []int64) error {
		page, err := c.store.Tasks(c.ctx, &store.TaskQuery{UIDs: uids, Statuses: []string{api.Enqueued, api.Processing}, Limit: len(uids)})
		if err != nil {
			return err
		}
		for _, open := range page.Tasks {
			if ordersTasks(open.Type) {
				continue // under way already
			}
			if wanted[open.IndexID] == nil {
				wanted[open.IndexID] = map[int64]bool{}
			}
			wanted[open.IndexID][open.UID] = true
		}
		return nil
	})
	if c.ctx.Err() != nil {
		return
	}
	if len(wanted) == 0 {
		c.endCancelation(t)
		return
	}
	by := t.UID
	c.retractTasks(wanted, &by, func() {
		if c.ctx.Err() == nil {
			c.spawn("end of a cancelation", func() { c.endCancelation(t) }, nil)
		}
	})
}

// endCancelation ends a cancelation by counting what it has done.
func (c *Cluster) endCancelation(t *store.Task) {
	c.untilDone("count canceled tasks", func() error {
		page, err := c.store.Tasks(c.ctx, &store.TaskQuery{CanceledBy: []int64{t.UID}, Limit: 1})
		if err != nil {
			return err
		}
		return c.endOrder(t, "canceledTasks", page.Total)
	})
}

// deleteTasks forgets the tasks of an order that have ended, a few at a time, so
// that writes need not wait.
func (c *Cluster) deleteTasks(t *store.Task, o *taskOrder) {
	at := orderProgress{UpTo: -1}
	c.untilDone("read how far a task deletion came", func() error {
		raw, err := c.store.Value(c.ctx, progressKey(t.UID))
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		return json.Unmarshal(raw, &at)
	})
	c.awaitEnds(o)
	c.eachChunk(o, at.UpTo, func(uids []int64) error {
		page, err := c.store.Tasks(c.ctx, &store.TaskQuery{UIDs: uids, Statuses: endedStatuses, Limit: len(uids)})
		if err != nil {
			return err
		}
		next := orderProgress{UpTo: uids[len(uids)-1], Done: at.Done + int64(len(page.Tasks))}
		b := &store.Batch{Values: map[string]json.RawMessage{progressKey(t.UID): mustJSON(next)}}
		for _, ended := range page.Tasks {
			b.ForgetTasks = append(b.ForgetTasks, ended.UID)
		}
		if err := c.store.Commit(c.ctx, b); err != nil {
			return err
		}
		at = next
		return nil
	})
	c.untilDone("end a task deletion", func() error { return c.endOrder(t, "deletedTasks", at.Done) })
}

// How long a deletion waits for tasks that have not ended, and how often it looks.
const (
	deletionPatience = 2 * time.Second
	deletionLooks    = 20 * time.Millisecond
)

// awaitEnds waits a moment for the tasks of an order to end.
func (c *Cluster) awaitEnds(o *taskOrder) {
	late := time.Now().Add(deletionPatience)
	c.eachChunk(o, -1, func(uids []int64) error {
		for time.Now().Before(late) && c.ctx.Err() == nil {
			page, err := c.store.Tasks(c.ctx, &store.TaskQuery{UIDs: uids, Statuses: []string{api.Enqueued, api.Processing}, Limit: len(uids)})
			if err != nil {
				return err
			}
			if !slices.ContainsFunc(page.Tasks, func(t *store.Task) bool { return !ordersTasks(t.Type) }) {
				return nil
			}
			select {
			case <-time.After(deletionLooks):
			case <-c.ctx.Done():
			}
		}
		return nil
	})
}

// endOrder makes the end of an order durable.
func (c *Cluster) endOrder(t *store.Task, count string, n int64) error {
	row := *t
	row.Status, row.FinishedAt = api.Succeeded, time.Now().UTC()
	row.Details = rawjson.Set(nil, row.Details, count, mustJSON(n))
	err := c.store.Commit(c.ctx, &store.Batch{
		Tasks: []*store.Task{&row}, Values: map[string]json.RawMessage{orderKey(t.UID): nil, progressKey(t.UID): nil},
	})
	if err == nil {
		c.metrics.tasks.WithLabelValues(row.Status).Inc()
	}
	return err
}

// eachChunk hands f the uids of an order above after, chunk by chunk, each until it
// succeeds or the cluster ends.
func (c *Cluster) eachChunk(o *taskOrder, after int64, f func(uids []int64) error) {
	for c.ctx.Err() == nil {
		uids := o.next(after, orderChunk)
		if len(uids) == 0 {
			return
		}
		after = uids[len(uids)-1]
		c.untilDone("work on a task about tasks", func() error { return f(uids) })
	}
}

// untilDone tries f until it succeeds or the cluster ends.
func (c *Cluster) untilDone(what string, f func() error) {
	for c.ctx.Err() == nil {
		err := f()
		if err == nil || c.ctx.Err() != nil {
			return
		}
		c.log.WithError(err).Errorf("cannot %s; trying again", what)
		select {
		case <-time.After(time.Second):
		case <-c.ctx.Done():
		}
	}
}
