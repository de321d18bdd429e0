package topology

import (
	"fmt"
	"slices"
	"testing"
)

// placements lists small placements: groups of different sizes, each number of
// copies, with nodes that come and go.
func placements() (out []Placement) {
	version := uint64(0)
	for _, sizes := range [][]int{{1}, {2}, {3}, {1, 1}, {2, 2}, {2, 3}, {3, 1}, {1, 1, 1}} {
		for rf := 1; rf <= slices.Min(sizes); rf++ {
			for first := range 2 { // with the first node of each group, or with another one in its place
				version++
				p := Placement{Version: version, ReplicationFactor: rf}
				for g, n := range sizes {
					for i := range n {
						id := fmt.Sprintf("g%dn%d", g, i+first)
						p.Nodes = append(p.Nodes, Node{ID: id, Address: "http://" + id, Group: g})
					}
				}
				out = append(out, p)
			}
		}
	}
	return out
}

func eachMove(t *testing.T, f func(t *testing.T, fleet *Fleet, from, to *Snapshot)) {
	all := placements()
	for _, old := range all {
		for _, next := range all {
			fleet, err := NewFleet(old, next)
			if err != nil {
				t.Fatal(err)
			}
			f(t, fleet, fleet.Snapshot(old.Version), fleet.Snapshot(next.Version))
			if t.Failed() {
				t.Fatalf("from %+v to %+v", old, next)
			}
		}
	}
}

const moveShards = 12

// While an index moves, the owners of before serve and count; writes reach them
// and those to be; afterwards what is left over is known to the last shard.
func TestAnIndexThatMovesIsServedByWhoHasIt(t *testing.T) {
	eachMove(t, func(t *testing.T, fleet *Fleet, from, to *Snapshot) {
		before, after := from.Table(moveShards), to.Table(moveShards)
		during, cleaning := from.Between(moveShards, to), to.Between(moveShards, to, from)
		if during.Moving() != (from != to) || before.Moving() || after.Moving() || cleaning.Moving() {
			t.Error("who moves is mistaken")
		}
		for g := range from.Groups() {
			for s := range moveShards {
				if !slices.Equal(during.Owners(g, s), before.Owners(g, s)) {
					t.Errorf("shard %d of group %d is served by others during the move", s, g)
				}
			}
		}
		for n := range fleet.Nodes() {
			switch {
			case !during.Owned(n).Equal(before.Owned(n)):
				t.Errorf("node %d owns other shards during the move", n)
			case !during.Held(n).Equal(before.Owned(n).Or(after.Owned(n))), !during.Stored(n).Equal(during.Held(n)):
				t.Errorf("node %d: writes reach it for %v", n, during.Held(n).Slice())
			case !during.Joining(n).Equal(after.Owned(n).Minus(before.Owned(n))), !during.Leftover(n).Empty():
				t.Errorf("node %d joins %v", n, during.Joining(n).Slice())
			case during.Has(n) != (from.Has(n) || to.Has(n)):
				t.Errorf("node %d has the index: %v", n, during.Has(n))
			case !cleaning.Owned(n).Equal(after.Owned(n)), !cleaning.Held(n).Equal(after.Owned(n)), !cleaning.Joining(n).Empty():
				t.Errorf("node %d owns other shards after the move", n)
			case !cleaning.Leftover(n).Equal(before.Owned(n).Minus(after.Owned(n))):
				t.Errorf("node %d has left over %v", n, cleaning.Leftover(n).Slice())
			}
		}
	})
}

// A move may be given up for another one at any time: what the nodes have of it
// is not forgotten.
func TestAMoveThatIsGivenUpLeavesTraces(t *testing.T) {
	all := placements()
	fleet, err := NewFleet(all...)
	if err != nil {
		t.Fatal(err)
	}
	for i := range all {
		from, tried, to := fleet.Snapshot(all[i].Version), fleet.Snapshot(all[(i+5)%len(all)].Version), fleet.Snapshot(all[(i+11)%len(all)].Version)
		table := from.Between(moveShards, to, tried, to)
		back := from.Between(moveShards, from, tried)
		for n := range fleet.Nodes() {
			a, b, c := from.Table(moveShards).Owned(n), tried.Table(moveShards).Owned(n), to.Table(moveShards).Owned(n)
			if !table.Leftover(n).Equal(b.Minus(a.Or(c))) || !table.Held(n).Equal(a.Or(c)) {
				t.Errorf("move %d, node %d: stores %v, holds %v", i, n, table.Stored(n).Slice(), table.Held(n).Slice())
			}
			if !back.Leftover(n).Equal(b.Minus(a)) || !back.Held(n).Equal(a) {
				t.Errorf("back from move %d, node %d: stores %v, holds %v", i, n, back.Stored(n).Slice(), back.Held(n).Slice())
			}
		}
		if again := from.Between(moveShards, to, tried, to); again != table {
			t.Error("a table is computed twice")
		}
	}
}

