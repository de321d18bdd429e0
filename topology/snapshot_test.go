package topology

import (
	"slices"
	"strings"
	"sync"
	"testing"
)

func TestNewRefusesFleetsThatCannotWork(t *testing.T) {
	a := Node{ID: "a", Address: "http://a", Group: 0}
	b := Node{ID: "b", Address: "http://b", Group: 0}
	for _, c := range []struct {
		name  string
		nodes []Node
		rf    int
		want  string // every word must be in the error
	}{
		{"no nodes", nil, 1, "no nodes"},
		{"no copies", []Node{a}, 0, "replication_factor at least 1 got 0"},
		{"a negative number of copies", []Node{a}, -2, "replication_factor at least 1 got -2"},
		{"a node without id is named by its place in the list", []Node{b, {Address: "http://x", Group: 9}}, 1, `node 2 "http://x" id`},
		{"a node without address is named by its place and id", []Node{b, a, {ID: "c", Group: -1}}, 1, `node 3 "c" address`},
		{"two nodes with one id, even in different groups", []Node{a, {ID: "a", Address: "http://z", Group: 4}}, 1, `two nodes id "a"`},
		{"two nodes with one address", []Node{a, {ID: "c", Address: "http://a"}}, 1, `"a" "c" same address http://a`},
		{"the only group smaller than the copies", []Node{a, b}, 3, "group 0 2 nodes 3 copies"},
		{"one group of several smaller than the copies is named as configured", []Node{a, b, {ID: "c", Address: "http://c", Group: 7}}, 2, "group 7 1 nodes 2 copies"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := New(1, c.nodes, c.rf)
			if err == nil || s != nil {
				t.Fatalf("New gave %v, %v; want an error", s, err)
			}
			for _, word := range strings.Fields(c.want) {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("error %q lacks %q", err, word)
				}
			}
		})
	}
}

func TestSnapshotNumbersNodesByGroupThenID(t *testing.T) {
	nodes := []Node{
		{ID: "z", Address: "http://z", Group: 10},
		{ID: "y", Address: "http://y", Group: -3},
		{ID: "b", Address: "http://b", Group: 10},
		{ID: "x", Address: "http://x", Group: 4},
		{ID: "c", Address: "http://c", Group: 10},
	}
	given := slices.Clone(nodes)
	s, err := New(42, nodes, 1)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(nodes, given) {
		t.Error("New changed the caller's list")
	}
	nodes[0].ID = "changed afterwards"

	if s.Version() != 42 || s.ReplicationFactor() != 1 || s.Groups() != 3 {
		t.Errorf("version %d, factor %d, groups %d", s.Version(), s.ReplicationFactor(), s.Groups())
	}
	wantIDs, wantGroups, wantGroupIDs := []string{"y", "x", "b", "c", "z"}, []int{0, 1, 2, 2, 2}, []int{-3, 4, 10}
	for i, id := range wantIDs {
		if s.Node(i).ID != id || s.Nodes()[i].ID != id {
			t.Errorf("node %d is %q, want %q", i, s.Node(i).ID, id)
		}
		if got, ok := s.Lookup(id); !ok || got != i {
			t.Errorf("Lookup(%q) = %d, %v; want %d", id, got, ok, i)
		}
		if got := s.GroupOf(i); got != wantGroups[i] {
			t.Errorf("GroupOf(%d) = %d, want %d", i, got, wantGroups[i])
		}
		if !slices.Contains(s.Members(wantGroups[i]), i) {
			t.Errorf("node %d is not among the members of group %d", i, wantGroups[i])
		}
	}
	for g, id := range wantGroupIDs {
		if s.GroupID(g) != id {
			t.Errorf("GroupID(%d) = %d, want %d", g, s.GroupID(g), id)
		}
	}
	if _, ok := s.Lookup("nobody"); ok {
		t.Error("Lookup found a node that is not there")
	}
}

func TestGroupOfAgreesWithMembersInManyShapes(t *testing.T) {
	for groups := 1; groups <= 9; groups++ {
		for per := 1; per <= 5; per++ {
			s := fleet(t, groups, per, 1)
			for g := range groups {
				for _, n := range s.Members(g) {
					if s.GroupOf(n) != g {
						t.Fatalf("%d×%d: GroupOf(%d) = %d, want %d", groups, per, n, s.GroupOf(n), g)
					}
				}
			}
		}
	}
}

func TestQuorumIsMoreThanHalfTheCopies(t *testing.T) {
	for rf, want := range map[int]int{1: 1, 2: 2, 3: 2, 4: 3, 5: 3} {
		if got := fleet(t, 1, 5, rf).Quorum(); got != want {
			t.Errorf("quorum of %d copies is %d, want %d", rf, got, want)
		}
	}
}

func TestTableIsComputedOncePerShardCount(t *testing.T) {
	s := fleet(t, 2, 3, 2)
	var wg sync.WaitGroup
	got := make([]*Table, 8)
	for i := range got {
		wg.Go(func() { got[i] = s.Table(64) })
	}
	wg.Wait()
	for _, table := range got {
		if table != got[0] {
			t.Fatal("callers got different tables of one size")
		}
	}
	if other := s.Table(128); other == got[0] || other.Shards() != 128 || got[0].Shards() != 64 {
		t.Error("tables of different sizes are mixed up")
	}
	if got[0].Snapshot() != s {
		t.Error("the table names another snapshot")
	}
}
