package actors

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/store"
)

// Messages of the sequencer beside *write.
type (
	// restored is the sequencer's state as the store has it.
	restored struct {
		incarnation int
		index       *store.Index
		nextSeq     uint64
		entries     []*entry
		tasks       map[int64]*store.Task
		seqs        map[int64]*numbering // by LSN: what unsettled entries do to ids
		err         error
	}
	// restoreDue starts reading the store.
	restoreDue struct{ incarnation int }
	// lookedUp is what the nodes know of the ids of the waiting writes.
	lookedUp struct {
		incarnation int
		writes      []*write
		found       map[string]uint64 // by id
		err         *api.Error
	}
	// committed is the end of a commit.
	committed struct {
		plan *sequencePlan
		err  error
	}
	// settled says that all entries of the index up to lsn are carried out
	// wherever the index may be read.
	settled struct{ lsn int64 }
	// withdraw asks for a write that still waits to be forgotten.
	withdraw struct{ w *write }
	// takeBack asks for settings to be taken back that a node refused.
	takeBack struct{ entry *entry }
)

// maxOverlay bounds the ids that one sequencer remembers; beyond it writes wait
// until earlier ones are settled.
const maxOverlay = 2_000_000

// maxPlanned bounds the documents of one plan that has several writes.
const maxPlanned = 100_000

// sequencer gives all writes of one index one order. What it knows is in the
// store: a restarted one rebuilds itself before it takes new work.
type sequencer struct {
	c        *Cluster
	handle   *indexHandle
	restarts *quarantine

	incarnation int
	ready       bool // restored
	busy        bool // a plan is being looked up or committed
	queue       []*write
	undo        []*entry
	leftovers   []*removeLeftovers
	state       indexState
	overlay     overlay
	stands      *actor.PID    // the swap, retraction or rebuild that it stands still for
	rereading   bool          // what the store has is known to the task keeper and the lanes
	toWatch     []*watchIndex // came while the store was being read, or entries were held back
	trial       int64         // the try of an edit that everything waits for; 0 for none
	tried       *editTried
	watch       func(*actor.PID)
	unwatch     func(*actor.PID)
	barrier     int64 // lookups wait until this entry is settled
	settledLSN  int64
	window      renameWindow
	lastLSN     int64
}

// indexState is an index as sequenced: with all that is decided, carried out or
// not. It is copied for a plan and kept when the plan is committed.
type indexState struct {
	uid      string
	created  bool
	deleted  bool
	pk       string
	nextSeq  uint64
	settings *api.Settings
	checks   *documentChecks // what the settings demand of documents
	open     []openSettings  // settings entries that are not settled, oldest first
	base     *api.Settings   // the settings below them
}

type openSettings struct {
	lsn   int64
	patch *api.SettingsPatch
}

func (a *sequencer) Receive(ctx actor.Context) {
	a.c.guard("sequencer", func() { a.receive(ctx) }, func(any) { a.abandon(ctx.Message()) })
}

func (a *sequencer) receive(ctx actor.Context) {
	a.watch, a.unwatch = ctx.Watch, ctx.Unwatch
	switch m := ctx.Message().(type) {
	case *actor.Started:
		a.started(ctx.Self())
	case *actor.Stopping:
		a.abandon(nil)
	case *restoreDue:
		if m.incarnation == a.incarnation {
			a.readStore(ctx.Self())
		}
	case *restored:
		if m.incarnation == a.incarnation && !a.ready {
			a.onRestored(ctx.Self(), m)
		}
	case *write:
		a.onWrite(m)
	case *withdraw:
		a.onWithdraw(m)
	case *removeLeftovers:
		a.leftovers = append(a.leftovers, m)
		a.pump()
	case *takeBack:
		a.undo = append(a.undo, m.entry)
		a.pump()
	case *editTried:
		a.tried = m
		a.pump()
	case *lookedUp:
		if m.incarnation == a.incarnation {
			a.onLookedUp(m)
		} else {
			a.queue = append(m.writes, a.queue...)
			a.pump()
		}
	case *committed:
		a.onCommitted(m)
	case *goOn:
		a.onGoOn(m)
	case *watchIndex:
		a.onWatchIndex(m)
	case *actor.Terminated:
		// It overtakes what the swap said last.
		a.c.tell(ctx.Self(), &swapGone{m.Who})
	case *swapGone:
		a.onSwapGone(m.who)
	case *settled:
		a.onSettled(m)
	case *crash:
		panic("asked to crash: " + m.why)
	}
}

