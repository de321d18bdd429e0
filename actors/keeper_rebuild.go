package actors

import (
	"bytes"
	"encoding/json"
	"errors"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/sirupsen/logrus"

	"github.com/miroir-search/miroir/store"
	"github.com/miroir-search/miroir/topology"
)

// Messages of the task keeper about rebuilds.
type (
	// needRebuild asks for the shards of an index on a node to be made equal to
	// healthy copies. Asking again widens the set and starts anew.
	needRebuild struct {
		node    topology.NodeIndex
		indexID string
		shards  topology.ShardSet
		reason  string
		// recorded, when set, is called once the wish is durable, or cannot be
		// met: there is no other copy, or no such index. It must be quick.
		recorded func(err error)
	}
	// recordGone tells those who watch that a copy is rebuilt, or that its index is
	// deleted.
	recordGone struct {
		node    topology.NodeIndex
		indexID string
	}
	// rebuilt says that a copy was seen to be equal to the sources.
	rebuilt struct {
		key        rebuildKey
		generation int64
		lastTask   int64 // the node's newest task of the index
		sources    []topology.NodeIndex
		done       chan<- bool // whether the record is gone
	}
	// resetNode says that a node has lost data: it came back empty, or with an older
	// copy.
	resetNode struct {
		node     topology.NodeIndex
		reason   string
		claimed  bool  // it still has the marker of this cluster
		lastTask int64 // its newest task, -1 for none
		replyTo  *actor.PID
	}
	// nodeReset is the reply. Once err is nil everything that the node holds is going
	// to be rebuilt, and nothing up to newest, by index id, is to be sent to it.
	nodeReset struct {
		reason   string
		lastTask int64
		newest   map[string]int64
		err      error
	}
	// recordChanged says that a record was opened, widened or dropped, so that tasks
	// under some uids may end.
	recordChanged struct{ keys map[string]bool }
	// askApplied asks whether all entries of an index up to an LSN have ended on
	// some nodes, and their tasks too.
	askApplied struct {
		indexID string
		upTo    int64
		nodes   []topology.NodeIndex
		reply   chan<- bool
	}
)

// Why there is nothing to rebuild.
var (
	errNoSuchIndex = errors.New("there is no such index any more")
	errNoOtherCopy = errors.New("there is no other copy to rebuild it from")
)

// needRebuild asks the task keeper for a rebuild.
func (c *Cluster) needRebuild(n topology.NodeIndex, indexID string, shards topology.ShardSet, reason string) {
	c.tell(c.keeper, &needRebuild{node: n, indexID: indexID, shards: shards, reason: reason})
}

func (k *taskKeeper) onNeedRebuild(m *needRebuild) {
	b := &store.Batch{Values: map[string]json.RawMessage{}}
	err := k.record(m.node, m.indexID, m.shards, m.reason, b)
	if err != nil || m.recorded == nil {
		if err == nil {
			k.c.store.CommitLazily(b)
		} else if m.recorded != nil {
			m.recorded(err)
		}
		return
	}
	c := k.c
	c.spawn("record of a rebuild", func() { m.recorded(c.store.Commit(c.ctx, b)) }, nil)
}

