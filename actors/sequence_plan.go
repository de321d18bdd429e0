package actors

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/quorum"
	"github.com/miroir-search/miroir/store"
	"github.com/miroir-search/miroir/topology"
)

// sequencePlan turns waiting writes into one batch for the store: tasks,
// entries, and the state of the index behind them.
type sequencePlan struct {
	c      *Cluster
	handle *indexHandle
	table  *topology.Table
	view   *view
	known  func(id string) (seq uint64)

	state    indexState
	batch    *store.Batch
	steps    []*planStep
	staged   overlay // what the steps do, by their number
	reserved bool    // the index itself is made by this plan
	names    []func(r *registry, h *indexHandle)
	moves    []uidMove // claimed
}

// planStep is what one write, or one undo, becomes.
type planStep struct {
	write   *write // nil for an undo, and for an edit that was tried
	tried   *editTried
	task    *store.Task
	entries []*entry
	staged  *numbering // of a write of documents or ids
	patch   *api.SettingsPatch
	final   map[string]int64 // counts for the details of a task without entries
}

func newSequencePlan(a *sequencer, found map[string]uint64) *sequencePlan {
	p := &sequencePlan{
		c: a.c, handle: a.handle, table: a.handle.table.Load(), view: a.c.views.load(), state: a.state,
		batch: &store.Batch{Values: map[string]json.RawMessage{}},
	}
	p.state.open = append([]openSettings(nil), a.state.open...)
	p.known = func(id string) uint64 {
		if seq, known := a.overlay.get(id); known {
			return seq
		}
		return found[id]
	}
	return p
}

func (p *sequencePlan) empty() bool { return len(p.steps) == 0 }

// add gives one write its place, or answers why it gets none.
func (p *sequencePlan) add(w *write) {
	if p.state.deleted || p.state.created && p.state.uid != w.uid {
		p.c.tell(w.coordinator, &resolveAgain{moved: true})
		return
	}
	if w.hinted && p.state.pk == "" { // what had decided it was taken back
		p.handle.pk.Store(nil)
		p.c.tell(w.coordinator, &resolveAgain{})
		return
	}
	if w.checked != nil && (p.state.pk != "" && w.assumedPK != p.state.pk || !w.checked.under(p.state.checks)) {
		p.state.publish(p.handle)
		p.c.tell(w.coordinator, &resolveAgain{})
		return
	}
	if w.fail == nil {
		if lost := p.impossible(w); !lost.Empty() {
			p.c.tell(w.coordinator, &unsequenced{noQuorumPossible(lost)})
			return
		}
	}
	s := &planStep{write: w, task: newTask(w)}
	if err := p.build(s, w); err != nil {
		// What the step has made so far is the index, which stays.
		s.task.Error = mustJSON(err)
	}
	p.batch.Tasks = append(p.batch.Tasks, s.task)
	for _, e := range s.entries {
		e.row.Task = s.task
		p.batch.Entries = append(p.batch.Entries, e.row)
	}
	p.steps = append(p.steps, s)
}

// impossible lists the shards that no group can take now.
func (p *sequencePlan) impossible(w *write) topology.ShardSet {
	need := w.need
	if w.docs == nil {
		need = p.table.All()
	}
	return quorum.Impossible(p.table, need, func(n topology.NodeIndex) bool { return p.view.states[n].up() })
}