// onWrite takes a write into the queue: an urgent one before all that wait.
func (a *sequencer) onWrite(m *write) {
	if m.urgent {
		a.queue = slices.Insert(a.queue, 0, m)
	} else {
		a.queue = append(a.queue, m)
	}
	a.pump()
}

// onWithdraw answers a write that waits that it was not taken. One that has been
// given its place is answered by its commit.
func (a *sequencer) onWithdraw(m *withdraw) {
	i := slices.Index(a.queue, m.w)
	if i < 0 {
		return
	}
	a.queue = slices.Delete(a.queue, i, i+1)
	a.c.tell(m.w.coordinator, &unsequenced{api.NewError("miroir_overloaded",
		"The write waited too long for earlier writes of its index. Nothing was written; send it again.")})
}

func (a *sequencer) started(self *actor.PID) {
	a.incarnation = int(a.c.incarnations.Add(1))
	wait := time.Duration(0)
	if a.restarts.failures > 0 || !a.restarts.last.IsZero() {
		wait = a.restarts.next(time.Now(), rand.Float64) //nolint:gosec // jitter
		a.c.metrics.restarts.WithLabelValues("sequencer").Inc()
	}
	a.restarts.last = time.Now()
	inc := a.incarnation
	time.AfterFunc(wait, func() { a.c.tell(self, &restoreDue{inc}) })
}

// abandon answers the writes in memory: nobody knows what became of those that
// were being committed, and the others were not taken.
func (a *sequencer) abandon(current any) {
	var lost []*write
	switch m := current.(type) {
	case *write:
		lost = append(lost, m)
	case *lookedUp:
		lost = append(lost, m.writes...)
	case *goOn:
		a.handle.committing = false
	case *committed:
		a.handle.committing = false
		for _, s := range m.plan.steps {
			if s.write != nil {
				a.c.tell(s.write.coordinator, &unsequenced{api.NewError("miroir_no_quorum",
					"The sequencer of the index was interrupted; whether the write will be carried out is unknown.")})
			}
		}
	}
	for _, w := range append(lost, a.queue...) {
		a.c.tell(w.coordinator, &unsequenced{api.NewError("miroir_no_quorum",
			"The sequencer of the index was interrupted; the write was not carried out. Send it again.")})
	}
	a.queue = nil
	for _, e := range a.undo {
		a.c.tell(a.c.root, &toSequencer{a.handle, &takeBack{e}})
	}
	a.undo, a.leftovers = nil, nil // leftovers are asked for again
}

// readStore loads what is durable of the index.
func (a *sequencer) readStore(self *actor.PID) {
	if a.handle.committing {
		return // onCommitted comes back to it: what is being committed must be read too
	}
	c, h, inc := a.c, a.handle, a.incarnation
	res := &restored{incarnation: inc, err: errNodeRestarting}
	c.spawn("sequencer restore", func() {
		defer func() { c.tell(self, res) }()
		ctx, cancel := context.WithTimeout(c.ctx, 30*time.Second)
		defer cancel()
		*res = *c.restoreIndex(ctx, h)
		res.incarnation = inc
	}, nil)
}

