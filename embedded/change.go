package embedded

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/embedded/engine"
	"github.com/miroir-search/miroir/rawjson"
)

// change carries out tasks and gathers what the store has to write about it. Only the worker uses it.
type change struct {
	core    *core
	results []outcome
	// indexes are those whose record changed; nil for those that are gone, by internal id.
	saved   map[uint64]*index
	cleared map[uint64]bool
	docs    map[uint64][]moved
	forget  map[uint32]struct{}
	// ended are other tasks that this one brought to an end or renamed.
	ended []*record
	// before are other tasks as they were before this one changed or deleted them.
	before map[uint32]*record
	// renames tells that ended holds tasks that only got another name.
	renames bool
}

func newChange(c *core) *change {
	return &change{core: c, saved: make(map[uint64]*index), cleared: make(map[uint64]bool),
		docs: make(map[uint64][]moved), forget: make(map[uint32]struct{}), before: make(map[uint32]*record)}
}

// safely carries out one task; a panic is the task's failure, not the node's.
func (ch *change) safely(rec *record) (out outcome) {
	defer func() {
		if p := recover(); p != nil {
			ch.core.opt.Logger.WithField("stack", string(debug.Stack())).Errorf("panic in task %d: %v", rec.task.UID, p)
			out = failed(api.Internal(fmt.Sprintf("An unexpected crash occurred when processing the task: %v", p)))
		}
	}()
	return ch.execute(rec)
}

func failed(err *api.Error) outcome { return outcome{err: err} }

func (ch *change) execute(rec *record) outcome {
	op := rec.op
	switch op.Kind {
	case opDocuments, opDeleteIDs:
		return ch.documentGroup([]*record{rec})[0]
	case opDeleteFilter:
		return ch.deleteByFilter(rec)
	case opClear:
		return ch.clear(rec)
	case opSettings:
		return ch.settings(rec)
	case opCreate:
		return ch.create(rec)
	case opUpdate:
		return ch.update(rec)
	case opDrop:
		return ch.drop(rec)
	case opSwap:
		return ch.swap(rec)
	case opCancel:
		return ch.cancel(rec)
	case opDeleteTasks:
		return ch.deleteTasks(rec)
	case opCompact:
		return ch.compact(rec)
	case opExport:
		return ch.export(rec)
	case opDump:
		return ch.dump(rec)
	case opSnapshot:
		return ch.snapshot()
	default:
		return failed(api.Internal("unknown task " + string(op.Kind)))
	}
}

// put replaces an index in the node and has it written.
func (ch *change) put(x *index) {
	ch.core.mu.Lock()
	ch.core.indexes[x.uid] = x
	ch.core.mu.Unlock()
	ch.saved[x.id] = x
}

// touched returns a copy of the index with a new time of change.
func (ch *change) touched(x *index) *index {
	next := *x
	next.updated = ch.core.now()
	return &next
}

func (c *core) newIndex(uid string) *index {
	now := c.now()
	s := api.DefaultSettings()
	if c.legacy {
		s.RankingRules = []string{"words", "typo", "proximity", "attribute", "sort", "exactness"}
	}
	c.mu.Lock()
	id := c.nextIndex
	c.nextIndex++
	c.mu.Unlock()
	return &index{id: id, uid: uid, created: now, updated: now, settings: s, engine: engine.New(c.engineSettings(s)),
		slots: newSlots()}
}

// ensure finds the task's index, or makes it where the task may.
func (ch *change) ensure(op *operation) (*index, *api.Error) {
	x, err := ch.core.lookup(op.Index)
	if err == nil || !op.AllowCreate {
		return x, err
	}
	x = ch.core.newIndex(op.Index)
	ch.put(x)
	return x, nil
}

// engineError is the error clients see; an empty uid leaves out the name of the index.
func engineError(uid string, err error) *api.Error {
	var e *engine.Error
	if !errors.As(err, &e) {
		return api.Internal(err.Error())
	}
	out := api.NewError(e.Code, e.Message)
	if e.OfIndex && uid != "" {
		out = out.Prefixed("Index `" + uid + "`: ")
	}
	return out
}

