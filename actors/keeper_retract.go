package actors

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/store"
	"github.com/miroir-search/miroir/topology"
)

// retracting is a retraction of the last tasks of one index under way. Every lane
// stops at their entries; when all could, the tasks end and the entries are
// dropped, in one commit.
type retracting struct {
	indexID string
	by      *int64
	replyTo *actor.PID
	tasks   []*openTask // newest first
	ends    []*store.Task
	asked   map[topology.NodeIndex][]int64        // the entries that a lane was asked to stop at
	held    map[topology.NodeIndex]map[int64]bool // its reply
	commits bool
}

// retractCommitted is the end of a retraction's commit.
type retractCommitted struct {
	r   *retracting
	err error
}

func (k *taskKeeper) onRetract(m *retract) {
	if k.retracting[m.indexID] != nil { // of a coordinator that is gone: it ends by itself
		k.c.tell(m.replyTo, &retracted{indexID: m.indexID})
		return
	}
	if m.by == nil {
		k.giveUp(m.wanted)
	}
	r := &retracting{
		indexID: m.indexID, by: m.by, replyTo: m.replyTo,
		asked: map[topology.NodeIndex][]int64{}, held: map[topology.NodeIndex]map[int64]bool{},
	}
	k.retracting[m.indexID] = r
	r.tasks = k.lastTasks(m)
	for _, ot := range r.tasks {
		for _, oe := range ot.entries {
			for n := range oe.parts {
				r.asked[n] = append(r.asked[n], oe.e.row.LSN)
			}
		}
	}
	for n, lsns := range r.asked {
		k.c.tell(k.c.nodes[n].pid, &holdUnsent{indexID: m.indexID, lsns: lsns, replyTo: k.c.keeper})
	}
	k.retractHeld(r)
}

// giveUp remembers open tasks that no node could take: one that a later task holds
// fast may go together with that one.
func (k *taskKeeper) giveUp(wanted map[int64]bool) {
	for _, queue := range k.fifo {
		for _, ot := range queue {
			if wanted[ot.row.UID] {
				k.abandoned[ot.row.UID] = true
			}
		}
	}
}

// lastTasks lists the tasks at the end of an index's order, newest first, that are
// wanted and that no node is known to have been handed; before them those without
// entries, which stand in nobody's way.
func (k *taskKeeper) lastTasks(m *retract) []*openTask {
	var out []*openTask
	wanted := func(ot *openTask) bool {
		return ot != nil && !ot.closing && (m.wanted[ot.row.UID] || k.abandoned[ot.row.UID])
	}
	for _, queue := range k.fifo {
		for _, ot := range queue {
			if len(ot.entries) == 0 && ot.row.IndexID == m.indexID && wanted(ot) && !slices.Contains(out, ot) {
				out = append(out, ot)
			}
		}
	}
	var entries []*openEntry
	for _, oe := range k.entries {
		if oe.e.row.IndexID == m.indexID {
			entries = append(entries, oe)
		}
	}
	slices.SortFunc(entries, func(a, b *openEntry) int { return cmp.Compare(b.e.row.LSN, a.e.row.LSN) })
	for len(entries) > 0 {
		ot := entries[0].task
		if !wanted(ot) || len(ot.entries) > len(entries) {
			break
		}
		steps := entries[:len(ot.entries)]
		if slices.ContainsFunc(steps, func(oe *openEntry) bool { return oe.task != ot || !oe.retractable() }) {
			break
		}
		out = append(out, ot)
		entries = entries[len(steps):]
	}
	return out
}

// retractable reports whether an entry may be dropped as far as is known here. A
// name that was given or freed is used by others at once.
func (oe *openEntry) retractable() bool {
	if oe.e.row.Kind == kindRenameIndex || oe.e.row.Kind == kindDeleteIndex {
		return false
	}
	for _, p := range oe.parts {
		if p.state != store.DeliveryPending || len(p.nodeTasks) > 0 {
			return false
		}
	}
	return true
}

func (k *taskKeeper) onHeld(m *heldUnsent) {
	r := k.retracting[m.indexID]
	if r == nil || r.commits || r.held[m.node] != nil || r.asked[m.node] == nil {
		k.c.tell(k.c.nodes[m.node].pid, &endHold{lsns: m.held})
		return
	}
	r.held[m.node] = map[int64]bool{}
	for _, lsn := range m.held {
		r.held[m.node][lsn] = true
	}
	k.retractHeld(r)
}

// retractHeld goes on once every lane has answered: the tasks from the newest back
// to the first that some lane could not stop at are taken back.
func (k *taskKeeper) retractHeld(r *retracting) {
	if len(r.held) < len(r.asked) {
		return
	}
	var kept []*openTask
	last := true
	keep, rest := map[topology.NodeIndex][]int64{}, map[topology.NodeIndex][]int64{}
	for _, ot := range r.tasks {
		ok := k.allHeld(r, ot)
		if len(ot.entries) > 0 {
			last = last && ok
			ok = last
		}
		into := rest
		if ok {
			kept, into = append(kept, ot), keep
		}
		for _, oe := range ot.entries {
			for n := range oe.parts {
				into[n] = append(into[n], oe.e.row.LSN)
			}
		}
	}
	k.endHolds(rest, false)
	if r.tasks, r.asked = kept, keep; len(kept) == 0 {
		k.endRetracting(r, 0)
		return
	}
	k.commitRetraction(r)
}

func (k *taskKeeper) allHeld(r *retracting, ot *openTask) bool {
	if ot.closing {
		return false
	}
	for _, oe := range ot.entries {
		if !oe.retractable() {
			return false
		}
		for n := range oe.parts {
			if !r.held[n][oe.e.row.LSN] {
				return false
			}
		}
	}
	return true
}

