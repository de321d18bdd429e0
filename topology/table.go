package topology

import "slices"

// Table is the placement of an index with a given number of shards. It is
// immutable.
//
// An index that moves is served by the owners of the placement that it is on:
// they are read, and counted in a quorum. Writes reach the owners-to-be too,
// which hold their shards without being asked. After the move, nodes may store
// what they neither own nor hold any more, until it is removed.
type Table struct {
	snap   *Snapshot
	to     *Snapshot // where the index is to be; snap unless it moves
	shards int
	owners []NodeIndex // (group*shards+shard)*rf: the rf owners, best first
	owned  []ShardSet  // by node
	held   []ShardSet  // by node: what writes must reach it for
	stored []ShardSet  // by node: what may be on its disk
	all    ShardSet
}

func newTable(s *Snapshot, shards int) *Table {
	t := &Table{
		snap: s, to: s, shards: shards,
		owners: make([]NodeIndex, 0, len(s.groups)*shards*s.rf),
		owned:  make([]ShardSet, len(s.nodes)),
		all:    FullShardSet(shards),
	}
	for i := range t.owned {
		t.owned[i] = NewShardSet(shards)
	}
	t.held, t.stored = t.owned, t.owned
	best := make([]weighted, s.rf)
	for _, members := range s.groups {
		for shard := range shards {
			best = rendezvous(best[:0], s.nodes, members, shard, s.rf)
			for _, w := range best {
				t.owned[w.node].Add(shard)
				t.owners = append(t.owners, w.node)
			}
		}
	}
	return t
}

// bring adds what nodes hold because the index is to be there.
func (t *Table) bring(to *Snapshot) {
	if to == t.snap {
		return
	}
	t.to = to
	t.held = united(t.owned, to.Table(t.shards).owned)
	t.stored = t.held
}

// remember adds what nodes may store of placements that the index has lain on.
func (t *Table) remember(traces []*Snapshot) {
	for _, s := range traces {
		if s != t.snap && s != t.to {
			t.stored = united(t.stored, s.Table(t.shards).owned)
		}
	}
}

func united(a, b []ShardSet) []ShardSet {
	out := make([]ShardSet, len(a))
	for n := range out {
		out[n] = a[n].Or(b[n])
	}
	return out
}

// weighted is a node with its weight for a shard.
type weighted struct {
	node   NodeIndex
	weight uint64
}

// rendezvous appends the rf members with the highest weight for the shard to
// best, which is empty: highest first, ties by node id, which is the order of
// members.
func rendezvous(best []weighted, nodes []Node, members []NodeIndex, shard Shard, rf int) []weighted {
	for _, n := range members {
		w := weighted{n, score(shard, nodes[n].ID)}
		if len(best) == rf {
			if w.weight <= best[rf-1].weight {
				continue
			}
			best = best[:rf-1]
		}
		i := len(best)
		for i > 0 && best[i-1].weight < w.weight {
			i--
		}
		best = slices.Insert(best, i, w)
	}
	return best
}

// Snapshot is the placement whose owners serve the index.
func (t *Table) Snapshot() *Snapshot { return t.snap }

// To is the placement that the index is to be on: the same as Snapshot, unless it
// moves.
func (t *Table) To() *Snapshot { return t.to }

// Moving reports whether the index moves.
func (t *Table) Moving() bool { return t.to != t.snap }

// Shards is the number of shards of the index.
func (t *Table) Shards() int { return t.shards }

// All is the set of all shards. Callers must not change it.
func (t *Table) All() ShardSet { return t.all }

// Owners lists the nodes that serve a shard in a group, best first. Callers must
// not change it.
func (t *Table) Owners(group int, shard Shard) []NodeIndex {
	rf := t.snap.rf
	i := (group*t.shards + shard) * rf
	return t.owners[i : i+rf : i+rf]
}

// Owned is the set of shards that a node serves. Callers must not change it.
func (t *Table) Owned(n NodeIndex) ShardSet { return t.owned[n] }

// Held is the set of shards that writes must reach a node for: what it owns and
// what it is to own. Callers must not change it.
func (t *Table) Held(n NodeIndex) ShardSet { return t.held[n] }

// Stored is the set of shards of which a node may have documents: what it holds
// and leftovers. Callers must not change it.
func (t *Table) Stored(n NodeIndex) ShardSet { return t.stored[n] }

// Joining is the set of shards that a node holds and does not own yet.
func (t *Table) Joining(n NodeIndex) ShardSet { return t.held[n].Minus(t.owned[n]) }

// Leftover is the set of shards that a node stores and need not hold any more.
func (t *Table) Leftover(n NodeIndex) ShardSet { return t.stored[n].Minus(t.held[n]) }

// Has reports whether a node has the index: it is in the placement that the
// index is on, or in the one that it moves to.
func (t *Table) Has(n NodeIndex) bool { return t.snap.Has(n) || t.to.Has(n) }

// Lost is the set of shards without any owner that is alive.
func (t *Table) Lost(alive func(NodeIndex) bool) ShardSet {
	lost := t.all.Clone()
	for n, owned := range t.owned {
		if !owned.Empty() && alive(n) {
			lost = lost.Minus(owned)
		}
	}
	return lost
}

// Targets lists, for each node, the shards of need that a write must reach it
// for; nodes without any are empty sets.
func (t *Table) Targets(need ShardSet) []ShardSet {
	out := make([]ShardSet, len(t.held))
	for n := range out {
		out[n] = t.held[n].And(need)
	}
	return out
}
