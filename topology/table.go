package topology

import "slices"

// Table is the placement of an index with a given number of shards on one
// snapshot. It is immutable.
type Table struct {
	snap   *Snapshot
	shards int
	owners []NodeIndex // (group*shards+shard)*rf: the rf owners, best first
	held   []ShardSet  // by node
	all    ShardSet
}

func newTable(s *Snapshot, shards int) *Table {
	t := &Table{
		snap: s, shards: shards,
		owners: make([]NodeIndex, 0, len(s.groups)*shards*s.rf),
		held:   make([]ShardSet, len(s.nodes)),
		all:    FullShardSet(shards),
	}
	for i := range t.held {
		t.held[i] = NewShardSet(shards)
	}
	best := make([]weighted, s.rf)
	for _, members := range s.groups {
		for shard := range shards {
			best = rendezvous(best[:0], s.nodes, members, shard, s.rf)
			for _, w := range best {
				t.held[w.node].Add(shard)
				t.owners = append(t.owners, w.node)
			}
		}
	}
	return t
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

// Snapshot is the fleet the table belongs to.
func (t *Table) Snapshot() *Snapshot { return t.snap }

// Shards is the number of shards of the index.
func (t *Table) Shards() int { return t.shards }

// All is the set of all shards. Callers must not change it.
func (t *Table) All() ShardSet { return t.all }

// Owners lists the nodes that hold a shard in a group, best first. Callers must
// not change it.
func (t *Table) Owners(group int, shard Shard) []NodeIndex {
	rf := t.snap.rf
	i := (group*t.shards + shard) * rf
	return t.owners[i : i+rf : i+rf]
}

// Held is the set of shards that a node owns. Callers must not change it.
func (t *Table) Held(n NodeIndex) ShardSet { return t.held[n] }

// Targets lists, for each node, the shards of need that a write must reach it
// for; nodes without any are empty sets.
func (t *Table) Targets(need ShardSet) []ShardSet {
	out := make([]ShardSet, len(t.held))
	for n := range out {
		out[n] = t.held[n].And(need)
	}
	return out
}
