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

// NodeIndex numbers the nodes of a fleet, from 0.
type NodeIndex = int

// Snapshot is one placement over a fleet: its nodes, their groups and the number
// of copies of a shard inside each group. The fleet may have other nodes, which
// are members of no group here.
type Snapshot struct {
	version uint64
	rf      int
	nodes   []Node        // of the fleet: by group, then id
	groups  [][]NodeIndex // position = group number as clients see it
	groupOf []int         // by node, -1 for those of other placements
	byID    map[string]NodeIndex

	mu     sync.Mutex
	tables map[tableKey]*Table
}

// New checks a placement and builds its snapshot, over a fleet of its nodes
// alone. Groups are numbered by ascending Node.Group and need not be dense.
// Errors name what is wrong: no nodes, a node without id or address, two nodes
// with one id or address, a group with fewer nodes than copies.
func New(version uint64, nodes []Node, replicationFactor int) (*Snapshot, error) {
	f, err := NewFleet(Placement{Version: version, Nodes: nodes, ReplicationFactor: replicationFactor})
	if err != nil {
		return nil, err
	}
	return f.Newest(), nil
}

// newSnapshot groups the members of a placement that was checked.
func newSnapshot(f *Fleet, p *Placement) *Snapshot {
	s := &Snapshot{
		version: p.Version, rf: p.ReplicationFactor, nodes: f.nodes, byID: f.byID,
		groupOf: make([]int, len(f.nodes)), tables: map[tableKey]*Table{},
	}
	var members []NodeIndex
	for _, n := range p.Nodes {
		members = append(members, f.byID[n.ID])
	}
	slices.Sort(members)
	for n := range s.groupOf {
		s.groupOf[n] = -1
	}
	for i, n := range members {
		if i == 0 || f.nodes[n].Group != f.nodes[members[i-1]].Group {
			s.groups = append(s.groups, nil)
		}
		g := len(s.groups) - 1
		s.groups[g] = append(s.groups[g], n)
		s.groupOf[n] = g
	}
	return s
}

// Version tells snapshots apart; it grows with every change.
func (s *Snapshot) Version() uint64 { return s.version }

// ReplicationFactor is the number of copies of a shard inside each group.
func (s *Snapshot) ReplicationFactor() int { return s.rf }

// Quorum is how many owners of a shard in one group must accept a write there:
// floor(RF/2)+1.
func (s *Snapshot) Quorum() int { return s.rf/2 + 1 }

// Nodes lists all nodes of the fleet by group, then id; members or not. Callers
// must not change it.
func (s *Snapshot) Nodes() []Node { return s.nodes }

// Node returns one node of the fleet.
func (s *Snapshot) Node(i NodeIndex) Node { return s.nodes[i] }

// Lookup finds a node of the fleet by id.
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

// GroupOf is the group of a node, as counted by Groups; -1 for a node that is
// not in this placement.
func (s *Snapshot) GroupOf(i NodeIndex) int { return s.groupOf[i] }

// Has reports whether a node of the fleet is in this placement.
func (s *Snapshot) Has(i NodeIndex) bool { return s.groupOf[i] >= 0 }

// Table is the placement of an index of n shards (1 to MaxShards) that lies here
// and nowhere else, computed once per snapshot. Any goroutine may call it.
func (s *Snapshot) Table(n int) *Table { return s.Between(n, s) }

// Between is the placement of an index of n shards that is served from here
// while its documents are brought to where to wants them. traces are further
// placements that the index has lain on, so that something of it may still be on
// their nodes. All are snapshots of one fleet. It is computed once, and any
// goroutine may call it.
func (s *Snapshot) Between(n int, to *Snapshot, traces ...*Snapshot) *Table {
	key := tableKey{shards: n, to: to.version}
	for _, t := range traces {
		key.traces += fmt.Sprintf(" %d", t.version)
	}
	s.mu.Lock()
	t := s.tables[key]
	s.mu.Unlock()
	if t != nil {
		return t
	}
	t = newTable(s, n)
	t.bring(to)
	t.remember(traces)
	s.mu.Lock()
	defer s.mu.Unlock()
	if first := s.tables[key]; first != nil {
		return first
	}
	s.tables[key] = t
	return t
}

type tableKey struct {
	shards int
	to     uint64
	traces string
}

// check names what is wrong with a placement.
func (p *Placement) check() error {
	if len(p.Nodes) == 0 {
		return fmt.Errorf("no nodes are configured")
	}
	if p.ReplicationFactor < 1 {
		return fmt.Errorf("replication_factor must be at least 1, got %d", p.ReplicationFactor)
	}
	for i, n := range p.Nodes { // before sorting: the position is the one in the configuration
		if n.ID == "" || n.Address == "" {
			return fmt.Errorf("node %d of the list (id %q, address %q) needs an id and an address", i+1, n.ID, n.Address)
		}
	}
	nodes := slices.SortedFunc(slices.Values(p.Nodes), byGroup)
	ids, addresses := map[string]bool{}, map[string]string{}
	for _, n := range nodes {
		if ids[n.ID] {
			return fmt.Errorf("two nodes have the id %q", n.ID)
		}
		if other, twice := addresses[n.Address]; twice {
			return fmt.Errorf("nodes %q and %q have the same address %s", other, n.ID, n.Address)
		}
		ids[n.ID], addresses[n.Address] = true, n.ID
	}
	for len(nodes) > 0 {
		n := 1
		for n < len(nodes) && nodes[n].Group == nodes[0].Group {
			n++
		}
		if n < p.ReplicationFactor {
			return fmt.Errorf("group %d has %d nodes, fewer than the %d copies of replication_factor",
				nodes[0].Group, n, p.ReplicationFactor)
		}
		nodes = nodes[n:]
	}
	return nil
}

func byGroup(a, b Node) int {
	return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.ID, b.ID))
}