// record opens or widens a record, in memory at once and in the store with b.
func (k *taskKeeper) record(n topology.NodeIndex, indexID string, shards topology.ShardSet, reason string, b *store.Batch) error {
	row, ok := k.c.registry.row(indexID)
	if ok && !row.Deleted {
		shards = shards.And(k.c.registry.tableOf(indexID, row.Shards).Held(n))
	}
	switch {
	case !ok || row.Deleted:
		return errNoSuchIndex
	case shards.Empty():
		return nil // the index has moved away from there
	case !k.replaceable(n, &row, shards):
		k.c.log.WithFields(logrus.Fields{"node": k.c.nodes[n].node.ID, "index": indexID, "reason": reason}).
			Warn("a copy is not to be trusted, but there is no other one to rebuild it from")
		return errNoOtherCopy
	}
	r := &rebuild{key: rebuildKey{n, indexID}, shards: shards.Clone(), record: rebuildRecord{Reason: reason, Since: time.Now().UTC(), Generation: 1}}
	if was := k.c.rebuilds.get(r.key); was != nil {
		r.shards.AddAll(was.shards)
		r.record.Since, r.record.Generation = was.record.Since, was.record.Generation+1
	} else {
		k.c.log.WithFields(logrus.Fields{"node": k.c.nodes[n].node.ID, "index": indexID, "reason": reason}).
			Warn("a copy will be rebuilt and is not read until then")
		k.c.metrics.rebuilds.WithLabelValues("begun").Inc()
	}
	r.record.Shards = r.shards.Slice()
	k.putRecord(r)
	if b.Values == nil {
		b.Values = map[string]json.RawMessage{}
	}
	b.Values[k.c.rebuildName(r.key)] = mustJSON(r.record)
	k.c.tell(k.c.repairer, &repairDue{})
	return nil
}

// putRecord publishes a record.
func (k *taskKeeper) putRecord(r *rebuild) {
	k.c.rebuilds.put(r)
	k.lag.record(r.key, r.shards)
	k.reconsider(r.key)
}

// reconsider decides anew about the open entries of which a node has applied its part:
// whether that counts depends on the records. What may end now ends a moment later,
// because this may be amid the end of a task.
func (k *taskKeeper) reconsider(key rebuildKey) {
	keys := map[string]bool{}
	for _, oe := range k.entries {
		if p := oe.parts[key.node]; oe.task == nil || oe.e.row.IndexID != key.index || p == nil || p.state != store.DeliveryApplied {
			continue
		}
		k.evaluate(oe)
		for _, uid := range oe.task.keys {
			keys[uid] = true
		}
	}
	if len(keys) > 0 {
		k.c.tell(k.c.keeper, &recordChanged{keys})
	}
}

// distrust gives up the parts of a refused entry that were applied by copies that are
// being rebuilt: these lacked the settings by which the others refuse it.
func (k *taskKeeper) distrust(oe *openEntry) {
	if oe.verdict != refusedByNodes || !refusable(oe.e.row.Kind) || leavesContent(oe.e.row.Kind) {
		return
	}
	b := &store.Batch{}
	rebuilt := k.c.rebuilds.shards(oe.e.row.IndexID)
	for n, p := range oe.parts {
		if p.state == store.DeliveryApplied && withoutTrust(oe.e, n, rebuilt) {
			k.rebuildInstead(oe, n, b)
		}
	}
	if len(b.Deliveries) > 0 {
		k.c.store.CommitLazily(b)
	}
}

// replaceable reports whether every shard has, on another node, a copy that lacks
// nothing but what its journal still holds.
func (k *taskKeeper) replaceable(n topology.NodeIndex, row *store.Index, shards topology.ShardSet) bool {
	t := k.c.registry.tableOf(row.ID, row.Shards)
	left := shards.Clone()
	for o := range k.c.nodes {
		if o == n {
			continue
		}
		good := t.Owned(o)
		if r := k.c.rebuilds.get(rebuildKey{o, row.ID}); r != nil {
			good = good.Minus(r.shards)
		}
		for _, oe := range k.entries {
			if oe.e.row.IndexID == row.ID && oe.lacks(o) {
				good = good.Minus(oe.e.need)
			}
		}
		left = left.Minus(good)
	}
	return left.Empty()
}

// lacks reports whether a node will never apply an entry that was carried out.
// Settings that are taken back may be refused because of others that were ordered
// behind the first: then those are taken back too, by an entry of their own.
func (oe *openEntry) lacks(n topology.NodeIndex) bool {
	p := oe.parts[n]
	if p == nil || oe.task != nil || oe.verdict != carriedOut || oe.e.row.Kind == kindDeleteIndex || leavesContent(oe.e.row.Kind) {
		return false
	}
	if p.state == store.DeliveryFailed && oe.e.p.Undo != 0 && !nodesFault(p.err) {
		return false
	}
	return p.state == store.DeliveryFailed || p.state == store.DeliveryDropped
}

