package actors

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/messages"
	"github.com/miroir-search/miroir/payload"
	"github.com/miroir-search/miroir/quorum"
	"github.com/miroir-search/miroir/rawjson"
	"github.com/miroir-search/miroir/store"
	"github.com/miroir-search/miroir/topology"
)

// startWrite begins a coordinator's one write.
type startWrite struct {
	msg   any // one of messages/writes.go
	key   *heldKey
	reply func(*messages.TaskAccepted)
}

// writeDeadline is the coordinator's own timer.
type writeDeadline struct{}

// writeCoordinator takes one client write from its validation to the answer. It
// lives for that write only and is never restarted.
type writeCoordinator struct {
	c     *Cluster
	reply func(*messages.TaskAccepted)
	key   *heldKey // until it is known what became of the write
	timer *time.Timer
	// unlink takes the coordinator off the cluster's end.
	unlink func() bool

	w        *write
	task     *store.Task
	tallies  []*tally
	answered bool
	resolves int
	// withdrawn says that the sequencer was asked to forget the write.
	withdrawn bool
}

// tally counts the replies to one entry of the write.
type tally struct {
	lsn     int64
	table   *topology.Table
	count   *quorum.Write
	unknown bool // some node may have taken it
	refusal error
}

func (w *writeCoordinator) Receive(ctx actor.Context) {
	w.c.guard("write coordinator", func() { w.receive(ctx) }, func(any) {
		w.answer(&messages.TaskAccepted{Err: api.Internal("the write was interrupted; whether it was taken is unknown")})
	})
}

func (w *writeCoordinator) receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *startWrite:
		w.reply, w.key = m.reply, m.key
		self := ctx.Self()
		w.timer = time.AfterFunc(w.c.opts.WriteTimeout, func() { w.c.tell(self, &writeDeadline{}) })
		w.unlink = context.AfterFunc(w.c.ctx, func() { w.c.tell(self, &writeDeadline{}) })
		if e, ok := m.msg.(*messages.EditDocuments); ok {
			w.check(self, e)
			return
		}
		w.start(ctx, m.msg)
	case *editChecked:
		if m.err != nil {
			w.finish(ctx, &messages.TaskAccepted{Err: m.err})
			return
		}
		w.start(ctx, m.msg)
	case *resolveAgain:
		w.again(ctx, m)
	case *unsequenced:
		w.discard()
		w.finish(ctx, &messages.TaskAccepted{Err: m.err})
	case *sequenced:
		w.onSequenced(ctx, m)
	case *deliveryReport:
		w.onReport(ctx, m)
	case *writeDeadline:
		w.onDeadline(ctx)
	case *actor.Stopped:
		if w.reply == nil {
			return // stopped before it began
		}
		defer w.c.keys.release(w.key)
		w.leaveIndex()
		w.timer.Stop()
		w.unlink()
		w.answer(&messages.TaskAccepted{Err: api.Internal("Miroir is stopping; whether the write was taken is unknown")})
	}
}

func (w *writeCoordinator) answer(a *messages.TaskAccepted) {
	if w.answered {
		return
	}
	w.answered = true
	w.reply(a)
}

func (w *writeCoordinator) finish(ctx actor.Context, a *messages.TaskAccepted) {
	w.answer(a)
	ctx.Stop(ctx.Self())
}

// start validates the write and sends it to the sequencer of its index.
func (w *writeCoordinator) start(ctx actor.Context, msg any) {
	wr, apiErr := w.c.newWrite(msg)
	if apiErr == nil {
		w.w, wr.key = wr, w.key.row()
		apiErr = w.c.place(wr)
	}
	if apiErr == nil {
		apiErr = w.c.journal(wr)
	}
	if apiErr != nil {
		w.discard()
		w.finish(ctx, &messages.TaskAccepted{Err: apiErr})
		return
	}
	wr.coordinator = ctx.Self()
	w.submit()
}

// check has a node look at a function first.
func (w *writeCoordinator) check(self *actor.PID, m *messages.EditDocuments) {
	c, res := w.c, &editChecked{msg: m, err: api.Internal("the look at the function ended without a result")}
	c.spawn("edit check", func() {
		defer func() { c.tell(self, res) }()
		res.err = c.checkFunction(m)
	}, nil)
}

// discard lets go of a payload that no entry has taken.
func (w *writeCoordinator) discard() {
	if w.w != nil && !w.w.payload.IsZero() {
		w.c.store.Journal().Discard(w.w.payload)
	}
}

