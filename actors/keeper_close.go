package actors

import (
	"encoding/json"
	"time"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/rawjson"
	"github.com/miroir-search/miroir/store"
	"github.com/miroir-search/miroir/topology"
)

// closeNext ends the tasks that wait in front under any uid of a task.
func (k *taskKeeper) closeNext(ot *openTask) {
	for _, key := range ot.keys {
		k.close(key)
	}
}

// close ends the first task of an index when all its entries are decided. Tasks
// of an index end in their order, and one that names several indexes after the
// earlier ones of all of them.
func (k *taskKeeper) close(key string) {
	queue := k.fifo[key]
	if len(queue) == 0 {
		delete(k.fifo, key)
		return
	}
	ot := queue[0]
	if ot.closing {
		return
	}
	for _, other := range ot.keys {
		if k.fifo[other][0] != ot {
			return
		}
	}
	failure := bornError(ot.row)
	for _, oe := range ot.entries {
		switch oe.verdict {
		case undecided:
			return
		case refusedByNodes:
			if failure == nil {
				failure = oe.err
			}
		case carriedOut:
		}
	}
	if failure == nil && k.editTried(ot) {
		return
	}
	ot.closing = true
	failure = editFailure(ot, failure)
	rows := k.takeEffect(ot, failure)
	end := k.ended(ot, failure)
	for _, oe := range ot.entries {
		k.distrust(oe) // before a rebuild can end that begins with what it applied
		k.markBehind(oe)
	}
	if len(rows) > 0 {
		if err := k.c.registry.put(rows...); err != nil {
			k.c.log.WithError(err).Error("cannot publish an index")
		}
	}
	c, batch, backup := k.c, &store.Batch{Tasks: []*store.Task{end}, Indexes: rows}, k.backupEnd(ot)
	if failure == nil {
		batch.SwapTaskUIDs = uidSwaps(end)
	}
	for _, oe := range ot.entries {
		if oe.verdict == refusedByNodes {
			batch.Entries = append(batch.Entries, oe.e.refusedRow())
		}
	}
	res := &closedTask{task: ot, end: end, err: errNodeRestarting}
	c.spawn("finish task", func() {
		defer func() { c.tell(c.keeper, res) }()
		if backup != nil {
			if res.err = c.endBackup(backup, end); res.err != nil {
				return
			}
		}
		res.err = c.store.Commit(c.ctx, batch)
	}, nil)
}

// bornError is the error that a task was given when it was made.
func bornError(t *store.Task) json.RawMessage {
	if len(t.Error) == 0 || string(t.Error) == "null" {
		return nil
	}
	return t.Error
}

// takeEffect computes the index rows that the task changes.
func (k *taskKeeper) takeEffect(ot *openTask, failure json.RawMessage) []*store.Index {
	var rows []*store.Index
	for _, oe := range ot.entries {
		if oe.verdict != carriedOut {
			if k.mustUndo(oe) {
				k.c.takeBack(oe.e)
			}
			continue
		}
		row, ok := k.c.registry.row(oe.e.row.IndexID)
		if !ok {
			continue
		}
		row.UpdatedAt = time.Now().UTC()
		switch p := oe.e.p; oe.e.row.Kind {
		case kindCreateIndex:
			row.Visible = true
			row.PrimaryKey = p.PrimaryKey
		case kindUpdateIndex, kindAddDocuments:
			if p.PrimaryKey != "" && failure == nil {
				row.PrimaryKey = p.PrimaryKey
			}
		case kindSettings:
			row.Settings = p.Settings
			if undo := k.reverted[row.ID]; undo != nil && undo.row.LSN > oe.e.row.LSN {
				row.Settings = undo.p.Settings
			}
		case kindDeleteIndex:
			row.Deleted = true
		case kindRenameIndex:
			row.UID = p.UID
		}
		if len(rows) > 0 && rows[len(rows)-1].ID == row.ID {
			merged := mergeRows(rows[len(rows)-1], &row, oe.e.row.Kind)
			rows[len(rows)-1] = merged
			continue
		}
		rows = append(rows, &row)
	}
	return rows
}