// commitRetraction ends the tasks and drops their entries.
func (k *taskKeeper) commitRetraction(r *retracting) {
	r.commits = true
	k.c.retractions++
	b := &store.Batch{Values: map[string]json.RawMessage{}}
	for _, ot := range r.tasks {
		ot.closing = true
		end := k.takenOut(ot, r.by)
		r.ends = append(r.ends, end)
		b.Tasks = append(b.Tasks, end)
		for _, oe := range ot.entries {
			row := *oe.e.row
			row.Done, row.Task = true, nil
			b.Entries = append(b.Entries, &row)
			for n := range oe.parts {
				b.Deliveries = append(b.Deliveries, &store.Delivery{
					LSN: row.LSN, NodeID: k.c.nodes[n].node.ID, State: store.DeliveryDropped, UpdatedAt: end.FinishedAt,
				})
			}
			if row.Kind == kindCreateIndex {
				b.ForgetIndexes = append(b.ForgetIndexes, row.IndexID)
				b.Values[seqKey(row.IndexID)] = nil
			}
		}
	}
	c, res := k.c, &retractCommitted{r: r, err: errNodeRestarting}
	c.spawn("retraction", func() {
		defer func() { c.tell(c.keeper, res) }()
		res.err = c.store.Commit(c.ctx, b)
	}, nil)
}

// takenOut is the end of a task that was taken back.
func (k *taskKeeper) takenOut(ot *openTask, by *int64) *store.Task {
	row := *ot.row
	row.FinishedAt = time.Now().UTC()
	if row.StartedAt.IsZero() {
		row.StartedAt = row.FinishedAt
	}
	row.Details = k.details(ot, true)
	if by == nil || k.abandoned[row.UID] {
		row.Status, row.Error = api.Failed, droppedError
	} else {
		row.Status, row.Error, row.CanceledBy = api.Canceled, nil, by
	}
	return &row
}

// onRetractCommitted lets go of what was dropped. It may be of a former
// incarnation: then only the lanes need to be told.
func (k *taskKeeper) onRetractCommitted(m *retractCommitted) {
	k.c.retractions--
	r := m.r
	if m.err != nil {
		k.c.log.WithError(m.err).Error("tasks cannot be taken back: the store cannot write")
	}
	k.endHolds(r.asked, m.err == nil)
	switch {
	case k.retracting[r.indexID] != r:
		if m.err == nil {
			k.unmake(r)
			k.c.tell(r.replyTo, &retracted{indexID: r.indexID, tasks: len(r.tasks)})
		}
		k.readStore()
		return
	case m.err != nil:
		for _, ot := range r.tasks {
			ot.closing = false
		}
		k.endRetracting(r, 0)
		for _, ot := range r.tasks {
			k.closeNext(ot)
		}
		return
	}
	for i, ot := range r.tasks {
		ot.row = r.ends[i]
		for _, key := range ot.keys {
			k.fifo[key] = slices.DeleteFunc(k.fifo[key], func(o *openTask) bool { return o == ot })
		}
		for _, oe := range ot.entries {
			delete(k.entries, oe.e.row.LSN)
		}
		delete(k.abandoned, ot.row.UID)
		k.c.metrics.tasks.WithLabelValues(ot.row.Status).Inc()
	}
	k.unmake(r)
	k.endRetracting(r, len(r.tasks))
	k.c.tellSequencer(r.indexID, &settled{k.settledUpTo(r.indexID, 0)})
	for _, ot := range r.tasks {
		k.closeNext(ot)
	}
}

// unmake forgets the index whose making was taken back, and the backup.
func (k *taskKeeper) unmake(r *retracting) {
	for _, ot := range r.tasks {
		for _, oe := range ot.entries {
			if oe.e.row.Kind == kindCreateIndex {
				k.c.registry.unmade(oe.e.row.IndexID)
				k.dropRecordsOf(oe.e.row.IndexID)
			}
			if backsUp(oe.e.row.Kind) {
				k.c.dropBackup(oe.e.row.Kind, oe.e.p.Backup)
			}
		}
	}
}

func (k *taskKeeper) onEndRetract(m *endRetract) {
	r := k.retracting[m.indexID]
	if r != nil && r.commits {
		return // its end is the answer
	}
	if r != nil {
		k.endHolds(r.asked, false)
		delete(k.retracting, m.indexID)
	}
	k.c.tell(m.replyTo, &retracted{indexID: m.indexID})
}

// laneLost gives up what needs the word of a lane that was lost. It reports true
// when a commit must end first.
func (k *taskKeeper) laneLost(n topology.NodeIndex) (wait bool) {
	for _, r := range k.retracting {
		switch {
		case r.asked[n] == nil:
		case r.commits:
			wait = true
		default:
			k.endHolds(r.asked, false)
			k.endRetracting(r, 0)
		}
	}
	return wait
}

func (k *taskKeeper) endRetracting(r *retracting, tasks int) {
	delete(k.retracting, r.indexID)
	k.c.tell(r.replyTo, &retracted{indexID: r.indexID, tasks: tasks})
	for len(k.waiting) > 0 {
		m := k.waiting[0]
		k.waiting = k.waiting[1:]
		k.onRestoreLane(m)
	}
}

func (k *taskKeeper) endHolds(lsns map[topology.NodeIndex][]int64, drop bool) {
	for n, list := range lsns {
		k.c.tell(k.c.nodes[n].pid, &endHold{lsns: list, drop: drop})
	}
}
