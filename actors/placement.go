package actors

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

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
	// To is the placement that it was last told to be on; 0 for On.
	To uint64 `json:"to,omitempty"`
	// Traces are other placements whose nodes may have something of it.
	Traces []uint64 `json:"traces,omitempty"`
}

// settled reports whether the index lies on a placement, and nowhere else.
func (p placed) settled(v uint64) bool { return p.On == v && len(p.Traces) == 0 }

// toward is p once the index is to be on v.
func (p placed) toward(v uint64) placed { return placed{On: p.On, To: v, Traces: traces(p, v)} }

// arrived is p once the index is served from v.
func (p placed) arrived(v uint64) placed {
	return placed{On: v, To: v, Traces: traces(placed{v, v, p.Traces}, p.On)}
}

// traces are those of p and also, unless the index is on it.
func traces(p placed, also uint64) []uint64 {
	all := append(slices.Clone(p.Traces), also)
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(v uint64) bool { return v == p.On })
}

// placements is what the store and the configuration say about places.
type placements struct {
	fleet *topology.Fleet
	of    map[string]placed // by internal index id
	rows  []*store.Index    // of those that move
	batch *store.Batch      // what is new
}

// choosePlacements puts the configured placement beside those of the store.
func choosePlacements(ctx context.Context, o *Options, st *store.State) (*placements, error) {
	known, err := loadPlacements(ctx, o.Store)
	if err != nil {
		return nil, err
	}
	p := &placements{batch: &store.Batch{Values: map[string]json.RawMessage{formerPlacementKey: nil}}}
	if p.of, err = loadPlaced(ctx, o.Store, st, known); err != nil {
		return nil, err
	}
	records, err := o.Store.Values(ctx, rebuildPrefix)
	if err != nil {
		return nil, fmt.Errorf("read the records of rebuilds: %w", err)
	}
	now := topology.Placement{Version: 1, Nodes: o.Nodes, ReplicationFactor: o.ReplicationFactor}
	if len(known) > 0 {
		now.Version = known[len(known)-1].Version + 1
	}
	inUse := map[uint64]bool{}
	for _, place := range p.of {
		inUse[place.On] = true
		for _, v := range place.Traces {
			inUse[v] = true
		}
	}
	var used []topology.Placement
	for i := range known {
		switch k := &known[i]; {
		case k.Same(&now):
			now.Version = k.Version
		case inUse[k.Version]:
			used = append(used, *k)
		default:
			p.batch.Values[placementKey(k.Version)] = nil
		}
	}
	used = append(used, now)
	if p.fleet, err = topology.NewFleet(used...); err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	for _, u := range used {
		p.batch.Values[placementKey(u.Version)] = mustJSON(readdressed(u, p.fleet))
	}
	for _, row := range st.Indexes {
		if !row.Deleted {
			p.direct(row, records)
		}
	}
	return p, nil
}

// direct lets an index go where the configuration says. One that was on its way
// there goes on; else its new owners are to be rebuilt from those of before.
func (p *placements) direct(row *store.Index, records map[string]json.RawMessage) {
	place, newest := p.of[row.ID], p.fleet.Newest()
	if place.On != newest.Version() {
		p.rows = append(p.rows, row)
	}
	if place.To == newest.Version() || place.To == 0 && place.On == newest.Version() {
		return
	}
	place = place.toward(newest.Version())
	p.of[row.ID] = place
	p.batch.Values[placedKey(row.ID)] = mustJSON(place)
	table := placeTable(p.fleet, place, row.Shards)
	for n, node := range p.fleet.Nodes() {
		name := rebuildPrefix + node.ID + "/" + row.ID
		r, lacking := rebuildRecord{Since: time.Now().UTC()}, table.Joining(n)
		if raw, ok := records[name]; ok && json.Unmarshal(raw, &r) == nil {
			lacking = lacking.Or(topology.ShardSetOf(row.Shards, r.Shards...)).And(table.Held(n))
		} else if lacking.Empty() {
			continue
		}
		if r.Reason == "" {
			r.Reason = "shards move there"
		}
		r.Shards, r.Generation = lacking.Slice(), r.Generation+1
		if p.batch.Values[name] = mustJSON(r); lacking.Empty() {
			p.batch.Values[name] = nil
		}
	}
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
			if row.Deleted && !slices.ContainsFunc(known, func(k topology.Placement) bool { return k.Version == v }) {
				p = placed{On: known[len(known)-1].Version} // it is gone everywhere but for nodes that are away
				break
			}
			if !slices.ContainsFunc(known, func(k topology.Placement) bool { return k.Version == v }) {
				return nil, fmt.Errorf("index %s lies on placement %d, which the store does not have: restore a backup of the store", row.UID, v)
			}
		}
		of[row.ID] = p
	}
	return of, nil
}

// placeTable is the placement of an index that is placed.
func placeTable(f *topology.Fleet, p placed, shards int) *topology.Table {
	traces := make([]*topology.Snapshot, 0, len(p.Traces))
	for _, v := range p.Traces {
		traces = append(traces, f.Snapshot(v))
	}
	return f.Snapshot(p.On).Between(shards, f.Newest(), traces...)
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
	return placeTable(r.fleet, p, shards)
}

// placeOf says where an index lies, as the store has it.
func (r *registry) placeOf(id string) (placed, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p, ok := r.places[id]
	return p, ok
}

// setPlace publishes where an index lies: to readers first.
func (r *registry) setPlace(id string, p placed) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	row := r.rows[id]
	if row == nil {
		return nil
	}
	r.places[id] = p
	table := r.tableLocked(id, row.Shards)
	if old := *r.visible.Load(); old[row.UID] != nil && old[row.UID].row.ID == id {
		v, err := newIndexView(*row, table)
		if err != nil {
			return err
		}
		next := maps.Clone(old)
		next[row.UID] = v
		r.visible.Store(&next)
	}
	for _, h := range r.sequenced {
		if h.id == id {
			h.table.Store(table)
		}
	}
	return nil
}

// unsettled lists the indexes that are not where the configuration says, and there
// alone.
func (r *registry) unsettled() (ids []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, p := range r.places {
		if row := r.rows[id]; row != nil && !row.Deleted && !p.settled(r.fleet.Newest().Version()) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// served reports whether an index is served from a node.
func (r *registry) served(n topology.NodeIndex) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, row := range r.rows {
		if !row.Deleted && r.tableLocked(id, row.Shards).Snapshot().Has(n) {
			return true
		}
	}
	return false
}
