package actors

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/store"
	"github.com/miroir-search/miroir/topology"
)

// Messages of the task keeper.
type (
	// track tells of a committed task and its entries.
	track struct {
		task    *store.Task // nil for entries whose task has finished
		entries []*entry
		final   map[string]int64
	}
	// deliveryStarted says that a node works on an entry.
	deliveryStarted struct{ lsn int64 }
	// deliveryChanged says how a node's part of an entry moved on.
	deliveryChanged struct {
		lsn       int64
		node      topology.NodeIndex
		state     store.DeliveryState
		nodeTasks []int64
		details   []json.RawMessage
		err       json.RawMessage
	}
	// nodeChanged says that a node's state is another one.
	nodeChanged struct {
		node  topology.NodeIndex
		state nodeState
	}
	// closedTask is the end of the commit that finishes a task.
	closedTask struct {
		task *openTask
		end  *store.Task
		err  error
	}
	// askSettled asks how far the entries of an index are settled.
	askSettled struct {
		indexID string
		upTo    int64 // the newest entry that was told of
		replyTo *actor.PID
	}
	// keeperRestored is what a restarted keeper finds in the store.
	keeperRestored struct {
		incarnation int
		tracks      []*track
		deliveries  []*store.Delivery
		rebuilds    map[rebuildKey]*rebuild
		err         error
	}
	// retryClose tries again to finish a task that could not be committed.
	retryClose struct{ task *openTask }
)

// taskKeeper follows every task to its end: it folds what the nodes did into
// one status, marks replicas that are behind, and changes the registry when a
// task takes effect.
type taskKeeper struct {
	c           *Cluster
	incarnation int
	restored    bool

	fifo    map[string][]*openTask // by index uid: tasks end in the order of each uid they name
	entries map[int64]*openEntry
	newest  map[string]int64 // by index id: the newest entry tracked
	states  []nodeState
	lag     lagTable
	undone  map[int64]bool // refused entries that another entry takes back

	trimming bool // entries are being given up, because the journal is near its limit

	reverted map[string]*entry // by index id: the last settings that were taken back

	retracting map[string]*retracting // by index id
	abandoned  map[int64]bool         // open tasks whose clients were told that no node took them
	waiting    []*restoreLane         // until retractions are committed
}

// openTask is a task that has not ended.
type openTask struct {
	row     *store.Task
	entries []*openEntry
	final   map[string]int64
	keys    []string // the index uids it names
	closing bool
}

// openEntry is an entry that some node has not ended.
type openEntry struct {
	e       *entry
	task    *openTask // nil once the task has ended
	parts   map[topology.NodeIndex]*part
	verdict verdict
	behind  []topology.NodeIndex
	err     json.RawMessage
}

func (k *taskKeeper) Receive(ctx actor.Context) {
	k.c.guard("task keeper", func() { k.receive(ctx) }, func(any) { k.keep(ctx.Message()) })
}

// keep gives the message that made the keeper panic a second try once the store
// was read again, because what nodes said is said once.
func (k *taskKeeper) keep(current any) {
	switch current.(type) {
	case actor.SystemMessage, actor.AutoReceiveMessage, *keeperRestored, *retractCommitted, *crash:
		current = nil
	}
	for _, m := range k.waiting {
		k.c.early = append(k.c.early, m)
	}
	if k.restored && current != nil {
		k.c.early = append(k.c.early, current)
	}
}

func (k *taskKeeper) receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		k.started()
		return
	case *keeperRestored:
		k.onRestored(ctx.Self(), m)
		return
	case *retractCommitted:
		k.onRetractCommitted(m)
		return
	case *crash:
		panic("asked to crash: " + m.why)
	}
	switch ctx.Message().(type) {
	case actor.SystemMessage, actor.AutoReceiveMessage:
		return
	}
	if !k.restored {
		k.c.early = append(k.c.early, ctx.Message())
		return
	}
	k.handle(ctx.Message())
}