// mayHaveDone reports whether nobody knows if a node has applied an entry that has
// failed.
func (oe *openEntry) mayHaveDone(n topology.NodeIndex) bool {
	p := oe.parts[n]
	return oe.verdict == refusedByNodes && refusable(oe.e.row.Kind) && !leavesContent(oe.e.row.Kind) &&
		p.state == store.DeliveryFailed && bytes.Equal(p.err, forgotten)
}

// rebuildInstead gives up the part of a node that has failed alone: its copy is
// rebuilt. It reports whether that is possible.
func (k *taskKeeper) rebuildInstead(oe *openEntry, n topology.NodeIndex, b *store.Batch) bool {
	p := oe.parts[n]
	reason := "a write failed on it alone"
	if p.state == store.DeliveryFailed && errorCode(p.err) != "" {
		reason += " (" + errorCode(p.err) + ")"
	}
	if k.record(n, oe.e.row.IndexID, oe.e.need.And(oe.e.table.Held(n)), reason, b) != nil {
		return false
	}
	k.leaveToRebuild(oe, n, b)
	return true
}

// withoutSay gives up the part of a node that has failed while its copy is being
// rebuilt, which may lack the settings, or the index: that says nothing about the
// write.
func (k *taskKeeper) withoutSay(oe *openEntry, n topology.NodeIndex) {
	kind := oe.e.row.Kind
	if oe.parts[n].state != store.DeliveryFailed || kind == kindDeleteIndex || backsUp(kind) || k.c.rebuilds.get(rebuildKey{n, oe.e.row.IndexID}) == nil {
		return
	}
	b := &store.Batch{}
	if leavesContent(kind) {
		k.leaveToRebuild(oe, n, b)
	} else if !k.rebuildInstead(oe, n, b) {
		return
	}
	k.c.store.CommitLazily(b)
}

// leaveToRebuild ends the part of a node whose copy is rebuilt.
func (k *taskKeeper) leaveToRebuild(oe *openEntry, n topology.NodeIndex, b *store.Batch) {
	p := oe.parts[n]
	p.state = store.DeliveryRebuild
	k.lag.remove(oe.e, n)
	b.Deliveries = append(b.Deliveries, &store.Delivery{
		LSN: oe.e.row.LSN, NodeID: k.c.nodes[n].node.ID, State: p.state, NodeTasks: p.nodeTasks,
		Details: mustJSON(p.details), Error: p.err, UpdatedAt: time.Now().UTC(),
	})
}

// onRebuilt closes a record, unless the copy was found lacking once more.
func (k *taskKeeper) onRebuilt(m *rebuilt) {
	r := k.c.rebuilds.get(m.key)
	if r == nil || r.record.Generation != m.generation {
		m.done <- r == nil
		return
	}
	h := k.c.nodes[m.key.node]
	// The copy's own tasks must not be taken for those of later writes after a crash.
	// The deliveries before them are on record: each told us before the next call.
	h.recorded = max(h.recorded, m.lastTask)
	b := &store.Batch{Values: map[string]json.RawMessage{
		nodeKey(h.node.ID): mustJSON(nodeRecord{Claimed: h.claimed.Load(), LastTask: h.recorded}),
	}}
	k.c.views.joinSettings(m.key.node, m.key.index, m.sources)
	k.dropRecord(m.key, b)
	k.c.store.CommitLazily(b)
	k.c.metrics.rebuilds.WithLabelValues("ended").Inc()
	k.c.log.WithFields(logrus.Fields{"node": h.node.ID, "index": m.key.index}).Info("a copy is rebuilt and read again")
	m.done <- true
	for _, oe := range k.entries { // what had no other copy may have one now
		if oe.lacks(m.key.node) || oe.e.row.IndexID == m.key.index {
			k.finishEntry(oe)
		}
	}
}

