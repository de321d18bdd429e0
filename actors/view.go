package actors

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/miroir-search/miroir/topology"
)

// view is what readers plan from: which nodes answer, and which shards of which
// index a node must not be read for. It is immutable; a change publishes a new one.
type view struct {
	version uint64
	states  []nodeState                    // by node
	behind  []map[string]topology.ShardSet // by node: index id -> shards it has missed writes of
	// settings holds, by index id, the entry of the newest settings that each
	// node has applied; only while the nodes differ or have lately differed.
	settings map[string][]int64
}

// views publishes the current view and serializes its changes.
type views struct {
	mu      sync.Mutex
	current atomic.Pointer[view]
}

func newViews(nodes int) *views {
	v := &views{}
	v.current.Store(&view{version: 1, states: make([]nodeState, nodes), behind: make([]map[string]topology.ShardSet, nodes)})
	return v
}

func (v *views) load() *view { return v.current.Load() }

// setState publishes a node's state.
func (v *views) setState(n topology.NodeIndex, s nodeState) {
	v.mu.Lock()
	defer v.mu.Unlock()
	old := v.current.Load()
	if old.states[n] == s {
		return
	}
	next := &view{version: old.version + 1, states: append([]nodeState(nil), old.states...), behind: old.behind, settings: old.settings}
	next.states[n] = s
	v.current.Store(next)
}

// setBehind publishes the shards of an index that node n has missed writes of;
// an empty set clears them.
func (v *views) setBehind(n topology.NodeIndex, indexID string, shards topology.ShardSet) {
	v.mu.Lock()
	defer v.mu.Unlock()
	old := v.current.Load()
	was, had := old.behind[n][indexID]
	if !had && shards.Empty() || had && was.Equal(shards) {
		return
	}
	next := &view{version: old.version + 1, states: old.states, behind: append([]map[string]topology.ShardSet(nil), old.behind...), settings: old.settings}
	m := make(map[string]topology.ShardSet, len(old.behind[n])+1)
	for id, s := range old.behind[n] {
		m[id] = s
	}
	if shards.Empty() {
		delete(m, indexID)
	} else {
		m[indexID] = shards
	}
	next.behind[n] = m
	v.current.Store(next)
}

// setSettings publishes that a node has applied the settings of an entry.
func (v *views) setSettings(n topology.NodeIndex, indexID string, lsn int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	old := v.current.Load()
	next := &view{version: old.version + 1, states: old.states, behind: old.behind, settings: maps.Clone(old.settings)}
	if next.settings == nil {
		next.settings = map[string][]int64{}
	}
	applied := make([]int64, len(old.states))
	copy(applied, old.settings[indexID])
	applied[n] = max(applied[n], lsn)
	next.settings[indexID] = applied
	if slices.Min(applied) == slices.Max(applied) {
		delete(next.settings, indexID)
	}
	v.current.Store(next)
}

// joinSettings publishes that a node has the settings of an index that others have.
func (v *views) joinSettings(n topology.NodeIndex, indexID string, others []topology.NodeIndex) {
	applied, newest := v.load().settings[indexID], int64(0)
	for _, o := range others {
		if applied != nil {
			newest = max(newest, applied[o])
		}
	}
	if newest > 0 {
		v.setSettings(n, indexID, newest)
	}
}

// agree reports whether the nodes have applied the same settings of an index.
func (w *view) agree(indexID string, legs []topology.Leg) bool {
	applied := w.settings[indexID]
	for _, l := range legs {
		if applied != nil && applied[l.Node] != applied[legs[0].Node] {
			return false
		}
	}
	return true
}

// usable lists, by node, the shards of an index that may be read from it now.
func (w *view) usable(t *topology.Table, indexID string) []topology.ShardSet {
	out := make([]topology.ShardSet, len(w.states))
	for n, s := range w.states {
		switch behind, lags := w.behind[n][indexID]; {
		case !s.up():
			out[n] = topology.NewShardSet(t.Shards())
		case lags:
			out[n] = t.Owned(n).Minus(behind)
		default:
			out[n] = t.Owned(n)
		}
	}
	return out
}
