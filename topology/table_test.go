package topology

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
)

func TestTableIsConsistent(t *testing.T) {
	for _, c := range []struct{ groups, per, rf, shards int }{
		{1, 1, 1, 1}, {1, 3, 1, 64}, {1, 3, 3, 64}, {2, 4, 2, 64}, {3, 5, 3, 100}, {2, 20, 2, 256}, {1, 7, 7, 65},
	} {
		t.Run(fmt.Sprintf("%d groups of %d nodes, %d copies, %d shards", c.groups, c.per, c.rf, c.shards), func(t *testing.T) {
			snap := fleet(t, c.groups, c.per, c.rf)
			table := snap.Table(c.shards)
			if !table.All().Equal(FullShardSet(c.shards)) {
				t.Error("All is not all shards")
			}
			held := make([]ShardSet, len(snap.Nodes()))
			for n := range held {
				held[n] = NewShardSet(c.shards)
			}
			for g := range c.groups {
				for shard := range c.shards {
					own := table.Owners(g, shard)
					if want := bestByScore(snap, g, shard); !slices.Equal(own, want) {
						t.Fatalf("owners of shard %d in group %d are %v, want %v", shard, g, own, want)
					}
					for i, n := range own {
						if snap.GroupOf(n) != g || slices.Contains(own[:i], n) {
							t.Fatalf("owners %v of shard %d in group %d: strangers or twice the same", own, shard, g)
						}
						held[n].Add(shard)
					}
				}
			}
			need := ShardSetOf(c.shards, 0, c.shards/2, c.shards-1)
			for n, targets := range table.Targets(need) {
				if !table.Held(n).Equal(held[n]) {
					t.Errorf("node %d holds %v by Held, %v by Owners", n, table.Held(n).Slice(), held[n].Slice())
				}
				if !targets.Equal(held[n].And(need)) {
					t.Errorf("node %d is a target for %v", n, targets.Slice())
				}
			}
		})
	}
}

// bestByScore is the definition: sort everybody, take the first ones.
func bestByScore(s *Snapshot, group int, shard Shard) []NodeIndex {
	all := slices.Clone(s.Members(group))
	slices.SortFunc(all, func(a, b NodeIndex) int {
		return cmp.Or(cmp.Compare(score(shard, s.Node(b).ID), score(shard, s.Node(a).ID)), cmp.Compare(s.Node(a).ID, s.Node(b).ID))
	})
	return all[:s.ReplicationFactor()]
}

// Equal weights of different ids do not come up in practice; equal ids, which
// New refuses, stand in for them.
func TestEqualWeightsGoByTheOrderOfMembers(t *testing.T) {
	nodes := []Node{{ID: "x"}, {ID: "x"}, {ID: "x"}, {ID: "x"}}
	for rf := 1; rf <= 4; rf++ {
		for i, w := range rendezvous(nil, nodes, []NodeIndex{0, 1, 2, 3}, 5, rf) {
			if w.node != i {
				t.Errorf("%d copies: owner %d is node %d", rf, i, w.node)
			}
		}
	}
}

func TestOwnersCannotBeOverwrittenByAppending(t *testing.T) {
	table := fleet(t, 1, 3, 2).Table(8)
	before := slices.Clone(table.Owners(0, 1))
	_ = append(table.Owners(0, 0), 99)
	if got := table.Owners(0, 1); !slices.Equal(got, before) {
		t.Errorf("appending to the owners of shard 0 made those of shard 1 %v", got)
	}
}

func TestAnAddedNodeTakesShardsAndMovesNoOthers(t *testing.T) {
	const shards = 256
	for _, c := range []struct{ per, rf int }{{1, 1}, {3, 1}, {3, 2}, {3, 3}, {9, 2}, {30, 3}} {
		old := fleet(t, 2, c.per, c.rf)
		nodes := append(slices.Clone(old.Nodes()), Node{ID: "a-new", Address: "http://new", Group: 0})
		now, err := New(2, nodes, c.rf)
		if err != nil {
			t.Fatal(err)
		}
		taken := 0
		for g := range 2 {
			for shard := range shards {
				before := ids(old, old.Table(shards).Owners(g, shard))
				after := ids(now, now.Table(shards).Owners(g, shard))
				if i := slices.Index(after, "a-new"); i >= 0 {
					// Everybody else keeps the order; the last one makes room.
					taken++
					after = slices.Delete(after, i, i+1)
					before = before[:len(before)-1]
				}
				if !slices.Equal(before, after) {
					t.Fatalf("%d nodes, %d copies: shard %d of group %d went from %v to %v", c.per, c.rf, shard, g, before, after)
				}
			}
		}
		// The newcomer's fair part is rf/(per+1) of the shards of its group.
		fair := shards * c.rf / (c.per + 1)
		if taken < fair/2 || taken > fair*3/2 {
			t.Errorf("%d nodes, %d copies: the new node took %d shards, a fair part is %d", c.per, c.rf, taken, fair)
		}
	}
}

func TestPlacementIgnoresOtherGroupsAndTheOrderOfTheList(t *testing.T) {
	nodes := fleetNodes(3, 4)
	whole, err := New(1, nodes, 2)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(nodes)
	reversed, err := New(1, nodes, 2)
	if err != nil {
		t.Fatal(err)
	}
	alone, err := New(1, slices.DeleteFunc(slices.Clone(nodes), func(n Node) bool { return n.Group != 1 }), 2)
	if err != nil {
		t.Fatal(err)
	}
	for shard := range 64 {
		want := ids(whole, whole.Table(64).Owners(1, shard))
		if got := ids(reversed, reversed.Table(64).Owners(1, shard)); !slices.Equal(got, want) {
			t.Errorf("shard %d: %v in a reversed list, %v before", shard, got, want)
		}
		if got := ids(alone, alone.Table(64).Owners(0, shard)); !slices.Equal(got, want) {
			t.Errorf("shard %d: %v without the other groups, %v before", shard, got, want)
		}
	}
}