func (k *taskKeeper) handle(msg any) {
	switch m := msg.(type) {
	case *track:
		k.onTrack(m)
	case *deliveryStarted:
		k.onStarted(m)
	case *deliveryChanged:
		k.onChanged(m)
	case *nodeChanged:
		k.onNode(m)
	case *retract:
		k.onRetract(m)
	case *heldUnsent:
		k.onHeld(m)
	case *endRetract:
		k.onEndRetract(m)
	case *closedTask:
		k.onClosed(m)
	case *retryClose:
		m.task.closing = false
		k.closeNext(m.task)
	case *askSettled:
		k.c.tell(m.replyTo, &settled{k.settledUpTo(m.indexID, m.upTo)})
	case *restoreLane:
		k.onRestoreLane(m)
	case *needRebuild:
		k.onNeedRebuild(m)
	case *rebuilt:
		k.onRebuilt(m)
	case *recordChanged:
		k.closeAll(m.keys)
	case *askApplied:
		k.onAskApplied(m)
	case *resetNode:
		k.onResetNode(m)
	case *journalTrimmed:
		k.onTrimmed(m)
	case *askSwitch:
		k.onAskSwitch(m)
	case *switched:
		k.onSwitched(m)
	case *askLeftovers:
		k.onAskLeftovers(m)
	case *askOwed:
		k.onAskOwed(m)
	}
}

func (k *taskKeeper) started() {
	k.incarnation = int(k.c.incarnations.Add(1))
	k.fifo, k.entries = map[string][]*openTask{}, map[int64]*openEntry{}
	k.newest, k.undone, k.reverted = map[string]int64{}, map[int64]bool{}, map[string]*entry{}
	k.retracting, k.abandoned = map[string]*retracting{}, map[int64]bool{}
	k.states = slices.Clone(k.c.views.load().states)
	k.lag = lagTable{views: k.c.views}
	k.readStore()
}

// readStore reads what there is to follow, once no retraction of the incarnation
// before is being committed: it must be read too.
func (k *taskKeeper) readStore() {
	if k.c.retractions > 0 {
		return
	}
	self := k.c.keeper
	res := &keeperRestored{incarnation: k.incarnation, err: errNodeRestarting}
	k.c.spawn("task keeper restore", func() {
		defer func() { k.c.tell(self, res) }()
		*res = *k.c.restoreTasks()
		res.incarnation = k.incarnation
	}, nil)
}

func (k *taskKeeper) onRestored(self *actor.PID, m *keeperRestored) {
	if m.incarnation != k.incarnation {
		return
	}
	if m.err != nil {
		k.c.log.WithError(m.err).Error("cannot read the tasks from the store; trying again")
		time.AfterFunc(time.Second, func() { k.c.tell(self, &actor.Started{}) })
		return
	}
	k.c.rebuilds.replace(m.rebuilds)
	for key, r := range m.rebuilds {
		k.lag.record(key, r.shards)
	}
	for _, t := range m.tracks {
		k.onTrack(t)
	}
	for _, d := range m.deliveries {
		n, ok := k.c.fleet.Lookup(d.NodeID)
		oe := k.entries[d.LSN]
		if !ok || oe == nil || oe.parts[n] == nil {
			continue
		}
		p := oe.parts[n]
		p.state, p.nodeTasks, p.err = d.State, d.NodeTasks, d.Error
		_ = json.Unmarshal(d.Details, &p.details) // written by us
		k.showSettings(oe, n)
	}
	for _, oe := range k.entries {
		k.evaluate(oe)
		if oe.task != nil {
			continue
		}
		k.markBehind(oe)
		k.dropRest(oe)
		if k.mustUndo(oe) {
			k.c.takeBack(oe.e)
		}
		k.finishEntry(oe)
	}
	k.lag.publishAll()
	k.c.tell(k.c.repairer, &repairDue{})
	k.restoreReverted()
	k.restored = true
	for key := range k.fifo {
		k.close(key)
	}
	for id := range k.newest {
		k.c.tellSequencer(id, &settled{k.settledUpTo(id, 0)})
	}
	for n := range k.c.nodes {
		// A former keeper may have stopped a lane and forgotten it.
		k.c.tell(k.c.nodes[n].pid, &endHold{all: true})
	}
	for len(k.c.early) > 0 {
		msg := k.c.early[0]
		k.c.early = k.c.early[1:] // first, so that a message that cannot be handled comes once
		k.handle(msg)
	}
}

func (k *taskKeeper) up(n topology.NodeIndex) bool { return k.states[n].up() }

// mayCome reports whether a node is in service, or was not looked at yet.
func (k *taskKeeper) mayCome(n topology.NodeIndex) bool {
	return k.up(n) || k.states[n] == stateProbing
}