// dropRecord forgets a record, in memory at once and in the store with b.
func (k *taskKeeper) dropRecord(key rebuildKey, b *store.Batch) {
	if b.Values == nil {
		b.Values = map[string]json.RawMessage{}
	}
	b.Values[k.c.rebuildName(key)] = nil
	watchers := k.c.rebuilds.remove(key)
	k.lag.record(key, topology.ShardSet{})
	k.reconsider(key)
	for _, pid := range append(watchers, k.c.repairer) {
		k.c.tell(pid, &recordGone{node: key.node, indexID: key.index})
	}
}

// dropRecordsOf forgets all records of a deleted index.
func (k *taskKeeper) dropRecordsOf(indexID string) {
	b := &store.Batch{}
	for n := range k.c.nodes {
		if key := (rebuildKey{n, indexID}); k.c.rebuilds.get(key) != nil {
			k.dropRecord(key, b)
		}
	}
	if len(b.Values) > 0 {
		k.c.store.CommitLazily(b)
	}
}

// onResetNode opens records for everything that a node should hold and gives up its
// parts of all entries, in one commit; unless some shard has no other copy.
func (k *taskKeeper) onResetNode(m *resetNode) {
	res := &nodeReset{reason: m.reason, lastTask: m.lastTask, newest: k.newestOf(m.node)}
	if k.laneLost(m.node) {
		res.err = errNodeRestarting // the next probe comes back to it
		k.c.tell(m.replyTo, res)
		return
	}
	var rows []*store.Index
	for _, row := range k.c.registry.all() {
		if row.Deleted {
			continue
		}
		rows = append(rows, row)
		if !k.replaceable(m.node, row, k.c.registry.tableOf(row.ID, row.Shards).Held(m.node)) {
			res.err = errNoOtherCopy
			k.c.tell(m.replyTo, res)
			return
		}
	}
	h := k.c.nodes[m.node]
	b := &store.Batch{Values: map[string]json.RawMessage{}}
	for _, row := range rows {
		// It can be met: that was looked at.
		_ = k.record(m.node, row.ID, k.c.registry.tableOf(row.ID, row.Shards).Held(m.node), m.reason, b)
	}
	for _, oe := range k.entries {
		if p := oe.parts[m.node]; p != nil && !p.ended() {
			k.leaveToRebuild(oe, m.node, b)
		}
	}
	h.recorded = m.lastTask
	h.claimed.Store(m.claimed)
	b.Values[nodeKey(h.node.ID)] = mustJSON(nodeRecord{Claimed: m.claimed, LastTask: m.lastTask})
	c := k.c
	c.spawn("reset of a node", func() {
		res.err = errNodeRestarting
		defer func() { c.tell(m.replyTo, res) }()
		res.err = c.store.Commit(c.ctx, b)
	}, nil)
	k.moved(m.node)
}

// newestOf is the newest entry of each index that a node was meant to carry out.
func (k *taskKeeper) newestOf(n topology.NodeIndex) map[string]int64 {
	newest := map[string]int64{}
	for _, oe := range k.entries {
		if oe.parts[n] != nil {
			newest[oe.e.row.IndexID] = max(newest[oe.e.row.IndexID], oe.e.row.LSN)
		}
	}
	return newest
}

// moved ends what no longer waits for a node.
func (k *taskKeeper) moved(n topology.NodeIndex) {
	keys := map[string]bool{}
	for _, oe := range k.entries {
		switch {
		case oe.parts[n] == nil:
		case oe.task != nil:
			k.evaluate(oe)
			for _, key := range oe.task.keys {
				keys[key] = true
			}
		default:
			k.finishEntry(oe)
		}
	}
	k.closeAll(keys)
}

func (k *taskKeeper) onAskApplied(m *askApplied) {
	for _, oe := range k.entries {
		if oe.e.row.IndexID != m.indexID || oe.e.row.LSN > m.upTo {
			continue
		}
		if oe.task != nil {
			m.reply <- false
			return
		}
		for _, n := range m.nodes {
			if p := oe.parts[n]; p != nil && !p.ended() {
				m.reply <- false
				return
			}
		}
	}
	m.reply <- true
}