// leaveIndex tells the registry that this write needs the index no longer.
func (w *writeCoordinator) leaveIndex() {
	if w.w != nil && w.w.handle != nil {
		w.c.registry.leave(w.w.uid, w.w.handle)
	}
}

func (w *writeCoordinator) submit() {
	if w.w.handle == nil {
		// No index, no order: the task fails by itself.
		w.c.failAlone(w.w)
		return
	}
	w.c.tell(w.c.root, &toSequencer{handle: w.w.handle, msg: w.w})
}

// maxResolves is how often a write, or a swap, follows its index to another name.
// Each time somebody else got ahead; only a fault of ours could do that so often.
const maxResolves = 1000

// again follows an index that moved, or a primary key that was decided since.
func (w *writeCoordinator) again(ctx actor.Context, m *resolveAgain) {
	if w.answered {
		w.discard()
		ctx.Stop(ctx.Self()) // nobody waits for it
		return
	}
	if w.resolves++; w.resolves > maxResolves {
		w.discard()
		w.finish(ctx, &messages.TaskAccepted{Err: api.Internal("the index changes too fast; the write was not taken")})
		return
	}
	if m.moved {
		w.leaveIndex()
		w.w.handle = nil
	}
	w.w.fail, w.w.assumedPK, w.w.checked = nil, "", nil
	err := w.c.place(w.w)
	if err == nil {
		err = w.c.journal(w.w)
	}
	if err != nil {
		w.discard()
		w.finish(ctx, &messages.TaskAccepted{Err: err})
		return
	}
	w.submit()
}

func (w *writeCoordinator) onSequenced(ctx actor.Context, m *sequenced) {
	w.task = m.task
	if w.w.stored {
		w.discard() // unless an entry has taken it
	}
	if w.answered {
		ctx.Stop(ctx.Self())
		return
	}
	for _, e := range m.entries {
		if len(e.row.Nodes) == 0 {
			continue // nobody is asked
		}
		w.tallies = append(w.tallies, &tally{lsn: e.row.LSN, table: e.table, count: quorum.NewWrite(e.table, e.need)})
	}
	w.conclude(ctx)
}

func (w *writeCoordinator) onReport(ctx actor.Context, m *deliveryReport) {
	for _, t := range w.tallies {
		if t.lsn != m.lsn {
			continue
		}
		switch m.report {
		case reportAccepted:
			t.unknown = true
			t.count.Add(m.node, quorum.Accepted)
		case reportRefused:
			t.refusal = m.err
			t.count.Add(m.node, quorum.Refused)
		case reportUnknown:
			t.unknown = true
			t.count.Add(m.node, quorum.Failed)
		case reportMissed:
			t.count.Add(m.node, quorum.Failed)
		}
	}
	w.conclude(ctx)
}

// conclude answers once every group is decided for every entry.
func (w *writeCoordinator) conclude(ctx actor.Context) {
	for _, t := range w.tallies {
		if !t.count.Decided() {
			return
		}
	}
	w.decide(ctx)
}

// withdrawWait is how long a sequencer has to answer that a write still waited.
const withdrawWait = 500 * time.Millisecond

func (w *writeCoordinator) onDeadline(ctx actor.Context) {
	if w.answered {
		if w.c.ctx.Err() != nil {
			ctx.Stop(ctx.Self())
		}
		return
	}
	if w.task == nil && !w.withdrawn && w.w != nil && w.w.handle != nil {
		w.withdrawn = true
		w.c.tell(w.c.root, &toSequencerIfRunning{w.w.handle.id, &withdraw{w.w}})
		self := ctx.Self()
		w.timer = time.AfterFunc(withdrawWait, func() { w.c.tell(self, &writeDeadline{}) })
		return
	}
	if w.task == nil {
		w.answer(&messages.TaskAccepted{Err: api.NewError("miroir_no_quorum",
			"The write did not get its place in time; whether it will be carried out is unknown.")})
		if w.w == nil || w.c.ctx.Err() != nil {
			ctx.Stop(ctx.Self())
		} // else its key and its payload are held until its sequencer knows
		return
	}
	w.decide(ctx)
}

// decide answers from what the replies amount to. A refusal by the nodes is the
// task's affair: the client has its 202 and the task will say why.
func (w *writeCoordinator) decide(ctx actor.Context) {
	a := &messages.TaskAccepted{Task: summary(w.task)}
	missed := &degradation{}
	unmet, taken := false, false
	for _, t := range w.tallies {
		r := t.count.Result()
		missed.add(groupIDs(t.table.Snapshot(), r.Groups), r.Shards)
		unmet = unmet || r.Outcome == quorum.Unmet
		taken = taken || t.unknown || t.refusal != nil
	}
	if unmet {
		a.Err = api.Errorf("miroir_no_quorum",
			"No replica group took the write for every shard in time. Whether it will be carried out is unknown: task %d tells.", w.task.UID)
		if !taken {
			w.c.abandonTask(w.task.UID, w.task.IndexID)
		}
	}
	a.Degraded = missed.header()
	w.finish(ctx, a)
}