func (a *sequencer) onRestored(self *actor.PID, m *restored) {
	if m.err != nil {
		a.c.log.WithError(m.err).WithField("index", a.handle.id).Error("cannot read the store; the index takes no writes until it can be read")
		inc := a.incarnation
		time.AfterFunc(time.Second, func() { a.c.tell(self, &restoreDue{inc}) })
		return
	}
	a.overlay, a.busy, a.window = overlay{}, false, renameWindow{held: a.window.held}
	a.state = indexState{nextSeq: max(m.nextSeq, 1)}
	if m.index != nil {
		s := api.DefaultSettings()
		if err := json.Unmarshal(m.index.Settings, s); err != nil {
			a.c.log.WithError(err).WithField("index", a.handle.id).Error("cannot read the settings")
		}
		a.state.uid, a.state.created, a.state.deleted = m.index.UID, true, m.index.Deleted
		a.state.pk, a.state.settings, a.state.base, a.state.checks = m.index.PrimaryKey, s, s, checksOf(s)
	}
	for _, e := range m.entries {
		a.state.replay(e)
		a.lastLSN = e.row.LSN
		switch {
		case m.tasks[e.row.TaskUID] == nil || e.row.LSN <= a.settledLSN: // the end may have come while the store was read
		case e.row.Kind == kindRenameIndex:
			a.window.close(e)
		case e.row.Kind == kindClear:
			a.overlay.clear(e.row.LSN)
		case dropsUnnamed(e.row.Kind):
			a.barrier = e.row.LSN
		default:
			a.overlay.put(e.row.LSN, m.seqs[e.row.LSN])
		}
	}
	a.state.publish(a.handle)
	if a.trial = trialIn(m); a.trial <= a.settledLSN {
		a.trial = 0
	}
	a.openWindow() // for what was held back before the store was read
	if !a.rereading {
		a.tellAgain(m)
	}
	a.ready, a.rereading = true, false
	a.watchAgain()
	if a.settledLSN < a.lastLSN {
		a.c.tell(a.c.keeper, &askSettled{indexID: a.handle.id, upTo: a.lastLSN, replyTo: self})
	}
	a.pump()
}

// tellAgain tells the task keeper and the lanes of all entries that are not done:
// the sequencer before may have come no further than to commit them.
func (a *sequencer) tellAgain(m *restored) {
	byTask := map[int64][]*entry{}
	var order []int64
	for _, e := range m.entries {
		if byTask[e.row.TaskUID] == nil {
			order = append(order, e.row.TaskUID)
		}
		byTask[e.row.TaskUID] = append(byTask[e.row.TaskUID], e)
	}
	for _, uid := range order {
		a.c.tell(a.c.keeper, &track{task: m.tasks[uid], entries: byTask[uid]})
	}
	// Not by task: what takes a refused change back belongs to that one's task, and
	// comes later than what was ordered between them.
	for i := range m.entries {
		a.dispatch(m.entries[i:i+1:i+1], nil)
	}
}

// replay applies to the state what an unfinished entry decided.
func (s *indexState) replay(e *entry) {
	switch e.row.Kind {
	case kindAddDocuments, kindUpdateIndex, kindCreateIndex:
		if e.p.PrimaryKey != "" {
			s.pk = e.p.PrimaryKey
		}
	case kindDeleteIndex:
		s.deleted = true
	case kindRenameIndex:
		s.uid = e.p.UID
	case kindSettings:
		after := api.DefaultSettings()
		if json.Unmarshal(e.p.Settings, after) == nil {
			s.settings, s.checks = after, checksOf(after)
		}
		patch := &api.SettingsPatch{}
		if e.p.Undo == 0 && json.Unmarshal(e.p.Patch, patch) == nil {
			s.open = append(s.open, openSettings{e.row.LSN, patch})
		}
	}
}

func (a *sequencer) onSettled(m *settled) {
	a.settledLSN = max(a.settledLSN, m.lsn)
	if a.trial <= a.settledLSN {
		a.trial = 0 // its task has ended
	}
	a.openWindow()
	if !a.busy {
		a.forgetSettled()
	}
	a.pump()
}

// forgetSettled drops what the nodes show by now. Not while a lookup is under
// way: it may have asked before.
func (a *sequencer) forgetSettled() {
	a.overlay.settle(a.settledLSN)
	for len(a.state.open) > 0 && a.state.open[0].lsn <= a.settledLSN {
		next := a.state.base.Clone()
		if next.Apply(a.state.open[0].patch) == nil {
			a.state.base = next
		}
		a.state.open = a.state.open[1:]
	}
}