// documentGroup carries out neighbouring document tasks of one index as one change of the engine. When that fails, all of
// them fail by it, as those of a batch of a real server do.
func (ch *change) documentGroup(group []*record) []outcome {
	parts := make([]*part, len(group))
	x, missing := ch.core.lookup(group[0].op.Index)
	var before *index
	for i, rec := range group {
		parts[i] = &part{rec: rec}
		if missing != nil {
			if x, missing = ch.ensure(rec.op); missing != nil {
				parts[i].out = failed(missing)
				continue
			}
		}
		if before == nil {
			before = x
		}
		x = ch.prepare(x, parts[i])
	}
	if x != nil && !ch.apply(x, parts) && x.primaryKey != before.primaryKey {
		ch.put(before) // the primary key goes back with the documents
	}
	out := make([]outcome, len(parts))
	for i, p := range parts {
		out[i] = p.out
	}
	return out
}

// part is one task of a group.
type part struct {
	rec *record
	ops []engine.Op
	ids []string
	out outcome
}

// prepare turns a task into operations of the engine, and settles the primary key, or fails the part.
func (ch *change) prepare(x *index, p *part) *index {
	op := p.rec.op
	if op.Kind == opDeleteIDs {
		for _, id := range op.IDs {
			p.ops = append(p.ops, engine.Op{Kind: engine.OpDelete, ID: id})
		}
		p.ids = op.IDs
		return x
	}
	x, err := ch.primaryKey(x, op)
	if err != nil {
		p.out = failed(err)
		return x
	}
	if op.docs.len() == 0 {
		return x
	}
	if p.ids, err = op.docs.ids(x.primaryKey); err != nil {
		p.out = failed(err)
		return x
	}
	kind := engine.OpPut
	if op.Merge {
		kind = engine.OpUpdate
	}
	docs := op.merged(p)
	p.ops = make([]engine.Op, len(p.ids))
	for i, id := range p.ids {
		if err := ch.embeddable(x, op, id, docs[i]); err != nil {
			p.out = failed(err.Prefixed("Index `" + x.uid + "`: "))
			return x
		}
		p.ops[i] = engine.Op{Kind: kind, ID: id, Doc: json.RawMessage(docs[i]), SkipCreation: op.SkipCreation}
	}
	return x
}

// merged makes one document of those that have one id, as it is in the end, at the
// place of the first.
func (o *operation) merged(p *part) [][]byte {
	at := make(map[string]int, len(p.ids))
	ids, docs := p.ids[:0], make([][]byte, 0, len(p.ids))
	for i, id := range p.ids {
		first, again := at[id]
		switch {
		case !again:
			at[id] = len(docs)
			ids, docs = append(ids, id), append(docs, o.docs.doc(i))
		case o.Merge:
			var m rawjson.Members
			for m.Init(o.docs.doc(i)); m.Next(); {
				if name, err := rawjson.Unquote(m.Key); err == nil {
					docs[first] = rawjson.Set(nil, docs[first], name, m.Value)
				}
			}
		default:
			docs[first] = o.docs.doc(i)
		}
	}
	p.ids = ids
	return docs
}

// embeddable refuses a document of a write that the service of an embedder would have to embed.
func (ch *change) embeddable(x *index, op *operation, id string, doc []byte) *api.Error {
	if len(x.settings.Embedders) == 0 {
		return nil
	}
	stored, found := x.engine.Document(id)
	if !found && op.SkipCreation {
		return nil
	}
	if !op.Merge {
		stored = nil
	}
	return checkEmbeddable(x.settings, id, doc, stored)
}

