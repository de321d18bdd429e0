package actors

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/miroir-search/miroir/store"
	"github.com/miroir-search/miroir/topology"
)

// The placements of the fleet are versions in the store: the one that the
// configuration says now, and former ones for as long as an index lies on them.
// A placement that comes again, addresses apart, is the same version.
//
// Every index is on one placement, and remembers on which others something of it
// may lie.

const (
	placementPrefix = "placement/"
	// formerPlacementKey is where the one placement was before there were versions.
	formerPlacementKey = "placement"
	placedPrefix       = "placed/"
)

func placementKey(version uint64) string { return fmt.Sprintf("%s%d", placementPrefix, version) }

func placedKey(indexID string) string { return placedPrefix + indexID }

// placed is where an index lies.
type placed struct {
	// On is the placement whose nodes serve the index.
	On uint64 `json:"on"`
	// Traces are other placements whose nodes may have something of it.
	Traces []uint64 `json:"traces,omitempty"`
}

// placements is what the store and the configuration say about places.
type placements struct {
	fleet *topology.Fleet
	of    map[string]placed // by internal index id
}

// choosePlacements puts the configured placement beside those of the store and
// makes the outcome durable.
func choosePlacements(ctx context.Context, o *Options, st *store.State) (*placements, error) {
	known, err := loadPlacements(ctx, o.Store)
	if err != nil {
		return nil, err
	}
	of, err := loadPlaced(ctx, o.Store, st, known)
	if err != nil {
		return nil, err
	}
	now := topology.Placement{Version: 1, Nodes: o.Nodes, ReplicationFactor: o.ReplicationFactor}
	if len(known) > 0 {
		now.Version = known[len(known)-1].Version + 1
	}
	inUse := map[uint64]bool{}
	for _, p := range of {
		inUse[p.On] = true
		for _, v := range p.Traces {
			inUse[v] = true
		}
	}
	b := &store.Batch{Values: map[string]json.RawMessage{formerPlacementKey: nil}}
	var former []topology.Placement
	for i := range known {
		p := &known[i]
		switch {
		case p.Same(&now):
			now.Version = p.Version
		case inUse[p.Version]:
			if err := differs(p, &now); err != nil {
				return nil, err
			}
			former = append(former, *p)
		default:
			b.Values[placementKey(p.Version)] = nil
		}
	}
	fleet, err := topology.NewFleet(append(former, now)...)
	if err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	for _, p := range append(former, now) {
		b.Values[placementKey(p.Version)] = mustJSON(readdressed(p, fleet))
	}
	if err := o.Store.Commit(ctx, b); err != nil {
		return nil, fmt.Errorf("write the placement: %w", err)
	}
	return &placements{fleet: fleet, of: of}, nil
}

// differs says in what a placement that indexes lie on is another one.
func differs(was, now *topology.Placement) error {
	const advice = "documents would not be found where they lie; start with the former topology, or with an empty store and empty nodes and send the documents again"
	if was.ReplicationFactor != now.ReplicationFactor {
		return fmt.Errorf("replication_factor was %d and is now %d: %s", was.ReplicationFactor, now.ReplicationFactor, advice)
	}
	groups := func(p *topology.Placement) map[string]int {
		m := map[string]int{}
		for _, n := range p.Nodes {
			m[n.ID] = n.Group
		}
		return m
	}
	before, after := groups(was), groups(now)
	for _, n := range was.Nodes {
		if g, ok := after[n.ID]; !ok {
			return fmt.Errorf("node %s is missing: %s", n.ID, advice)
		} else if g != n.Group {
			return fmt.Errorf("node %s was in group %d and is now in group %d: %s", n.ID, n.Group, g, advice)
		}
	}
	for _, n := range now.Nodes {
		if _, ok := before[n.ID]; !ok {
			return fmt.Errorf("node %s is new: %s", n.ID, advice)
		}
	}
	return nil
}

// readdressed is a placement with the addresses that its nodes have now.
func readdressed(p topology.Placement, f *topology.Fleet) topology.Placement {
	p.Nodes = slices.Clone(p.Nodes)
	for i := range p.Nodes {
		n, _ := f.Lookup(p.Nodes[i].ID)
		if now := f.Nodes()[n]; now.Address != "" {
			p.Nodes[i] = now
		}
	}
	return p
}

// loadPlacements reads all placements of the store, by version.
func loadPlacements(ctx context.Context, st store.Store) ([]topology.Placement, error) {
	values, err := st.Values(ctx, placementPrefix)
	if err != nil {
		return nil, fmt.Errorf("read the placements: %w", err)
	}
	if len(values) == 0 {
		raw, err := st.Value(ctx, formerPlacementKey)
		switch {
		case errors.Is(err, store.ErrNotFound):
			return nil, nil
		case err != nil:
			return nil, fmt.Errorf("read the placement: %w", err)
		}
		values = map[string]json.RawMessage{placementKey(1): raw}
	}
	var out []topology.Placement
	for name, raw := range values {
		p := topology.Placement{Version: 1} // the former one has none
		if err := json.Unmarshal(raw, &p); err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b topology.Placement) int { return cmp.Compare(a.Version, b.Version) })
	return out, nil
}

// loadPlaced reads where every index lies. One of which nothing is known is
// older than versions.
func loadPlaced(ctx context.Context, st store.Store, state *store.State, known []topology.Placement) (map[string]placed, error) {
	values, err := st.Values(ctx, placedPrefix)
	if err != nil {
		return nil, fmt.Errorf("read where indexes lie: %w", err)
	}
	of := map[string]placed{}
	for _, row := range state.Indexes {
		p := placed{}
		if raw, ok := values[placedKey(row.ID)]; ok {
			if err := json.Unmarshal(raw, &p); err != nil {
				return nil, fmt.Errorf("read where index %s lies: %w", row.UID, err)
			}
		} else if len(known) > 0 {
			p.On = known[0].Version
		}
		for _, v := range append([]uint64{p.On}, p.Traces...) {
			if !slices.ContainsFunc(known, func(k topology.Placement) bool { return k.Version == v }) {
				return nil, fmt.Errorf("index %s lies on placement %d, which the store does not have: restore a backup of the store", row.UID, v)
			}
		}
		of[row.ID] = p
	}
	return of, nil
}

// tableOf says on which nodes an index lies.
func (r *registry) tableOf(id string, shards int) *topology.Table {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.tableLocked(id, shards)
}

// tableLocked is tableOf for who holds r.mu.
func (r *registry) tableLocked(id string, shards int) *topology.Table {
	p, known := r.places[id]
	if !known {
		return r.fleet.Newest().Table(shards)
	}
	traces := make([]*topology.Snapshot, 0, len(p.Traces))
	for _, v := range p.Traces {
		traces = append(traces, r.fleet.Snapshot(v))
	}
	return r.fleet.Snapshot(p.On).Between(shards, r.fleet.Newest(), traces...)
}