// planOwn starts a plan of the sequencer's own making, if there is one to make.
func (a *sequencer) planOwn() bool {
	switch {
	case len(a.undo)+len(a.leftovers) > 0:
		a.planUndo()
	case a.trial != 0 && (len(a.queue) == 0 || !a.queue[0].urgent): // the try itself may be taken back
		a.refuseHopeless()
		a.planEdit()
	default:
		return false
	}
	return true
}

// pump starts the next plan with all writes that wait.
func (a *sequencer) pump() {
	if !a.ready || a.busy || a.planOwn() || len(a.queue) == 0 {
		return
	}
	a.forgetSettled()
	var ids *wantedIDs
	count, filtered, documents := len(a.queue), false, 0
	for i, w := range a.queue {
		if w.swap {
			if i == 0 {
				a.standStill(a.take(1)[0])
				return
			}
			count = i
			break
		}
		if w.kind == kindEdit {
			count = i + 1 // it may have to be tried first
			break
		}
		filtered = filtered || dropsUnnamed(w.kind)
		if !w.needsLookup() {
			continue
		}
		if filtered && a.state.nextSeq > 1 {
			count = i // only the nodes can tell what the filter leaves
			break
		}
		if a.barrier > a.settledLSN && a.state.nextSeq > 1 || a.overlay.len() > maxOverlay {
			if i == 0 {
				a.refuseHopeless()
				return // until settled
			}
			a.plan(a.take(i), nil)
			return
		}
		if documents += w.docs.len(); documents > maxPlanned && i > 0 {
			count = i
			break
		}
		if a.state.nextSeq > 1 {
			if ids == nil {
				ids = newWantedIDs(a.handle.shards)
			}
			a.unknownIDs(w.table, ids)
		}
	}
	writes := a.take(count)
	if ids.empty() {
		a.plan(writes, nil)
		return
	}
	a.lookup(writes, ids)
}

// refuseHopeless answers those of the writes that have to wait that no group can
// take now: they would wait for nothing.
func (a *sequencer) refuseHopeless() {
	p := newSequencePlan(a, nil)
	a.queue = slices.DeleteFunc(a.queue, func(w *write) bool {
		if w.swap || w.fail != nil {
			return false
		}
		lost := p.impossible(w)
		if lost.Empty() {
			return false
		}
		a.c.tell(w.coordinator, &unsequenced{noQuorumPossible(lost)})
		return true
	})
}

func (a *sequencer) take(n int) []*write {
	writes := a.queue[:n:n]
	a.queue = append([]*write(nil), a.queue[n:]...)
	return writes
}

// unknownIDs adds the ids whose numbers only the nodes know.
func (a *sequencer) unknownIDs(t *idTable, ids *wantedIDs) {
	t.each(func(i int) {
		id := t.docs.look(i)
		if _, known := a.overlay.get(id); !known {
			ids.add(id, int(t.docs.shards[i]), t.distinct >= largeFrom)
		}
	})
}

// lookup asks the nodes for the insertion numbers of ids.
func (a *sequencer) lookup(writes []*write, ids *wantedIDs) {
	a.busy = true
	c, h, inc, pk, self := a.c, a.handle, a.incarnation, a.state.pk, a.handle.pid.Load()
	res := &lookedUp{incarnation: inc, writes: writes, err: api.Internal("the lookup ended without a result")}
	c.spawn("lookup", func() {
		defer func() { c.tell(self, res) }()
		ctx, cancel := context.WithTimeout(c.ctx, c.opts.WriteTimeout)
		defer cancel()
		res.found, res.err = c.lookupSeqs(ctx, h, pk, ids)
	}, nil)
}

func (a *sequencer) onLookedUp(m *lookedUp) {
	a.busy = false
	if m.err != nil {
		for _, w := range m.writes {
			a.c.tell(w.coordinator, &unsequenced{m.err})
		}
		a.pump()
		return
	}
	a.plan(m.writes, m.found)
}

