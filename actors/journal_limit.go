package actors

import (
	"encoding/json"
	"slices"

	"github.com/sirupsen/logrus"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/store"
	"github.com/miroir-search/miroir/topology"
)

// The journal keeps what nodes have missed, up to a limit. Before it is reached, the
// writes that wait for a node which is not in service are given up, and its copies
// are rebuilt when it is back; but only what other copies have. When that does not
// help, new payloads are refused.

// Messages about the journal's size.
type (
	// forgetEntries tells a node actor that a rebuild comes in the place of entries.
	forgetEntries struct{ lsns map[int64]bool }
	// journalTrimmed is the end of the commit that gave up entries.
	journalTrimmed struct{ err error }
)

// journalRoom refuses a payload that the journal has no room for.
func (c *Cluster) journalRoom(size int) *api.Error {
	if c.store.Journal().Size()+int64(size) <= c.opts.JournalLimit {
		return nil
	}
	c.metrics.journalLimit.WithLabelValues("refused").Inc()
	return api.Errorf("miroir_overloaded",
		"The journal is full (%d bytes) of writes that nodes still lack and no other node has. Nothing was written; send it again once they are back.", c.opts.JournalLimit)
}

// trimJournal gives up what waits for one node that is not in service, when the
// journal comes near its limit: all of it, because a copy that is to be rebuilt
// anyway needs no replay.
func (k *taskKeeper) trimJournal() {
	limit := k.c.opts.JournalLimit
	if k.trimming || k.c.store.Journal().Size() <= limit-limit/4 {
		return
	}
	b, most := k.trimBatch()
	if b == nil {
		return
	}
	k.trimming = true
	c := k.c
	c.metrics.journalLimit.WithLabelValues("rebuild").Inc()
	c.log.WithFields(logrus.Fields{"node": c.nodes[most].node.ID, "entries": len(b.Deliveries)}).
		Warn("the journal is near its limit; what the node has missed is given up, and its copies will be rebuilt")
	k.c.tell(c.nodes[most].pid, forgetting(b))
	// In its place before the entries are done with: a store that cannot write keeps
	// both, and in this order.
	c.store.CommitLazily(b)
	k.moved(most)
	res := &journalTrimmed{err: errNodeRestarting}
	c.spawn("trim journal", func() {
		defer func() { c.tell(c.keeper, res) }()
		res.err = c.store.Commit(c.ctx, &store.Batch{})
	}, nil)
}

func forgetting(b *store.Batch) *forgetEntries {
	m := &forgetEntries{lsns: map[int64]bool{}}
	for _, d := range b.Deliveries {
		m.lsns[d.LSN] = true
	}
	return m
}

// trimBatch gives up the entries of the node out of service for which the oldest
// payload waits. It returns nil when there is none that can be spared.
func (k *taskKeeper) trimBatch() (*store.Batch, topology.NodeIndex) {
	tried := map[topology.NodeIndex]bool{}
	for len(tried) < len(k.c.nodes) {
		oldest, node := int64(0), topology.NodeIndex(0)
		for lsn, oe := range k.entries {
			for n := range oe.parts {
				if !tried[n] && k.spares(oe, n) && !oe.e.row.Payload.IsZero() && (oldest == 0 || lsn < oldest) {
					oldest, node = lsn, n
				}
			}
		}
		if oldest == 0 {
			return nil, 0
		}
		tried[node] = true
		if b := k.spare(node); b != nil {
			return b, node
		}
	}
	return nil, 0
}

// spares reports whether a node that is not in service may go without an entry.
func (k *taskKeeper) spares(oe *openEntry, n topology.NodeIndex) bool {
	p := oe.parts[n]
	return p != nil && !k.up(n) && !p.ended() && oe.task == nil && oe.verdict == carriedOut &&
		oe.e.row.Kind != kindDeleteIndex && !leavesContent(oe.e.row.Kind)
}

// spare gives up all that can be spared of a node, index by index.
func (k *taskKeeper) spare(n topology.NodeIndex) *store.Batch {
	lacks := map[string]topology.ShardSet{}
	for _, oe := range k.entries {
		if !k.spares(oe, n) {
			continue
		}
		set, ok := lacks[oe.e.row.IndexID]
		if !ok {
			set = topology.NewShardSet(oe.e.table.Shards())
			lacks[oe.e.row.IndexID] = set
		}
		set.AddAll(oe.e.need.And(oe.e.table.Held(n)))
	}
	b := &store.Batch{Values: map[string]json.RawMessage{}}
	for id, set := range lacks {
		if set.Empty() || k.record(n, id, set, "the journal did not reach back to the writes it missed", b) != nil {
			delete(lacks, id)
		}
	}
	for _, oe := range k.entries {
		if _, given := lacks[oe.e.row.IndexID]; given && k.spares(oe, n) {
			k.leaveToRebuild(oe, n, b)
		}
	}
	if len(b.Deliveries) == 0 {
		return nil
	}
	return b
}

func (k *taskKeeper) onTrimmed(m *journalTrimmed) {
	k.trimming = false
	if m.err != nil {
		k.c.log.WithError(m.err).Error("the journal cannot be trimmed")
	}
}

// onForgetEntries drops what a rebuild comes in the place of. A call under way ends by
// itself.
func (a *nodeActor) onForgetEntries(m *forgetEntries) {
	kept := a.lane.queue[:0:0]
	for _, d := range a.lane.queue {
		if m.lsns[d.entry.row.LSN] {
			a.reportMissed(d)
			continue
		}
		kept = append(kept, d)
	}
	a.lane.queue = kept
	a.h.behind.Store(int64(len(kept)))
	for _, fl := range slices.Clone(a.follow.open) {
		if lsn := fl.d.entry.row.LSN; m.lsns[lsn] {
			a.follow.forget(lsn)
		}
	}
	a.advance()
}