// mergeRows applies a second entry of the same task on top of a first.
func mergeRows(first, second *store.Index, kind string) *store.Index {
	row := *first
	switch kind {
	case kindAddDocuments, kindUpdateIndex:
		row.PrimaryKey = second.PrimaryKey
	case kindSettings:
		row.Settings = second.Settings
	case kindDeleteIndex:
		row.Deleted = true
	case kindRenameIndex:
		row.UID = second.UID
	}
	return &row
}

// ended is the row of a task at its end.
func (k *taskKeeper) ended(ot *openTask, failure json.RawMessage) *store.Task {
	row := *ot.row
	now := time.Now().UTC()
	row.FinishedAt = now
	if row.StartedAt.IsZero() {
		row.StartedAt = row.EnqueuedAt
	}
	row.Status, row.Error = api.Succeeded, nil
	if failure != nil {
		row.Status, row.Error = api.Failed, k.c.clientSafe(failure)
	}
	row.Details = k.details(ot, failure != nil)
	return &row
}

// details completes the counts of a task: what was decided when it was ordered,
// and what only the nodes could count. A failed task did nothing.
func (k *taskKeeper) details(ot *openTask, failed bool) json.RawMessage {
	d := ot.row.Details
	set := func(name string, n int64) {
		if failed {
			n = 0
		}
		d = rawjson.Set(nil, d, name, mustJSON(n))
	}
	for name, n := range ot.final {
		set(name, n)
	}
	for _, oe := range ot.entries {
		for name, n := range oe.e.p.Final {
			set(name, n)
		}
		switch oe.e.row.Kind {
		case kindDump:
			if !failed {
				d = rawjson.Set(nil, d, "dumpUid", mustJSON(oe.e.p.Backup))
			}
		case kindClear, kindDeleteByFilter, kindDeleteIndex:
			if n, ok := countOnce(oe.e, oe.parts, "deletedDocuments"); ok || failed {
				set("deletedDocuments", n)
			}
		case kindEdit:
			for _, name := range []string{"deletedDocuments", "editedDocuments"} {
				if n, ok := countOnce(oe.e, oe.parts, name); ok && !failed {
					set(name, n)
				}
			}
		case kindCompact:
			for _, name := range []string{"preCompactionSize", "postCompactionSize"} {
				if size, ok := sumSizes(oe.e, oe.parts, name); ok && !failed {
					d = rawjson.Set(nil, d, name, mustJSON(size))
				}
			}
		}
	}
	if failed {
		return zeroCounts(d)
	}
	return d
}

// onClosed lets the next task of the index end, once this end is durable.
func (k *taskKeeper) onClosed(m *closedTask) {
	ot := m.task
	if m.err != nil {
		k.c.log.WithError(m.err).Error("the end of a task cannot be written; trying again")
		time.AfterFunc(time.Second, func() { k.c.tell(k.c.keeper, &retryClose{ot}) })
		return
	}
	ot.row = m.end
	delete(k.abandoned, ot.row.UID)
	for _, key := range ot.keys {
		if queue := k.fifo[key]; len(queue) > 0 && queue[0] == ot {
			k.fifo[key] = queue[1:]
		}
	}
	touched := map[string]bool{} // whether it was renamed
	for _, oe := range ot.entries {
		oe.task = nil
		touched[oe.e.row.IndexID] = touched[oe.e.row.IndexID] || oe.e.row.Kind == kindRenameIndex
		if oe.verdict == carriedOut && oe.e.row.Kind == kindDeleteIndex {
			k.dropRecordsOf(oe.e.row.IndexID)
		}
		if oe.verdict == carriedOut {
			// A part that was applied while the end was being written.
			for n, p := range oe.parts {
				if p.state == store.DeliveryApplied {
					k.lag.remove(oe.e, n)
				}
			}
		}
		k.dropRest(oe)
		if undo := k.reverted[oe.e.row.IndexID]; oe.e.row.Kind == kindSettings && undo != nil && undo.row.LSN > oe.e.row.LSN {
			k.showReverted(undo) // the end of the task may have been written later than that
		}
		if oe.e.p.Backup != "" {
			k.c.backups.Delete(oe.e.p.Backup)
		}
		k.finishEntry(oe)
	}
	for id, renamed := range touched {
		k.finishUndos(id)
		if renamed {
			k.handOn(id)
		}
		msg := &settled{k.settledUpTo(id, 0)}
		if h, is := k.c.registry.handleByID(id); is && renamed {
			k.c.tell(k.c.root, &toSequencer{h, msg}) // which has entries to hand on, even if it does not run yet
			continue
		}
		k.c.tellSequencer(id, msg)
	}
	k.c.metrics.tasks.WithLabelValues(ot.row.Status).Inc()
	k.closeNext(ot)
	k.trimJournal()
}

