package actors

import (
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
	next := &view{version: old.version + 1, states: append([]nodeState(nil), old.states...), behind: old.behind}
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
	next := &view{version: old.version + 1, states: old.states, behind: append([]map[string]topology.ShardSet(nil), old.behind...)}
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

// usable lists, by node, the shards of an index that may be read from it now.
func (w *view) usable(t *topology.Table, indexID string) []topology.ShardSet {
	out := make([]topology.ShardSet, len(w.states))
	for n, s := range w.states {
		switch behind, lags := w.behind[n][indexID]; {
		case !s.up():
			out[n] = topology.NewShardSet(t.Shards())
		case lags:
			out[n] = t.Held(n).Minus(behind)
		default:
			out[n] = t.Held(n)
		}
	}
	return out
}