// build makes the entries of a write. An error is the task's.
func (p *sequencePlan) build(s *planStep, w *write) *api.Error {
	if w.kind == kindCreateIndex {
		return p.buildCreate(s, w)
	}
	if w.fail != nil && !p.state.created && !w.mayCreate {
		return w.fail
	}
	if !p.state.created {
		if !w.mayCreate {
			return api.IndexNotFound(w.uid)
		}
		if err := p.createIndex(s, w.uid, ""); err != nil {
			return err
		}
	}
	if w.fail != nil {
		return w.fail
	}
	switch w.kind {
	case kindAddDocuments:
		return p.buildAdd(s, w)
	case kindDeleteByID:
		return p.buildDelete(s, w)
	case kindClear:
		p.staged.clear(p.number())
		p.entry(s, kindClear, params{}, w, true)
	case kindDeleteByFilter:
		p.entry(s, kindDeleteByFilter, params{Filter: w.filter}, w, true)
	case kindEdit:
		p.buildEdit(s, w)
	case kindCompact:
		p.entry(s, kindCompact, params{}, w, true)
	case kindSettings:
		return p.buildSettings(s, w)
	case kindUpdateIndex:
		return p.buildUpdate(s, w)
	case kindDeleteIndex:
		p.state.deleted = true
		p.entry(s, kindDeleteIndex, params{}, w, true)
		uid := p.state.uid
		p.names = append(p.names, func(r *registry, h *indexHandle) { r.release(uid, h) })
	}
	return nil
}

func (p *sequencePlan) buildCreate(s *planStep, w *write) *api.Error {
	if p.state.created {
		return api.IndexAlreadyExists(w.uid)
	}
	pk := ""
	if w.primaryKey != nil {
		pk = *w.primaryKey
	}
	return p.createIndex(s, w.uid, pk)
}

// createIndex adds the entry that makes the index on every node, and its row.
func (p *sequencePlan) createIndex(s *planStep, uid, pk string) *api.Error {
	settings := api.DefaultSettings()
	settings.RankingRules = defaultRankingRules(p.c.oldestNodeMinor())
	forNodes, err := nodeSettings(settings, []string{"filterableAttributes", "rankingRules"})
	if err != nil {
		return api.Internal(err.Error())
	}
	now := s.task.EnqueuedAt
	row := &store.Index{
		ID: p.handle.id, UID: uid, Shards: p.handle.shards, CreatedAt: now, UpdatedAt: now, Settings: mustJSON(settings),
	}
	p.batch.Indexes = append(p.batch.Indexes, row)
	p.state = indexState{uid: uid, created: true, pk: pk, nextSeq: 1, settings: settings, base: settings, checks: checksOf(settings)}
	p.reserved = true
	p.batch.Values[placedKey(row.ID)] = mustJSON(placed{On: p.table.Snapshot().Version()})
	p.entry(s, kindCreateIndex, params{PrimaryKey: pk, NodeSettings: forNodes}, nil, true)
	p.names = append(p.names, func(r *registry, h *indexHandle) {
		_ = r.made(row, h) // its settings were written a moment ago
	})
	return nil
}

func (p *sequencePlan) buildAdd(s *planStep, w *write) *api.Error {
	pk := w.assumedPK
	n := w.docs.len()
	if n == 0 {
		s.final = map[string]int64{"indexedDocuments": 0}
		if p.state.pk == "" && pk != "" { // the request names it
			p.state.pk = pk
			p.entry(s, kindUpdateIndex, params{PrimaryKey: pk}, nil, true)
		}
		return nil
	}
	if err := w.checked.refuse(w.uid, w.p.SkipCreation, func(id string) bool { return p.seqOf(id) != 0 }); err != nil {
		return err
	}
	base := p.state.nextSeq
	next := w.table.assign(base, p.seqOf)
	s.staged = newNumbering(w.table, w.p.SkipCreation)
	q := w.p
	q.PrimaryKey, q.Shards, q.SeqBase = pk, w.need.Slice(), base
	q.Final = map[string]int64{"indexedDocuments": int64(s.staged.distinct)}
	var ref store.Ref
	if seqs := w.docs.seqs; seqs != nil {
		var err error
		if ref, err = p.c.store.Journal().Append(encodeSeqs(seqs)); err != nil {
			return storeUnavailable(err)
		}
	}
	p.state.pk, p.state.nextSeq = pk, next
	p.staged.put(p.number(), s.staged)
	e := p.entry(s, kindAddDocuments, q, w, false)
	e.row.Seqs = ref
	e.docs.Store(w.docs)
	p.keepSeq()
	return nil
}

// seqOf is the insertion number of a document as of now in the plan.
func (p *sequencePlan) seqOf(id string) uint64 {
	if seq, known := p.staged.get(id); known {
		return seq
	}
	return p.known(id)
}

