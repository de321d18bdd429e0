package embedded

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/miroir-search/miroir/api"
)

// opKind is what a task does; finer than the type that clients see.
type opKind string

const (
	opDocuments    opKind = "documents"
	opDeleteIDs    opKind = "deleteIds"
	opDeleteFilter opKind = "deleteFilter"
	opClear        opKind = "clear"
	opSettings     opKind = "settings"
	opCreate       opKind = "create"
	opUpdate       opKind = "update"
	opDrop         opKind = "drop"
	opSwap         opKind = "swap"
	opCancel       opKind = "cancel"
	opDeleteTasks  opKind = "deleteTasks"
	opDump         opKind = "dump"
	opSnapshot     opKind = "snapshot"
	opCompact      opKind = "compact"
	opExport       opKind = "export"
)

// operation is the work of a task.
type operation struct {
	Kind         opKind             `json:"kind"`
	Index        string             `json:"index,omitempty"`
	PrimaryKey   *string            `json:"primaryKey,omitempty"`
	NewIndex     *string            `json:"newIndex,omitempty"`
	Merge        bool               `json:"merge,omitempty"` // PUT: keep the members that are not sent
	SkipCreation bool               `json:"skipCreation,omitempty"`
	AllowCreate  bool               `json:"allowCreate,omitempty"` // a missing index may be made
	IDs          []string           `json:"ids,omitempty"`
	Filter       json.RawMessage    `json:"filter,omitempty"`
	Settings     *api.SettingsPatch `json:"settings,omitempty"`
	Swaps        []api.Swap         `json:"swaps,omitempty"`
	Tasks        []uint32           `json:"tasks,omitempty"`
	Export       *exportOrder       `json:"export,omitempty"`

	docs *documents
}

// record is a task in the queue. It is replaced, never changed, under core.mu.
type record struct {
	task *api.Task
	op   *operation // nil once the task is finished
	// ended is the task as it was when it ended, where it got another name since: its batch still shows that.
	ended *api.Task
}

type storedRecord struct {
	Task  *api.Task  `json:"task"`
	Op    *operation `json:"op,omitempty"`
	Ended *api.Task  `json:"ended,omitempty"`
}

// atEnd is the task as its batch shows it.
func (r *record) atEnd() *api.Task {
	if r.ended != nil {
		return r.ended
	}
	return r.task
}

// enqueue registers a task and, with a store, waits until it is on disk. index is empty for global tasks.
func (c *core) enqueue(kind string, op *operation, details *api.Details, metadata *string) (*api.Task, *api.Error) {
	task := &api.Task{Status: api.Enqueued, Type: kind, Details: details, EnqueuedAt: c.now(), Metadata: metadata}
	if !api.GlobalTaskType(kind) {
		task.IndexUID = &op.Index
	}
	rec := &record{task: task, op: op}
	if c.store == nil {
		c.mu.Lock()
		task.UID = c.nextTask
		c.publish(rec)
		c.mu.Unlock()
		return task, nil
	}
	err := c.store.submit(func(tx *bolt.Tx) error { return saveNewTask(tx, rec) }, func() {
		c.mu.Lock()
		c.publish(rec)
		c.mu.Unlock()
	})
	if errors.Is(err, errStoreStopped) {
		panic(http.ErrAbortHandler) // the node is gone: its connections are cut
	}
	if err != nil {
		return nil, api.Internal(fmt.Sprintf("write task: %v", err))
	}
	return task, nil
}

// publish makes a task visible; c.mu is held.
func (c *core) publish(rec *record) {
	c.records[rec.task.UID] = rec
	c.order = append(c.order, rec.task.UID)
	c.queue = append(c.queue, rec.task.UID)
	c.nextTask = rec.task.UID + 1
	c.poke()
}

// saveNewTask gives the task the next uid, inside the transaction, so that a failed commit leaves no gap.
func saveNewTask(tx *bolt.Tx, rec *record) error {
	meta := tx.Bucket(bucketMeta)
	rec.task.UID = readCounter(meta, metaNextTask)
	if err := meta.Put(metaNextTask, key32(rec.task.UID+1)); err != nil {
		return err
	}
	if rec.op.docs != nil {
		if err := tx.Bucket(bucketPayloads).Put(key32(rec.task.UID), rec.op.docs.encode()); err != nil {
			return err
		}
	}
	return putJSON(tx.Bucket(bucketTasks), key32(rec.task.UID), storedRecord{Task: rec.task, Op: rec.op})
}

// work is the one goroutine that carries out tasks.
func (c *core) work(quit, done chan struct{}) {
	defer close(done)
	for {
		select {
		case <-quit:
			return
		case <-c.wake:
		}
		if c.opt.Window > 0 && c.hasWork() {
			timer := time.NewTimer(c.opt.Window)
			select {
			case <-quit:
				timer.Stop()
				return
			case <-timer.C:
			}
		}
		for {
			group := c.nextGroup()
			if group == nil {
				break
			}
			if !c.run(group) && !rest(quit) {
				return
			}
		}
	}
}

// rest waits until a store that took nothing is tried again; false when the work is to end.
func rest(quit chan struct{}) bool {
	timer := time.NewTimer(retryStore)
	defer timer.Stop()
	select {
	case <-quit:
		return false
	case <-timer.C:
		return true
	}
}

const retryStore = time.Second

func (c *core) hasWork() bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return !c.paused && len(c.waiting()) > 0
}

// waiting lists the tasks that are enqueued, oldest first; c.mu is held.
func (c *core) waiting() []*record {
	out := make([]*record, len(c.queue))
	for i, uid := range c.queue {
		out[i] = c.records[uid]
	}
	return out
}

