package actors

import (
	"sync"

	"github.com/miroir-search/miroir/topology"
)

// coverCache remembers, per index, how each group can cover all shards in the
// current view, so that a read only has to choose.
type coverCache struct {
	m sync.Map // index id -> *coverEntry
}

type coverEntry struct {
	view   uint64
	index  *indexView
	groups [][]topology.Cover
}

func (c *Cluster) covered(iv *indexView) *coverEntry {
	v := c.views.load()
	if e, ok := c.covers.m.Load(iv.row.ID); ok {
		if e := e.(*coverEntry); e.view == v.version && e.index == iv { //nolint:forcetypeassert // only coverEntry is stored
			return e
		}
	}
	e := &coverEntry{view: v.version, index: iv}
	usable, stored, snap := v.usable(iv.table, iv.row.ID), c.stored(iv.table), iv.table.Snapshot()
	for g := range snap.Groups() {
		e.groups = append(e.groups, topology.Covers(snap.Members(g), iv.table.All(), usable, stored))
	}
	c.covers.m.Store(iv.row.ID, e)
	return e
}

// cover chooses the legs of a read: the first group from start on that has all
// of need, or else several groups together. Among equal covers the least busy
// nodes are taken.
func (c *Cluster) cover(iv *indexView, need topology.ShardSet, start int) topology.Cover {
	groups := iv.table.Snapshot().Groups()
	if need.Equal(iv.table.All()) {
		e, v := c.covered(iv), c.views.load()
		best := topology.Cover{}
		for i := range groups {
			covers := e.groups[(start+i)%groups]
			if !covers[0].Missing.Empty() {
				continue
			}
			cov := c.leastBusy(covers)
			if v.agree(iv.row.ID, cov.Legs) {
				return cov
			}
			if best.Legs == nil {
				best = cov
			}
		}
		if best.Legs != nil {
			return best
		}
	}
	v := c.views.load()
	legs, missing := c.across(v.usable(iv.table, iv.row.ID), iv, need, start)
	return topology.Cover{Legs: legs, Missing: missing}
}

// across covers need group by group: what one group lacks, the next gives.
func (c *Cluster) across(usable []topology.ShardSet, iv *indexView, need topology.ShardSet, start int) (legs []topology.Leg, missing topology.ShardSet) {
	stored, snap := c.stored(iv.table), iv.table.Snapshot()
	groups := snap.Groups()
	best := start
	for i := range groups {
		// A group that has everything goes first.
		g := (start + i) % groups
		if topology.Covers(snap.Members(g), need, usable, stored)[0].Missing.Empty() {
			best = g
			break
		}
	}
	missing = need
	for i := range groups {
		if missing.Empty() {
			break
		}
		cov := c.leastBusy(topology.Covers(snap.Members((best+i)%groups), missing, usable, stored))
		legs = append(legs, cov.Legs...)
		missing = cov.Missing
	}
	return legs, missing
}

// recover finds other nodes for the shards of a failed leg.
func (c *Cluster) recover(iv *indexView, need topology.ShardSet, failed []bool, group int) ([]topology.Leg, topology.ShardSet) {
	usable := c.views.load().usable(iv.table, iv.row.ID)
	for n, f := range failed {
		if f {
			usable[n] = topology.NewShardSet(iv.table.Shards())
		}
	}
	return c.across(usable, iv, need, group)
}

func (c *Cluster) leastBusy(covers []topology.Cover) topology.Cover {
	best, bestLoad := 0, int64(-1)
	for i, cov := range covers {
		load := int64(0)
		for _, l := range cov.Legs {
			load += c.nodes[l.Node].load()
		}
		if bestLoad < 0 || load < bestLoad {
			best, bestLoad = i, load
		}
	}
	return covers[best]
}