// lagTable counts, per node, index and shard, the carried out entries that a
// node has not applied, and publishes which shards are behind: these, and those
// that are to be rebuilt.
type lagTable struct {
	views   *views
	counts  map[rebuildKey]*lagCounts
	records map[rebuildKey]topology.ShardSet
}

type lagCounts struct {
	shards  []int
	entries map[int64]bool
}

// add counts an entry against a node, once.
func (l *lagTable) add(e *entry, n topology.NodeIndex) { l.change(e, n, true) }

// remove takes it off again.
func (l *lagTable) remove(e *entry, n topology.NodeIndex) { l.change(e, n, false) }

// forget takes off everything about an index that is no more.
func (l *lagTable) forget(indexID string) {
	for key := range l.counts {
		if key.index == indexID {
			delete(l.counts, key)
			l.publish(key)
		}
	}
}

func (l *lagTable) change(e *entry, n topology.NodeIndex, behind bool) {
	if e.need.Empty() {
		return // there is nothing to read that would lack it
	}
	if l.counts == nil {
		l.counts = map[rebuildKey]*lagCounts{}
	}
	key := rebuildKey{n, e.row.IndexID}
	lc := l.counts[key]
	if lc == nil {
		lc = &lagCounts{shards: make([]int, e.table.Shards()), entries: map[int64]bool{}}
		l.counts[key] = lc
	}
	if lc.entries[e.row.LSN] == behind {
		return
	}
	step := 1
	if behind {
		lc.entries[e.row.LSN] = true
	} else {
		delete(lc.entries, e.row.LSN)
		step = -1
	}
	for s := range e.need.And(e.table.Held(n)).All() {
		lc.shards[s] += step
	}
	if len(lc.entries) == 0 {
		delete(l.counts, key)
	}
	l.publish(key)
}

// record publishes the shards that are to be rebuilt; an empty set for none.
func (l *lagTable) record(key rebuildKey, shards topology.ShardSet) {
	if l.records == nil {
		l.records = map[rebuildKey]topology.ShardSet{}
	}
	l.records[key] = shards
	if shards.Empty() {
		delete(l.records, key)
	}
	l.publish(key)
}

func (l *lagTable) publish(key rebuildKey) {
	set := l.records[key].Clone()
	if lc := l.counts[key]; lc != nil {
		if set.Empty() {
			set = topology.NewShardSet(len(lc.shards))
		}
		for s, n := range lc.shards {
			if n > 0 {
				set.Add(s)
			}
		}
	}
	l.views.setBehind(key.node, key.index, set)
}

// publishAll clears what an earlier table has published and this one does not know.
func (l *lagTable) publishAll() {
	for n, behind := range l.views.load().behind {
		for id := range behind {
			l.publish(rebuildKey{n, id})
		}
	}
}