// Every copy of every shard is reached by writes, before and after.
func TestNoShardIsUncoveredDuringAMove(t *testing.T) {
	eachMove(t, func(t *testing.T, fleet *Fleet, from, to *Snapshot) {
		table, after := from.Between(moveShards, to), to.Table(moveShards)
		copies := func(s *Snapshot, shard Shard, has func(NodeIndex) ShardSet) {
			for g := range s.Groups() {
				n := 0
				for _, m := range s.Members(g) {
					if has(m).Has(shard) {
						n++
					}
				}
				if n < s.ReplicationFactor() {
					t.Errorf("shard %d has %d copies in group %d", shard, n, g)
				}
			}
		}
		targets := table.Targets(table.All())
		for shard := range moveShards {
			copies(from, shard, table.Owned)
			copies(from, shard, func(n NodeIndex) ShardSet { return targets[n] })
			copies(to, shard, func(n NodeIndex) ShardSet { return targets[n] })
			copies(to, shard, after.Owned)
		}
		for g := range from.Groups() {
			cover := Covers(from.Members(g), table.All(), owned(table), owned(table))[0]
			if !cover.Missing.Empty() {
				t.Errorf("group %d lacks shards %v", g, cover.Missing.Slice())
			}
		}
	})
}

func owned(t *Table) (out []ShardSet) {
	for n := range t.Snapshot().Nodes() {
		out = append(out, t.Owned(n))
	}
	return out
}

func TestLostShardsAreThoseWithoutALivingOwner(t *testing.T) {
	s, err := New(1, []Node{{ID: "a", Address: "a"}, {ID: "b", Address: "b"}, {ID: "c", Address: "c", Group: 1}, {ID: "d", Address: "d", Group: 1}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	table := s.Table(moveShards)
	for mask := range 1 << 4 {
		lost := table.Lost(func(n NodeIndex) bool { return mask&(1<<n) != 0 })
		for shard := range moveShards {
			has := false
			for g := range 2 {
				has = has || mask&(1<<table.Owners(g, shard)[0]) != 0
			}
			if lost.Has(shard) == has {
				t.Errorf("nodes %b: shard %d lost: %v", mask, shard, lost.Has(shard))
			}
		}
	}
}

func TestAFleetOfSeveralPlacements(t *testing.T) {
	v1 := Placement{Version: 1, ReplicationFactor: 1, Nodes: []Node{{ID: "a", Address: "x"}, {ID: "b", Address: "y"}}}
	v2 := Placement{Version: 4, ReplicationFactor: 2, Nodes: []Node{{ID: "b", Address: "z"}, {ID: "c", Address: "x"}, {ID: "d", Address: "w", Group: 1}, {ID: "e", Address: "v", Group: 1}}}
	f, err := NewFleet(v1, v2)
	if err != nil {
		t.Fatal(err)
	}
	want := []Node{{ID: "a"}, {ID: "b", Address: "z"}, {ID: "c", Address: "x"}, {ID: "d", Address: "w", Group: 1}, {ID: "e", Address: "v", Group: 1}}
	if !slices.Equal(f.Nodes(), want) {
		t.Errorf("the nodes are %+v: b has moved, and c has taken the address of a", f.Nodes())
	}
	old, now := f.Snapshot(1), f.Snapshot(4)
	if f.Newest() != now || f.Snapshot(2) != nil || old.Groups() != 1 || now.Groups() != 2 {
		t.Error("the placements are mistaken")
	}
	for id, in := range map[string][2]int{"a": {0, -1}, "b": {0, 0}, "c": {-1, 0}, "d": {-1, 1}, "e": {-1, 1}} {
		n, ok := f.Lookup(id)
		if !ok || old.GroupOf(n) != in[0] || now.GroupOf(n) != in[1] || old.Has(n) != (in[0] >= 0) {
			t.Errorf("node %s is in groups %d and %d", id, old.GroupOf(n), now.GroupOf(n))
		}
	}

	moved := Placement{Version: 5, ReplicationFactor: 1, Nodes: []Node{{ID: "a", Address: "x", Group: 3}}}
	if _, err := NewFleet(v1, moved); err == nil {
		t.Error("a node has changed its group")
	}
	if _, err := NewFleet(Placement{Version: 1, ReplicationFactor: 1}, v2); err == nil {
		t.Error("a former placement without nodes is taken")
	}
}

func TestPlacementsAreTheSameWhateverTheAddresses(t *testing.T) {
	base := Placement{Version: 1, ReplicationFactor: 1, Nodes: []Node{{ID: "a", Address: "x"}, {ID: "b", Address: "y"}}}
	for name, c := range map[string]struct {
		p    Placement
		same bool
	}{
		"other addresses and order": {Placement{Version: 2, ReplicationFactor: 1, Nodes: []Node{{ID: "b", Address: "v"}, {ID: "a", Address: "w"}}}, true},
		"more copies":               {Placement{ReplicationFactor: 2, Nodes: base.Nodes}, false},
		"a node less":               {Placement{ReplicationFactor: 1, Nodes: base.Nodes[:1]}, false},
		"a node for another":        {Placement{ReplicationFactor: 1, Nodes: []Node{{ID: "a"}, {ID: "c"}}}, false},
		"another group":             {Placement{ReplicationFactor: 1, Nodes: []Node{{ID: "a"}, {ID: "b", Group: 1}}}, false},
	} {
		if base.Same(&c.p) != c.same || c.p.Same(&base) != c.same {
			t.Errorf("%s: same is not %v", name, c.same)
		}
	}
}