// number is that of the step that is being built.
func (p *sequencePlan) number() int64 { return int64(len(p.steps)) + 1 }

// keepSeq makes the next insertion number durable with the batch.
func (p *sequencePlan) keepSeq() {
	p.batch.Values[seqKey(p.handle.id)] = mustJSON(p.state.nextSeq)
}

func seqKey(indexID string) string { return "seq/" + indexID }

func (p *sequencePlan) buildDelete(s *planStep, w *write) *api.Error {
	s.staged = newNumbering(w.table, false)
	existing := int64(0)
	s.staged.each(func(i int) {
		if p.seqOf(w.docs.look(i)) != 0 {
			existing++
		}
	})
	p.staged.put(p.number(), s.staged)
	final := map[string]int64{"deletedDocuments": existing}
	if w.docs.len() == 0 {
		s.final = final
		return nil
	}
	q := params{Shards: w.need.Slice(), Final: final}
	e := p.entry(s, kindDeleteByID, q, w, false)
	e.docs.Store(w.docs)
	return nil
}

func (p *sequencePlan) buildSettings(s *planStep, w *write) *api.Error {
	after := p.state.settings.Clone()
	if err := after.Apply(w.patch); err != nil {
		return err
	}
	if w.patch.RankingRules.IsNull() {
		after.RankingRules = defaultRankingRules(p.c.oldestNodeMinor())
	}
	forNodes, err := changedSettings(p.state.settings, after, memberNames(w.patchRaw))
	if err != nil {
		return api.Internal(err.Error())
	}
	p.state.settings, p.state.checks, s.patch = after, checksOf(after), w.patch
	p.entry(s, kindSettings, params{NodeSettings: forNodes, Settings: mustJSON(after), Patch: w.patchRaw}, w, true)
	return nil
}

func (p *sequencePlan) buildUpdate(s *planStep, w *write) *api.Error {
	if w.primaryKey != nil && *w.primaryKey != p.state.pk {
		if p.state.pk != "" && (p.state.nextSeq > 1) {
			return api.Errorf("index_primary_key_already_exists", "Index `%s`: Index already has a primary key: `%s`.", w.uid, p.state.pk)
		}
	}
	if w.newUID != nil && *w.newUID != p.state.uid {
		m := []uidMove{{handle: p.handle, from: p.state.uid, to: *w.newUID}}
		if !p.c.registry.claim(m) {
			return api.IndexAlreadyExists(*w.newUID)
		}
		p.moves = append(p.moves, m...)
		p.names = append(p.names, func(r *registry, _ *indexHandle) { r.moved(m) })
		p.state.uid = *w.newUID
		s.entries = append(s.entries, renameEntry(p.handle, *w.newUID))
	}
	if w.primaryKey != nil && *w.primaryKey != p.state.pk {
		p.state.pk = *w.primaryKey
		p.entry(s, kindUpdateIndex, params{PrimaryKey: *w.primaryKey}, w, true)
	}
	return nil
}

// takeBack sends the settings that hold without an entry that a node refused.
func (p *sequencePlan) takeBack(refused *entry) {
	if p.state.deleted {
		return
	}
	if refused.row.Kind == kindCreateIndex {
		p.takeBackIndex(refused)
		return
	}
	after := p.state.base.Clone()
	kept := p.state.open[:0:0]
	for _, o := range p.state.open {
		if o.lsn == refused.row.LSN {
			continue
		}
		if after.Apply(o.patch) == nil {
			kept = append(kept, o)
		}
	}
	forNodes, err := changedSettings(p.state.settings, after, memberNames(refused.p.Patch))
	if err != nil {
		p.c.log.WithError(err).Error("cannot take settings back")
		return
	}
	p.state.settings, p.state.checks, p.state.open = after, checksOf(after), kept
	s := &planStep{}
	e := p.entry(s, kindSettings, params{NodeSettings: forNodes, Settings: mustJSON(after), Patch: refused.p.Patch, Undo: refused.row.LSN}, nil, true)
	e.row.TaskUID = refused.row.TaskUID
	p.batch.Entries = append(p.batch.Entries, e.row)
	p.steps = append(p.steps, s)
}

