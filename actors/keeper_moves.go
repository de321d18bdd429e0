package actors

import (
	"fmt"
	"time"

	"github.com/miroir-search/miroir/store"
	"github.com/miroir-search/miroir/topology"
)

// Messages of the task keeper about moves.
type (
	// askSwitch asks what speaks against serving an index from its owners-to-be
	// while its sequencer stands still; "" for nothing.
	askSwitch struct {
		handle *indexHandle
		reply  chan<- string
	}
	// switched says that an index has other owners now.
	switched struct{ handle *indexHandle }
	// askLeftovers asks whether the removal of an index's leftovers is under way.
	askLeftovers struct {
		indexID string
		reply   chan<- bool
	}
	// askOwed asks how many entries a node has not ended. letGo ends them: the node
	// will not be spoken to any more.
	askOwed struct {
		node  topology.NodeIndex
		letGo bool
		reply chan<- int
	}
)

func (k *taskKeeper) onAskSwitch(m *askSwitch) {
	table := m.handle.table.Load()
	m.reply <- k.againstSwitch(table, table.To(), m.handle.id)
}

func (k *taskKeeper) againstSwitch(table *topology.Table, to *topology.Snapshot, id string) string {
	for n, h := range k.c.nodes {
		if to.Has(n) && k.c.rebuilds.get(rebuildKey{n, id}) != nil {
			return fmt.Sprintf("the copy on node %s is being rebuilt", h.node.ID)
		}
	}
	for _, oe := range k.entries {
		if oe.e.row.IndexID != id {
			continue
		}
		if oe.task != nil {
			return fmt.Sprintf("task %d is under way", oe.task.row.UID)
		}
		for n, p := range oe.parts {
			if to.Has(n) && !table.Joining(n).Empty() && p.state != store.DeliveryApplied && p.state != store.DeliveryRebuild {
				return fmt.Sprintf("node %s has not applied everything", k.c.nodes[n].node.ID)
			}
		}
	}
	next := to.Table(table.Shards())
	if !servable(next, k.c.views.load().usable(next, id)) {
		return "too few of its nodes are in service and up to date"
	}
	return ""
}

// servable reports whether every shard has, in some group, a quorum of owners that
// may be read.
func servable(table *topology.Table, usable []topology.ShardSet) bool {
	snap := table.Snapshot()
	for s := range table.Shards() {
		met := false
		for g := 0; g < snap.Groups() && !met; g++ {
			n := 0
			for _, o := range table.Owners(g, s) {
				if usable[o].Has(s) {
					n++
				}
			}
			met = n >= snap.Quorum()
		}
		if !met {
			return false
		}
	}
	return true
}

// onSwitched drops the records of nodes that need the index no longer.
func (k *taskKeeper) onSwitched(m *switched) {
	table, b := m.handle.table.Load(), &store.Batch{}
	for n := range k.c.nodes {
		if key := (rebuildKey{n, m.handle.id}); table.Held(n).Empty() && k.c.rebuilds.get(key) != nil {
			k.dropRecord(key, b)
		}
	}
	if len(b.Values) > 0 {
		k.c.store.CommitLazily(b)
	}
}

func (k *taskKeeper) onAskLeftovers(m *askLeftovers) {
	under := false
	for _, oe := range k.entries {
		under = under || oe.e.row.IndexID == m.indexID && oe.e.row.Kind == kindRemoveLeftovers
	}
	m.reply <- under
}

func (k *taskKeeper) onAskOwed(m *askOwed) {
	owed := 0
	for _, oe := range k.entries {
		p := oe.parts[m.node]
		if p == nil || p.ended() {
			continue
		}
		owed++
		if !m.letGo {
			continue
		}
		p.state = store.DeliveryDropped
		k.persist(oe, m.node)
		k.lag.remove(oe.e, m.node)
		k.evaluate(oe)
		if oe.task != nil {
			k.closeNext(oe.task)
		}
		k.finishEntry(oe)
	}
	m.reply <- owed
}

// inquire sends a question with a reply channel, and waits for the reply.
func inquire[T any](c *Cluster, question func(reply chan<- T)) (T, error) {
	reply := make(chan T, 1)
	question(reply)
	timer := time.NewTimer(10 * time.Second)
	defer timer.Stop()
	var none T
	select {
	case v := <-reply:
		return v, nil
	case <-timer.C:
		return none, fmt.Errorf("the task keeper does not answer")
	case <-c.ctx.Done():
		return none, c.ctx.Err()
	}
}