func (k *taskKeeper) onTrack(m *track) {
	if k.outdated(m) {
		return
	}
	var ot *openTask
	if m.task != nil && !m.task.Finished() {
		if ot = k.find(m.task); ot == nil {
			ot = &openTask{row: m.task, final: m.final, keys: uidsOf(m.task)}
			for _, key := range ot.keys {
				k.fifo[key] = append(k.fifo[key], ot)
			}
		}
	}
	for _, e := range m.entries {
		if e.row.LSN <= k.newest[e.row.IndexID] {
			continue
		}
		k.newest[e.row.IndexID] = e.row.LSN
		owner := ot
		if e.p.Undo != 0 {
			owner = nil // it is no part of the task that it cleans up after
			k.undone[e.p.Undo] = true
		}
		oe := &openEntry{e: e, task: owner, parts: map[topology.NodeIndex]*part{}}
		for _, n := range e.targets() {
			oe.parts[n] = &part{state: store.DeliveryPending}
		}
		k.entries[e.row.LSN] = oe
		if owner != nil {
			ot.entries = append(ot.entries, oe)
		} else {
			oe.verdict = carriedOut
			if e.p.Refused {
				oe.verdict = refusedByNodes
			}
			if k.restored { // else once the deliveries are known
				k.markBehind(oe)
				k.dropRest(oe)
			}
		}
		k.evaluate(oe)
		if refused := k.entries[e.p.Undo]; refused != nil {
			k.finishEntry(refused)
		}
		if owner == nil && len(oe.parts) == 0 && k.restored {
			k.finishEntry(oe) // nobody is asked
		}
	}
	if ot != nil && k.restored {
		k.closeNext(ot)
	}
}

// outdated reports whether a task that is told of again has ended since its row was
// read.
func (k *taskKeeper) outdated(m *track) bool {
	if m.task == nil || len(m.entries) == 0 || k.find(m.task) != nil {
		return false
	}
	return !slices.ContainsFunc(m.entries, func(e *entry) bool { return e.row.LSN > k.newest[e.row.IndexID] })
}

// find returns the open task of a row, by uid.
func (k *taskKeeper) find(t *store.Task) *openTask {
	for _, ot := range k.fifo[uidsOf(t)[0]] {
		if ot.row.UID == t.UID {
			return ot
		}
	}
	return nil
}

func (k *taskKeeper) onStarted(m *deliveryStarted) {
	oe := k.entries[m.lsn]
	if oe == nil || oe.task == nil || oe.task.closing || oe.task.row.Status != api.Enqueued {
		return
	}
	row := *oe.task.row
	row.Status, row.StartedAt = api.Processing, time.Now().UTC()
	oe.task.row = &row
	k.c.store.CommitLazily(&store.Batch{Tasks: []*store.Task{&row}})
}

func (k *taskKeeper) onChanged(m *deliveryChanged) {
	oe := k.entries[m.lsn]
	if oe == nil || oe.parts[m.node] == nil {
		return
	}
	p := oe.parts[m.node]
	if p.state == store.DeliveryRebuild {
		return // given up in the meantime
	}
	p.state, p.nodeTasks, p.details, p.err = m.state, m.nodeTasks, m.details, m.err
	if m.state == store.DeliveryFailed {
		switch code := errorCode(m.err); {
		case oe.e.row.Kind == kindCreateIndex && code == "index_already_exists": // internal ids are never reused: it was us, a moment before
			p.state, p.err = store.DeliveryApplied, nil
		case oe.e.row.Kind == kindRemoveLeftovers && code == "index_not_found": // nothing is left
			p.state, p.err = store.DeliveryApplied, nil
		}
	}
	if oe.e.row.Kind == kindDeleteIndex && m.state == store.DeliveryFailed && errorCode(m.err) == "index_not_found" {
		p.state, p.err = store.DeliveryApplied, nil // it is not there, as it must be
	}
	k.showSettings(oe, m.node)
	if takesBack(oe) && p.state == store.DeliveryApplied {
		k.takenBack(oe, m.node) // first, so that a crash does not find it done without
	}
	k.persist(oe, m.node)
	k.withoutSay(oe, m.node)
	k.evaluate(oe)
	if oe.task == nil && p.state == store.DeliveryApplied {
		k.lag.remove(oe.e, m.node)
	}
	k.finishEntry(oe)
	if oe.task != nil {
		k.closeNext(oe.task)
	}
}

// persist records a node's part, with the node's last task uid.
func (k *taskKeeper) persist(oe *openEntry, n topology.NodeIndex) {
	p, h := oe.parts[n], k.c.nodes[n]
	for _, uid := range p.nodeTasks {
		// Not the newest that was seen: that one's delivery may not be on record.
		h.recorded = max(h.recorded, uid)
	}
	k.c.store.CommitLazily(&store.Batch{
		Deliveries: []*store.Delivery{{
			LSN: oe.e.row.LSN, NodeID: h.node.ID, State: p.state, NodeTasks: p.nodeTasks,
			Details: mustJSON(p.details), Error: p.err, UpdatedAt: time.Now().UTC(),
		}},
		Values: map[string]json.RawMessage{nodeKey(h.node.ID): mustJSON(nodeRecord{Claimed: h.claimed.Load(), LastTask: h.recorded})},
	})
}

