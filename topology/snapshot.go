// Package topology says where documents live: the shard of a document, the
// nodes that own a shard in each replica group, and the smallest set of nodes
// that can answer for given shards.
//
// It is pure. A Snapshot is immutable; a change of the fleet makes a new one.
package topology

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
)

// Node is one Meilisearch server as configured.
type Node struct {
	ID      string `json:"id"      yaml:"id"`
	Address string `json:"address" yaml:"address"`
	Group   int    `json:"group"   yaml:"group"`
}

// NodeIndex numbers the nodes of one snapshot, from 0.
type NodeIndex = int

// Snapshot is one version of the fleet: its nodes, their groups and the number
// of copies of a shard inside each group.
type Snapshot struct {
	version uint64
	rf      int
	nodes   []Node        // by group, then id
	groups  [][]NodeIndex // position = group number as clients see it
	byID    map[string]NodeIndex

	mu     sync.Mutex
	tables map[int]*Table
}

// New checks a fleet and builds its snapshot. Groups are numbered by ascending
// Node.Group and need not be dense. Errors name what is wrong: no nodes, a
// node without id or address, two nodes with one id or address, a group with
// fewer nodes than copies.
func New(version uint64, nodes []Node, replicationFactor int) (*Snapshot, error) {
	if len(nodes) == 0 {
		return nil, fmt.Errorf("no nodes are configured")
	}
	if replicationFactor < 1 {
		return nil, fmt.Errorf("replication_factor must be at least 1, got %d", replicationFactor)
	}
	for i, n := range nodes { // before sorting: the position is the one in the configuration
		if n.ID == "" || n.Address == "" {
			return nil, fmt.Errorf("node %d of the list (id %q, address %q) needs an id and an address", i+1, n.ID, n.Address)
		}
	}
	s := &Snapshot{
		version: version, rf: replicationFactor, nodes: slices.Clone(nodes),
		byID: make(map[string]NodeIndex, len(nodes)), tables: map[int]*Table{},
	}
	slices.SortFunc(s.nodes, func(a, b Node) int {
		return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.ID, b.ID))
	})
	addresses := make(map[string]string, len(nodes))
	for i, n := range s.nodes {
		if _, twice := s.byID[n.ID]; twice {
			return nil, fmt.Errorf("two nodes have the id %q", n.ID)
		}
		if other, twice := addresses[n.Address]; twice {
			return nil, fmt.Errorf("nodes %q and %q have the same address %s", other, n.ID, n.Address)
		}
		s.byID[n.ID], addresses[n.Address] = i, n.ID
		if i == 0 || n.Group != s.nodes[i-1].Group {
			s.groups = append(s.groups, nil)
		}
		g := len(s.groups) - 1
		s.groups[g] = append(s.groups[g], i)
	}
	for g, members := range s.groups {
		if len(members) < replicationFactor {
			return nil, fmt.Errorf("group %d has %d nodes, fewer than the %d copies of replication_factor",
				s.nodes[s.groups[g][0]].Group, len(members), replicationFactor)
		}
	}
	return s, nil
}

// Version tells snapshots apart; it grows with every change.
func (s *Snapshot) Version() uint64 { return s.version }

// ReplicationFactor is the number of copies of a shard inside each group.
func (s *Snapshot) ReplicationFactor() int { return s.rf }

// Quorum is how many owners of a shard in one group must accept a write there:
// floor(RF/2)+1.
func (s *Snapshot) Quorum() int { return s.rf/2 + 1 }

// Nodes lists all nodes by group, then id. Callers must not change it.
func (s *Snapshot) Nodes() []Node { return s.nodes }

// Node returns one node.
func (s *Snapshot) Node(i NodeIndex) Node { return s.nodes[i] }

// Lookup finds a node by id.
func (s *Snapshot) Lookup(id string) (NodeIndex, bool) {
	i, ok := s.byID[id]
	return i, ok
}

// Groups is the number of replica groups.
func (s *Snapshot) Groups() int { return len(s.groups) }

// Members lists the nodes of a group. Callers must not change it.
func (s *Snapshot) Members(group int) []NodeIndex { return s.groups[group] }

// GroupID is the number that the configuration gave the group.
func (s *Snapshot) GroupID(group int) int { return s.nodes[s.groups[group][0]].Group }

// GroupOf is the group of a node, as counted by Groups.
func (s *Snapshot) GroupOf(i NodeIndex) int {
	g, _ := slices.BinarySearchFunc(s.groups, i, func(members []NodeIndex, i NodeIndex) int {
		switch {
		case members[len(members)-1] < i:
			return -1
		case members[0] > i:
			return 1
		}
		return 0
	})
	return g
}

// Table is the placement of an index of n shards (1 to MaxShards), computed once
// per snapshot. Any goroutine may call it.
func (s *Snapshot) Table(n int) *Table {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tables[n]
	if t == nil {
		t = newTable(s, n)
		s.tables[n] = t
	}
	return t
}