// plan gives the writes their places and commits them.
func (a *sequencer) plan(writes []*write, found map[string]uint64) {
	p := newSequencePlan(a, found)
	for _, w := range writes {
		p.add(w)
	}
	a.commit(p)
}

// planUndo takes settings back, and orders leftovers to be removed.
func (a *sequencer) planUndo() {
	p := newSequencePlan(a, nil)
	for _, e := range a.undo {
		p.takeBack(e)
	}
	for _, m := range a.leftovers {
		p.removeLeftovers(m)
	}
	a.undo, a.leftovers = nil, nil
	a.commit(p)
}

func (a *sequencer) commit(p *sequencePlan) {
	if p.empty() {
		a.pump()
		return
	}
	a.busy, a.handle.committing = true, true
	c, self := a.c, a.handle.pid.Load()
	res := &committed{plan: p, err: store.ErrUnavailable}
	c.spawn("commit", func() {
		defer func() { c.tell(self, res) }()
		res.err = c.commitInOrder(p.batch)
	}, nil)
}

// onCommitted sends what is durable on its way. It needs nothing of the
// incarnation that made the plan.
func (a *sequencer) onCommitted(m *committed) {
	a.busy, a.handle.committing = false, false
	if !a.ready {
		defer a.readStore(a.handle.pid.Load())
	}
	if m.err != nil {
		a.c.log.WithError(m.err).Error("the store cannot write")
		a.c.registry.unclaim(m.plan.moves)
		for _, s := range m.plan.steps {
			if s.write != nil {
				a.c.tell(s.write.coordinator, &unsequenced{storeUnavailable(m.err)})
			}
			if again := s.tried; again != nil {
				self := a.handle.pid.Load()
				time.AfterFunc(time.Second, func() { a.c.tell(self, again) })
			}
		}
		a.pump()
		return
	}
	a.state = m.plan.state
	a.state.publish(a.handle)
	m.plan.publishNames(a.c.registry, a.handle)
	for _, s := range m.plan.steps {
		for _, e := range s.entries {
			a.lastLSN = e.row.LSN
			for _, d := range a.handle.watching {
				d.write(e.row.Kind, s.staged)
			}
			switch {
			case e.row.Kind == kindRenameIndex:
				a.window.close(e)
			case e.row.Kind == kindClear:
				a.overlay.clear(e.row.LSN)
			case dropsUnnamed(e.row.Kind):
				a.barrier = e.row.LSN
			case e.row.Kind == kindAddDocuments, e.row.Kind == kindDeleteByID:
				a.overlay.put(e.row.LSN, s.staged)
			}
			switch e.row.Kind {
			case kindTryEdit:
				a.trial = e.row.LSN
			case kindEdit:
				a.trial = 0
			}
			if s.patch != nil && e.row.Kind == kindSettings {
				a.state.open = append(a.state.open, openSettings{e.row.LSN, s.patch})
			}
		}
		var to *actor.PID
		if s.write != nil {
			to = s.write.coordinator
			a.c.tell(to, &sequenced{s.task, s.entries})
		}
		a.c.tell(a.c.keeper, &track{task: s.task, entries: s.entries, final: s.final})
		a.dispatch(s.entries, to)
	}
	a.pump()
}

// dispatch tells the lanes, after the task keeper has been told. Saying it twice
// does no harm.
func (a *sequencer) dispatch(entries []*entry, coordinator *actor.PID) {
	for i, e := range entries {
		if a.window.holds(e) {
			a.hold(entries[i:], coordinator)
			return
		}
		for _, n := range e.targets() {
			a.c.tell(a.c.nodes[n].pid, &deliver{entry: e, coordinator: coordinator})
		}
	}
}

// publish shows coordinators what documents are resolved and checked for.
func (s *indexState) publish(h *indexHandle) {
	h.checks.Store(s.checks)
	if s.pk == "" {
		h.pk.Store(nil)
		return
	}
	pk := s.pk
	h.pk.Store(&pk)
}

func storeUnavailable(err error) *api.Error {
	return api.Errorf("miroir_store_unavailable", "Miroir cannot write to its store, so it takes no writes: %v. Searches go on.", err)
}