// summary is the 202 body of a task.
func summary(t *store.Task) *api.TaskSummary {
	s := &api.TaskSummary{
		TaskUID: uint32(t.UID), Status: api.Enqueued, Type: t.Type, EnqueuedAt: t.EnqueuedAt, Metadata: t.CustomMetadata, //nolint:gosec // task uids are small
	}
	if t.IndexUID != "" {
		uid := t.IndexUID
		s.IndexUID = &uid
	}
	return s
}

// newWrite turns a client's message into a write. Errors are the request's.
func (c *Cluster) newWrite(msg any) (*write, *api.Error) {
	switch m := msg.(type) {
	case *messages.AddDocuments:
		return &write{
			uid: m.IndexUID, kind: kindAddDocuments, taskType: api.DocumentAdditionOrUpdate, metadata: m.CustomMetadata,
			mayCreate: m.CreateAllowed, requestPK: m.PrimaryKey, body: m.Payload, payload: m.Stored, stored: !m.Stored.IsZero(),
			p: params{Update: m.Update, Format: m.Format, Delimiter: m.CSVDelimiter, SkipCreation: m.SkipCreation},
		}, nil
	case *messages.DeleteDocuments:
		return &write{
			uid: m.IndexUID, kind: kindDeleteByID, taskType: api.DocumentDeletion, metadata: m.CustomMetadata,
			ids: m.IDs, received: len(m.IDs), body: mustJSON(m.IDs),
		}, nil
	case *messages.DeleteDocumentsByFilter:
		if mayNameReserved(m.Filter) {
			return nil, reservedField("filter")
		}
		return &write{uid: m.IndexUID, kind: kindDeleteByFilter, taskType: api.DocumentDeletion, metadata: m.CustomMetadata, filter: m.Filter}, nil
	case *messages.ClearDocuments:
		return &write{uid: m.IndexUID, kind: kindClear, taskType: api.DocumentDeletion, metadata: m.CustomMetadata}, nil
	case *messages.EditDocuments:
		return newEdit(m)
	case *messages.CompactIndex:
		return &write{uid: m.IndexUID, kind: kindCompact, taskType: api.IndexCompaction, metadata: m.CustomMetadata}, nil
	case *messages.CreateIndex:
		w := &write{uid: m.IndexUID, kind: kindCreateIndex, taskType: api.IndexCreation, metadata: m.CustomMetadata, mayCreate: true}
		if m.PrimaryKey != "" {
			w.primaryKey = &m.PrimaryKey
		}
		return w, nil
	case *messages.UpdateIndex:
		return &write{
			uid: m.IndexUID, kind: kindUpdateIndex, taskType: api.IndexUpdate, metadata: m.CustomMetadata,
			primaryKey: m.PrimaryKey, newUID: m.NewUID,
		}, nil
	case *messages.DeleteIndex:
		return &write{uid: m.IndexUID, kind: kindDeleteIndex, taskType: api.IndexDeletion, metadata: m.CustomMetadata}, nil
	case *messages.UpdateSettings:
		return newSettingsWrite(m)
	}
	return nil, api.Internal(fmt.Sprintf("BUG: %T is not a write", msg))
}

func newSettingsWrite(m *messages.UpdateSettings) (*write, *api.Error) {
	value, apiErr := api.ParseBody(m.Patch)
	if apiErr != nil {
		return nil, apiErr
	}
	patch, apiErr := api.DecodeSettingsWith(value, func(feature string) bool { return feature == api.ChatCompletions })
	if apiErr != nil {
		return nil, apiErr
	}
	for _, name := range memberNames(m.Patch) {
		if value, _ := rawjson.Get(m.Patch, name); mayNameReserved(value) {
			return nil, reservedField(name)
		}
	}
	for _, tokens := range [][]string{patch.NonSeparatorTokens.Value(), patch.Dictionary.Value()} {
		if i := slices.IndexFunc(tokens, func(t string) bool { return strings.ContainsAny(t, topology.Alphabet()) }); i >= 0 {
			return nil, api.Errorf("miroir_not_supported",
				"Miroir marks documents with the characters %s, so they cannot become words: take `%s` out of the setting.", topology.Alphabet(), tokens[i])
		}
	}
	return &write{
		uid: m.IndexUID, kind: kindSettings, taskType: api.SettingsUpdate, metadata: m.CustomMetadata,
		mayCreate: m.CreateAllowed && !m.Reset, patch: patch, patchRaw: m.Patch,
	}, nil
}