func (k *taskKeeper) onNode(m *nodeChanged) {
	k.states[m.node] = m.state
	defer k.trimJournal()
	keys := map[string]bool{}
	for _, oe := range k.entries {
		switch {
		case oe.parts[m.node] == nil:
		case oe.task != nil:
			k.evaluate(oe)
			for _, key := range oe.task.keys {
				keys[key] = true
			}
		default:
			k.markBehind(oe)
		}
	}
	k.closeAll(keys)
}

// closeAll ends what can be ended under some uids.
func (k *taskKeeper) closeAll(keys map[string]bool) {
	for key := range keys {
		k.close(key)
	}
}

// evaluate folds the parts of an entry whose task is open.
func (k *taskKeeper) evaluate(oe *openEntry) {
	switch {
	case oe.task == nil || oe.task.closing:
	case backsUp(oe.e.row.Kind):
		oe.verdict, oe.err = foldBackup(k.c.backupTables(), oe.parts, k.mayCome)
	default:
		oe.verdict, oe.behind, oe.err = fold(oe.e, oe.parts, k.up, k.c.rebuilds.shards(oe.e.row.IndexID))
	}
}

// markBehind publishes that the nodes that have not applied a carried out entry
// must not be read for its shards. Settings that are taken back reach nodes that
// are in service within moments; only the others are behind.
func (k *taskKeeper) markBehind(oe *openEntry) {
	if oe.verdict != carriedOut || leavesContent(oe.e.row.Kind) {
		return
	}
	for n, p := range oe.parts {
		if p.state != store.DeliveryApplied && p.state != store.DeliveryRebuild && (oe.e.p.Undo == 0 || !k.up(n)) {
			k.lag.add(oe.e, n)
		}
	}
}

// finishEntry lets go of an entry whose task has ended and which no node will
// move any more. A node that will never apply what was carried out is rebuilt; only
// when there is no other copy the entry stays: it is what the node lacks.
func (k *taskKeeper) finishEntry(oe *openEntry) {
	if oe.task != nil {
		return
	}
	k.distrust(oe)
	k.correct(oe)
	if k.mustUndo(oe) {
		return // a crash must find it again until what takes it back is durable
	}
	b, open := &store.Batch{}, k.stillHides(oe)
	for n, p := range oe.parts {
		switch {
		case !p.ended() || oe.lacks(n) && !k.rebuildInstead(oe, n, b):
			open = true
		case oe.mayHaveDone(n):
			k.rebuildInstead(oe, n, b)
		}
	}
	if open {
		if len(b.Deliveries) > 0 {
			k.c.store.CommitLazily(b)
		}
		return
	}
	delete(k.undone, oe.e.row.LSN)
	delete(k.entries, oe.e.row.LSN)
	row := *oe.e.row
	row.Done, row.Task = true, nil
	b.Entries = []*store.Entry{&row}
	switch row.Kind {
	case kindRemoveLeftovers:
		k.leftoversRemoved(oe, b)
	case kindDeleteIndex:
		b.ForgetIndexes = []string{row.IndexID}
		b.Values = map[string]json.RawMessage{placedKey(row.IndexID): nil}
		k.c.gone.add(row.IndexID, time.Now().UTC(), b)
		for n := range oe.parts {
			// It has the index still if it failed, and again if a rebuild wrote to it
			// behind the deletion.
			k.c.nodes[n].unswept.Store(true)
		}
		k.dropRecordsOf(row.IndexID)
		k.forgetEntriesOf(row.IndexID, b)
		k.c.registry.forget(row.IndexID)
	}
	k.c.store.CommitLazily(b)
}

// forgetEntriesOf lets go of what some node still lacks of a deleted index: all
// nodes have done what they will ever do about it.
func (k *taskKeeper) forgetEntriesOf(indexID string, b *store.Batch) {
	for lsn, oe := range k.entries {
		if oe.e.row.IndexID != indexID || oe.task != nil {
			continue
		}
		row := *oe.e.row
		row.Done, row.Task = true, nil
		b.Entries = append(b.Entries, &row)
		delete(k.entries, lsn)
		delete(k.undone, lsn)
	}
	k.lag.forget(indexID)
}