// primaryKey decides the primary key for a write: the index's own, the one the request names, or an inferred one.
func (ch *change) primaryKey(x *index, op *operation) (*index, *api.Error) {
	if x.primaryKey != "" {
		if op.PrimaryKey != nil && *op.PrimaryKey != x.primaryKey && op.docs.len() > 0 {
			return x, primaryKeyExists(x.primaryKey)
		}
		return x, nil
	}
	if op.docs.len() == 0 && op.PrimaryKey == nil {
		return x, nil
	}
	pk := ""
	if op.PrimaryKey != nil {
		pk = *op.PrimaryKey
	} else {
		var err *api.Error
		if pk, err = op.docs.infer(); err != nil {
			return x, err
		}
	}
	// a bad id fails the write before the key is settled
	if _, err := op.docs.ids(pk); err != nil {
		return x, err
	}
	next := ch.touched(x)
	next.primaryKey = pk
	ch.put(next)
	return next, nil
}

func primaryKeyExists(pk string) *api.Error {
	return api.NewError("index_primary_key_already_exists", "Index already has a primary key: `"+pk+"`.")
}

// apply hands the operations of all parts that have not failed to the engine, as one batch. It tells whether the engine
// took it.
func (ch *change) apply(x *index, parts []*part) bool {
	var batch engine.Batch
	var ids []string
	for _, p := range parts {
		if p.out.err == nil {
			batch.Ops = append(batch.Ops, p.ops...)
			ids = append(ids, p.ids...)
		}
	}
	applied, err := x.engine.Apply(&batch)
	at := 0
	for _, p := range parts {
		if p.out.err != nil {
			continue
		}
		if err != nil {
			p.out = failed(engineError(x.uid, err))
			continue
		}
		p.count(applied.Results[at : at+len(p.ops)])
		at += len(p.ops)
	}
	if err == nil {
		ch.settle(x, false, ids)
	}
	return err == nil
}

// count fills in the details of a part that was applied.
func (p *part) count(results []engine.OpResult) {
	d := *p.rec.task.Details
	if p.rec.op.Kind == opDeleteIDs {
		var n uint64
		for _, r := range results {
			n += r.Deleted
		}
		d.DeletedDocuments = api.Some(n)
	} else {
		distinct := make(map[string]struct{}, len(p.ids))
		for _, id := range p.ids {
			distinct[id] = struct{}{}
		}
		d.IndexedDocuments = api.Some(uint64(len(distinct)))
	}
	p.out.details = &d
}

// settle notes which documents the store has to write after a batch, and when the index changed.
func (ch *change) settle(x *index, cleared bool, ids []string) {
	x, err := ch.core.lookup(x.uid)
	if err != nil {
		return
	}
	ch.put(ch.touched(x))
	if ch.core.store == nil {
		return
	}
	if cleared {
		ch.cleared[x.id], ch.docs[x.id] = true, nil
	}
	exists := func(id string) bool {
		_, ok := x.engine.Document(id)
		return ok
	}
	ch.docs[x.id] = append(ch.docs[x.id], x.slots.settle(cleared, unique(ids), exists)...)
}

func unique(ids []string) []string {
	seen := make(map[string]struct{}, len(ids))
	return slices.DeleteFunc(slices.Clone(ids), func(id string) bool {
		_, dup := seen[id]
		seen[id] = struct{}{}
		return dup
	})
}

func (ch *change) deleteByFilter(rec *record) outcome {
	x, err := ch.core.lookup(rec.op.Index)
	if err != nil {
		return failed(err)
	}
	v, syntax := api.ParseJSON(rec.op.Filter)
	if syntax != nil {
		return failed(api.Internal(syntax.Error()))
	}
	ids, matchErr := x.engine.MatchIDs(v.Any())
	if matchErr != nil {
		e := engineError(x.uid, matchErr)
		if e.Code == "invalid_search_filter" {
			e = e.WithCode("invalid_document_filter")
		}
		return failed(e)
	}
	ops := make([]engine.Op, len(ids))
	for i, id := range ids {
		ops[i] = engine.Op{Kind: engine.OpDelete, ID: id}
	}
	if _, err := x.engine.Apply(&engine.Batch{Ops: ops}); err != nil {
		return failed(engineError(x.uid, err))
	}
	ch.settle(x, false, ids)
	d := *rec.task.Details
	d.DeletedDocuments = api.Some(uint64(len(ids)))
	return outcome{details: &d}
}

