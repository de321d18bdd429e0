package topology

import (
	"fmt"
	"slices"
)

// Placement is one version of the configured fleet.
type Placement struct {
	Version           uint64 `json:"version"`
	Nodes             []Node `json:"nodes"`
	ReplicationFactor int    `json:"replicationFactor"`
}

// Same reports whether both put every shard on the same nodes. Addresses do not
// matter.
func (p *Placement) Same(o *Placement) bool {
	if p.ReplicationFactor != o.ReplicationFactor || len(p.Nodes) != len(o.Nodes) {
		return false
	}
	groups := make(map[string]int, len(p.Nodes))
	for _, n := range p.Nodes {
		groups[n.ID] = n.Group
	}
	for _, n := range o.Nodes {
		if g, ok := groups[n.ID]; !ok || g != n.Group {
			return false
		}
	}
	return true
}

// Fleet is all nodes that some index may lie on: those of the placement that is
// configured and of former ones that are still in use. Its numbering of the
// nodes holds for all its snapshots.
type Fleet struct {
	nodes    []Node // by group, then id
	byID     map[string]NodeIndex
	versions []uint64
	snaps    map[uint64]*Snapshot
	newest   *Snapshot
}

// NewFleet puts placements together, the configured one last. A node that is in
// several has the address of the last of them. A former node whose address
// belongs to another one by now has none: it cannot be reached any more.
//
// Besides what New refuses, a node cannot be in different groups.
func NewFleet(ps ...Placement) (*Fleet, error) {
	f := &Fleet{byID: map[string]NodeIndex{}, snaps: map[uint64]*Snapshot{}}
	byID, taken := map[string]Node{}, map[string]bool{}
	for i := len(ps) - 1; i >= 0; i-- {
		p := &ps[i]
		if err := p.check(); err != nil {
			return nil, err
		}
		for _, n := range p.Nodes {
			newer, known := byID[n.ID]
			switch {
			case known && newer.Group != n.Group:
				return nil, fmt.Errorf("node %s was in group %d and is now in group %d: a node keeps its group for life; "+
					"to use the server there, give the node a new id, and let the one with the former id go", n.ID, n.Group, newer.Group)
			case known:
				continue
			case taken[n.Address]:
				n.Address = ""
			}
			byID[n.ID], taken[n.Address] = n, true
		}
	}
	for _, n := range byID {
		f.nodes = append(f.nodes, n)
	}
	slices.SortFunc(f.nodes, byGroup)
	for i, n := range f.nodes {
		f.byID[n.ID] = i
	}
	for i := range ps {
		f.newest = newSnapshot(f, &ps[i])
		f.snaps[ps[i].Version] = f.newest
		f.versions = append(f.versions, ps[i].Version)
	}
	return f, nil
}

// Nodes lists all nodes by group, then id. Callers must not change it.
func (f *Fleet) Nodes() []Node { return f.nodes }

// Lookup finds a node by id.
func (f *Fleet) Lookup(id string) (NodeIndex, bool) {
	i, ok := f.byID[id]
	return i, ok
}

// Newest is the placement that is configured.
func (f *Fleet) Newest() *Snapshot { return f.newest }

// Versions lists the placements, the configured one last.
func (f *Fleet) Versions() []uint64 { return f.versions }

// Was reports whether a node is in one of some placements.
func (f *Fleet) Was(n NodeIndex, versions []uint64) bool {
	return slices.ContainsFunc(versions, func(v uint64) bool { return f.snaps[v] != nil && f.snaps[v].Has(n) })
}

// Snapshot is the placement of a version, or nil.
func (f *Fleet) Snapshot(version uint64) *Snapshot { return f.snaps[version] }