// takeBackIndex removes an index that a node refused to make from the others.
func (p *sequencePlan) takeBackIndex(refused *entry) {
	p.state.deleted = true
	if row, ok := p.c.registry.row(p.handle.id); ok {
		row.Deleted, row.Visible = true, false
		p.batch.Indexes = append(p.batch.Indexes, &row)
		p.names = append(p.names, func(r *registry, h *indexHandle) {
			_ = r.put(&row) // a row that was read a moment ago
			r.release(row.UID, h)
		})
	}
	s := &planStep{}
	e := p.entry(s, kindDeleteIndex, params{Undo: refused.row.LSN}, nil, true)
	e.row.TaskUID = refused.row.TaskUID
	p.batch.Entries = append(p.batch.Entries, e.row)
	p.steps = append(p.steps, s)
}

// entry adds an entry to a step. everyone sends it to all nodes, otherwise it
// goes to the owners of the shards that the write touches.
func (p *sequencePlan) entry(s *planStep, kind string, q params, w *write, everyone bool) *entry {
	e := &entry{p: q, table: p.table, need: p.table.All()}
	if q.Shards != nil {
		e.need = w.need
	}
	e.row = &store.Entry{
		IndexID: p.handle.id, Kind: kind, Params: mustJSON(q), Nodes: targetIDs(p.table, e.need, everyone),
	}
	if w != nil {
		e.row.Payload = w.payload
	}
	e.unsent.Store(int32(len(e.row.Nodes))) //nolint:gosec // a fleet is small
	s.entries = append(s.entries, e)
	return e
}

// publishNames tells the registry what the committed plan means for names.
func (p *sequencePlan) publishNames(r *registry, h *indexHandle) {
	for _, f := range p.names {
		f(r, h)
	}
}

// newTask is the task of a write, not numbered yet.
func newTask(w *write) *store.Task {
	t := &store.Task{
		UID: -1, IndexUID: w.uid, Type: w.taskType, Status: api.Enqueued,
		CustomMetadata: w.metadata, EnqueuedAt: time.Now().UTC(), Key: w.key,
	}
	if w.handle != nil {
		t.IndexID = w.handle.id
	}
	d := &api.Details{}
	unknown, given := api.NullOpt[uint64](), api.Some(uint64(w.received)) //nolint:gosec // counts are not negative
	switch w.taskType {
	case api.DocumentAdditionOrUpdate:
		d.ReceivedDocuments, d.IndexedDocuments = given, unknown
	case api.DocumentDeletion:
		d.DeletedDocuments = unknown
		switch w.kind {
		case kindDeleteByID:
			d.ProvidedIDs, d.OriginalFilter = given, api.NullOpt[string]()
		case kindDeleteByFilter:
			d.ProvidedIDs, d.OriginalFilter = api.Some(uint64(0)), api.Some(string(w.filter))
		}
	case api.DocumentEdition:
		t.Details = editDetails(w)
		return t
	case api.SettingsUpdate:
		t.Details = w.patchRaw
		return t
	case api.IndexCreation, api.IndexUpdate:
		d.PrimaryKey = api.NullOpt[string]()
		if w.primaryKey != nil {
			d.PrimaryKey = api.Some(*w.primaryKey)
		}
		if w.newUID != nil {
			d.OldIndexUID, d.NewIndexUID = api.Some(w.uid), api.Some(*w.newUID)
		}
	case api.IndexDeletion:
		d.DeletedDocuments = unknown
	}
	t.Details = mustJSON(d)
	return t
}

func noQuorumPossible(lost topology.ShardSet) *api.Error {
	return api.Errorf("miroir_no_quorum",
		"No replica group can take this write now: too few nodes are reachable for shards %s. Nothing was written.", lost.AppendList(nil, 64))
}

// mustJSON encodes values of our own making, which cannot fail.
func mustJSON(v any) json.RawMessage {
	b, err := api.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("BUG: encode %T: %v", v, err))
	}
	return b
}