// place finds the index and resolves the ids of the documents. Errors that a
// node would put into the task become the write's fail.
func (c *Cluster) place(w *write) *api.Error {
	if w.handle == nil {
		if h, ok := c.registry.resolve(w.uid); ok {
			w.handle = h
		} else if w.mayCreate {
			w.handle = c.registry.reserve(w.uid, c.opts.Shards)
		} else {
			w.fail = api.IndexNotFound(w.uid)
			return nil
		}
	}
	switch w.kind {
	case kindDeleteByID:
		w.docs, w.need = newDeletion(w.ids, w.handle.shards)
		w.table = newIDTable(w.docs)
	case kindAddDocuments:
		return c.placeDocuments(w)
	}
	return nil
}

func (c *Cluster) placeDocuments(w *write) *api.Error {
	pk := w.handle.pk.Load()
	w.hinted = pk != nil
	hint, given := "", w.requestPK != nil
	switch {
	case pk != nil:
		hint = *pk
	case given:
		hint = *w.requestPK
	}
	if w.batch == nil {
		b, err := c.parse(w, payload.Options{Delimiter: w.p.Delimiter, PrimaryKey: hint})
		if err != nil {
			return requestError(err)
		}
		w.batch, w.received = b, b.Len()
	}
	w.docs = &documents{batch: w.batch}
	w.need = topology.NewShardSet(w.handle.shards)
	switch {
	case w.batch.Len() == 0: // nothing that could be wrong
	case pk != nil && given && *w.requestPK != *pk:
		w.fail = api.Errorf("index_primary_key_already_exists", "Index already has a primary key: `%s`.", *pk)
		return nil
	case pk == nil && !given:
		inferred, err := payload.InferPrimaryKey(w.batch.Doc(0))
		if err != nil {
			w.fail = taskError(err)
			return nil
		}
		hint = inferred
	}
	w.assumedPK = hint
	if err := w.batch.ResolveIDs(hint); err != nil {
		w.fail = taskError(err)
		return nil
	}
	w.docs, w.need = newDocuments(w.batch, w.handle.shards)
	w.table = newIDTable(w.docs)
	w.checked = w.handle.checks.Load().check(w.batch, w.p.Update)
	return nil
}

// requestError turns an error of the payload package into the client's.
func requestError(err error) *api.Error {
	var reserved *payload.ReservedFieldError
	if errors.As(err, &reserved) {
		return api.NewError("miroir_reserved_field", reserved.Error())
	}
	return taskError(err)
}

func taskError(err error) *api.Error {
	var coded interface{ ErrorCode() string }
	if errors.As(err, &coded) {
		return api.NewError(coded.ErrorCode(), err.Error())
	}
	return api.Internal(err.Error())
}

// journal makes the payload part of the journal. A write that fails in its task
// needs none.
func (c *Cluster) journal(w *write) *api.Error {
	if w.fail != nil || w.docs == nil || w.docs.len() == 0 {
		return nil //nolint:nilerr // the task tells of fail, the request goes on
	}
	if w.stored {
		return c.journalRoom(0) // it is counted already
	}
	if !w.payload.IsZero() {
		return nil
	}
	if full := c.journalRoom(len(w.body)); full != nil {
		return full
	}
	var err error
	if w.payload, err = c.store.Journal().Append(w.body); err != nil {
		return storeUnavailable(err)
	}
	return nil
}

// failAlone records the failed task of a write to an index that does not exist.
func (c *Cluster) failAlone(w *write) {
	c.spawn("failed task", func() {
		t := newTask(w)
		now := t.EnqueuedAt
		t.IndexID, t.Status, t.StartedAt, t.FinishedAt = "", api.Failed, now, now
		t.Error, t.Details = mustJSON(w.fail), zeroCounts(t.Details)
		if err := c.store.Commit(c.ctx, &store.Batch{Tasks: []*store.Task{t}}); err != nil {
			c.tell(w.coordinator, &unsequenced{storeUnavailable(err)})
			return
		}
		c.tell(w.coordinator, &sequenced{task: t})
	}, func(err error) { c.tell(w.coordinator, &unsequenced{api.Internal(err.Error())}) })
}