func (ch *change) clear(rec *record) outcome {
	x, err := ch.core.lookup(rec.op.Index)
	if err != nil {
		return failed(err)
	}
	applied, applyErr := x.engine.Apply(&engine.Batch{Ops: []engine.Op{{Kind: engine.OpClear}}})
	if applyErr != nil {
		return failed(engineError(x.uid, applyErr))
	}
	ch.settle(x, true, nil)
	return outcome{details: &api.Details{DeletedDocuments: api.Some(applied.Results[0].Deleted)}}
}

func (ch *change) settings(rec *record) outcome {
	x, err := ch.ensure(rec.op)
	if err != nil {
		return failed(err)
	}
	s := x.settings.Clone()
	if err := s.Apply(rec.op.Settings); err != nil {
		return failed(err.Prefixed("Index `" + x.uid + "`: "))
	}
	if err := checkNewEmbedders(x, s); err != nil {
		return failed(err.Prefixed("Index `" + x.uid + "`: "))
	}
	if ch.core.legacy && rec.op.Settings.RankingRules.IsNull() {
		s.RankingRules = []string{"words", "typo", "proximity", "attribute", "sort", "exactness"}
	}
	es := ch.core.engineSettings(s)
	if _, err := x.engine.Apply(&engine.Batch{Ops: []engine.Op{{Kind: engine.OpConfigure, Settings: &es}}}); err != nil {
		return failed(engineError(x.uid, err))
	}
	next := ch.touched(x)
	next.settings = s
	ch.put(next)
	return outcome{details: rec.task.Details}
}

// compact does nothing, because nothing grows; sizes are those of the documents.
func (ch *change) compact(rec *record) outcome {
	x, err := ch.core.lookup(rec.op.Index)
	if err != nil {
		return failed(err)
	}
	size := humanSize(x.rawSize())
	return outcome{details: &api.Details{PreCompactionSize: api.Some(size), PostCompactionSize: api.Some(size)}}
}

func (ch *change) cancel(rec *record) outcome {
	c, now := ch.core, ch.core.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	n := uint64(0)
	by := rec.task.UID
	for _, uid := range rec.op.Tasks {
		victim := c.records[uid]
		if victim == nil || victim.op == nil || uid == rec.task.UID {
			continue
		}
		end := outcome{canceledBy: &by}.finish(victim, now)
		c.records[uid], ch.before[uid] = end, victim
		ch.ended = append(ch.ended, end)
		n++
	}
	d := *rec.task.Details
	d.CanceledTasks = api.Some(n)
	return outcome{details: &d}
}

// canceled are the tasks that this change brought to an end; others in ended only got another name.
func (ch *change) canceled() []*record {
	var out []*record
	for _, rec := range ch.ended {
		if rec.task.Status == api.Canceled && !ch.renames {
			out = append(out, rec)
		}
	}
	return out
}

func (ch *change) deleteTasks(rec *record) outcome {
	c := ch.core
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, uid := range rec.op.Tasks {
		if victim := c.records[uid]; victim != nil && victim.task.Finished() {
			delete(c.records, uid)
			ch.forget[uid], ch.before[uid] = struct{}{}, victim
		}
	}
	c.order = slices.DeleteFunc(c.order, func(uid uint32) bool {
		_, gone := ch.forget[uid]
		return gone
	})
	d := *rec.task.Details
	d.DeletedTasks = api.Some(uint64(len(ch.forget)))
	return outcome{details: &d}
}

func sortedKeys[M ~map[string]V, V any](m M) []string { return slices.Sorted(maps.Keys(m)) }

// groupSafely is documentGroup with a panic as the failure of the whole group.
func (ch *change) groupSafely(group []*record) (out []outcome) {
	defer func() {
		if p := recover(); p != nil {
			ch.core.opt.Logger.WithField("stack", string(debug.Stack())).Errorf("panic in a group of tasks: %v", p)
			out = make([]outcome, len(group))
			for i := range out {
				out[i] = failed(api.Internal(fmt.Sprintf("An unexpected crash occurred when processing the task: %v", p)))
			}
		}
	}()
	return ch.documentGroup(group)
}