// maxGroup bounds how many tasks become one change of an index.
const maxGroup = 1000

// nextGroup chooses what to work on, marks it as being worked on and returns it; nil when there is nothing to do.
func (c *core) nextGroup() []*record {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.paused || c.stopping {
		return nil
	}
	all := c.waiting()
	if len(all) == 0 {
		return nil
	}
	group := chooseGroup(all)
	now, batch := c.now(), c.nextBatch
	c.nextBatch++
	c.working = nil
	for i, rec := range group {
		task := *rec.task
		task.Status, task.StartedAt, task.BatchUID = api.Processing, &now, &batch
		group[i] = &record{task: &task, op: rec.op}
		c.records[task.UID] = group[i]
		c.working = append(c.working, task.UID)
	}
	return group
}

// chooseGroup picks tasks in Meilisearch's order of urgency. Neighbouring document tasks of one index go together.
func chooseGroup(all []*record) []*record {
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].op.Kind == opCancel {
			return all[i : i+1 : i+1]
		}
	}
	for _, kind := range []opKind{opDeleteTasks, opCompact, opExport, opSnapshot, opDump} {
		for i, rec := range all {
			if rec.op.Kind == kind {
				return all[i : i+1 : i+1]
			}
		}
	}
	first := all[0]
	group := []*record{first}
	if !first.op.groups() {
		return group
	}
	for _, rec := range all[1:] {
		if rec.op.Index != first.op.Index && rec.op.Kind != opSwap {
			continue // tasks of other indexes may be overtaken
		}
		if !rec.op.groups() || len(group) >= maxGroup {
			break
		}
		group = append(group, rec)
	}
	return group
}

// groups tells whether the operation may become one change with its neighbours.
func (o *operation) groups() bool { return o.Kind == opDocuments || o.Kind == opDeleteIDs }

// run carries out a group and records how it ended. False means that the store took nothing: the group waits again.
func (c *core) run(group []*record) bool {
	ch := newChange(c)
	ch.results = ch.carryOut(group, c.hinder(group))
	now := c.now()
	finished := make([]*record, len(group))
	for i, rec := range group {
		finished[i] = ch.results[i].finish(rec, now)
	}
	if err := c.save(ch, finished); err != nil {
		c.opt.Logger.WithError(err).Error("embedded node cannot write its store")
		ch.undo()
		for i, rec := range group {
			finished[i] = failed(api.Internal(err.Error())).finish(rec, now)
		}
		ch = newChange(c)
		if err := c.save(ch, finished); err != nil { // not even that they failed
			c.enqueueAgain(group)
			return false
		}
	}
	defer c.notify(append(ch.canceled(), finished...))
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, rec := range finished {
		if _, deleted := ch.forget[rec.task.UID]; !deleted {
			c.records[rec.task.UID] = rec
		}
	}
	c.queue = slices.DeleteFunc(c.queue, func(uid uint32) bool { return c.records[uid] == nil || c.records[uid].op == nil })
	c.working = nil
	c.stats.lastUpdate = now
	close(c.changed)
	c.changed = make(chan struct{})
	return true
}

// enqueueAgain lets a group wait as if it had not been begun.
func (c *core) enqueueAgain(group []*record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, rec := range group {
		task := *rec.task
		task.Status, task.StartedAt, task.BatchUID = api.Enqueued, nil, nil
		c.records[task.UID] = &record{task: &task, op: rec.op}
	}
	c.nextBatch--
	c.working = nil
}

// carryOut works on all tasks of a group but those in fail, whose end is known.
func (ch *change) carryOut(group []*record, fail map[uint32]*api.Error) []outcome {
	var open []*record
	for _, rec := range group {
		if fail[rec.task.UID] == nil {
			open = append(open, rec)
		}
	}
	var done []outcome
	if len(open) > 1 && open[0].op.groups() {
		done = ch.groupSafely(open)
	} else {
		for _, rec := range open {
			done = append(done, ch.safely(rec))
		}
	}
	out := make([]outcome, len(group))
	for i, rec := range group {
		if err := fail[rec.task.UID]; err != nil {
			out[i] = failed(err)
			continue
		}
		out[i], done = done[0], done[1:]
	}
	return out
}

// outcome is how a task ended. A nil err is success.
type outcome struct {
	err     *api.Error
	details *api.Details
	// canceledBy is set for a task that was canceled.
	canceledBy *uint32
}

// finish makes the final record of a task.
func (o outcome) finish(rec *record, now time.Time) *record {
	task := *rec.task
	task.FinishedAt, task.Error = &now, o.err
	if task.StartedAt != nil {
		d := api.Duration(now.Sub(*task.StartedAt))
		task.Duration = &d
	}
	if o.details != nil {
		task.Details = o.details
	}
	switch {
	case o.canceledBy != nil:
		task.Status, task.CanceledBy = api.Canceled, o.canceledBy
		task.Details = zeroCounts(task.Details)
	case o.err != nil:
		task.Status = api.Failed
		task.Details = zeroCounts(task.Details)
	default:
		task.Status = api.Succeeded
	}
	return &record{task: &task}
}

// zeroCounts is how details look when nothing came of a task: counts that are still null become 0.
func zeroCounts(d *api.Details) *api.Details {
	if d == nil {
		return nil
	}
	out := *d
	for _, count := range []*api.Opt[uint64]{&out.IndexedDocuments, &out.EditedDocuments, &out.DeletedDocuments,
		&out.CanceledTasks, &out.DeletedTasks} {
		if !count.IsZero() {
			*count = api.Some[uint64](0)
		}
	}
	return &out
}