// showSettings publishes that a node has applied the settings of an entry.
func (k *taskKeeper) showSettings(oe *openEntry, n topology.NodeIndex) {
	if oe.e.row.Kind == kindSettings && oe.parts[n].state == store.DeliveryApplied {
		k.c.views.setSettings(n, oe.e.row.IndexID, oe.e.row.LSN)
	}
}

// correct turns the verdict of an entry that was given up, but that some node has
// applied after all: it is carried out, and the others lack it.
func (k *taskKeeper) correct(oe *openEntry) {
	if oe.verdict != refusedByNodes || !refusable(oe.e.row.Kind) || leavesContent(oe.e.row.Kind) {
		return
	}
	for _, p := range oe.parts {
		if p.state == store.DeliveryApplied {
			oe.verdict = carriedOut
			k.markBehind(oe)
			return
		}
	}
}

// refusable reports whether nodes may be of different minds about an entry, so
// that what one of them did must be followed by the others.
func refusable(kind string) bool { return kind != kindSettings && kind != kindCreateIndex }

// mustUndo reports whether a refused change of all nodes still waits for the
// entry that takes it back.
func (k *taskKeeper) mustUndo(oe *openEntry) bool {
	if oe.verdict != refusedByNodes || refusable(oe.e.row.Kind) || k.undone[oe.e.row.LSN] {
		return false
	}
	row, ok := k.c.registry.row(oe.e.row.IndexID)
	return ok && !row.Deleted
}

// settledUpTo is the newest entry of an index below which all are carried out.
// It has been told of all entries up to told, even if it holds none any more.
func (k *taskKeeper) settledUpTo(indexID string, told int64) int64 {
	lsn := max(told, k.newest[indexID])
	for _, oe := range k.entries {
		if oe.e.row.IndexID == indexID && oe.task != nil {
			lsn = min(lsn, oe.e.row.LSN-1)
		}
	}
	return lsn
}

// renaming gives, by index id, the first renaming whose task has not ended.
func (k *taskKeeper) renaming() map[string]*entry {
	first := map[string]*entry{}
	for _, oe := range k.entries {
		id := oe.e.row.IndexID
		if oe.e.row.Kind == kindRenameIndex && oe.task != nil && (first[id] == nil || oe.e.row.LSN < first[id].row.LSN) {
			first[id] = oe.e
		}
	}
	return first
}

// handOn tells the lanes what has waited for a renaming of an index: the sequencer
// that held it back may not run any more, nor start again when the index is being
// deleted. Where it does run, it says the same once more.
func (k *taskKeeper) handOn(indexID string) {
	next := k.renaming()[indexID]
	var waiting []*openEntry
	for _, oe := range k.entries {
		if oe.e.row.IndexID == indexID && (next == nil || !behind(oe.e, next)) {
			waiting = append(waiting, oe)
		}
	}
	slices.SortFunc(waiting, func(a, b *openEntry) int { return int(a.e.row.LSN - b.e.row.LSN) })
	for _, oe := range waiting {
		for n, p := range oe.parts {
			if p.state == store.DeliveryPending {
				k.c.tell(k.c.nodes[n].pid, &deliver{entry: oe.e})
			}
		}
	}
}

// onRestoreLane hands a restarted node actor what its node still has to do.
func (k *taskKeeper) onRestoreLane(m *restoreLane) {
	if k.laneLost(m.node) {
		k.waiting = append(k.waiting, m)
		return
	}
	res := &laneRestored{newest: k.newestOf(m.node)}
	renamed := k.renaming()
	for _, oe := range k.entries {
		p := oe.parts[m.node]
		if p == nil || p.ended() {
			continue
		}
		if first := renamed[oe.e.row.IndexID]; first != nil && behind(oe.e, first) && p.state == store.DeliveryPending {
			// The sequencer hands it on when the renaming has ended.
			res.newest[oe.e.row.IndexID] = min(res.newest[oe.e.row.IndexID], oe.e.row.LSN-1)
			continue
		}
		d := &delivery{entry: oe.e, nodeTasks: slices.Clone(p.nodeTasks)}
		if p.state == store.DeliveryAcked {
			res.acked = append(res.acked, d)
			continue
		}
		d.uncertain = true
		res.pending = append(res.pending, d)
	}
	for _, list := range [][]*delivery{res.pending, res.acked} {
		slices.SortFunc(list, func(a, b *delivery) int { return int(a.entry.row.LSN - b.entry.row.LSN) })
	}
	k.c.tell(m.replyTo, res)
}
