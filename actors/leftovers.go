package actors

import (
	"encoding/json"
	"net/http"
	"slices"

	"github.com/miroir-search/miroir/nodeclient"
	"github.com/miroir-search/miroir/rawjson"
	"github.com/miroir-search/miroir/store"
	"github.com/miroir-search/miroir/topology"
)

// After an index has moved, nodes store documents of shards that they hold no
// longer. They are removed by an entry of the index's own order, so that nothing
// that was on its way to them comes behind it.

// removeLeftovers asks a sequencer to order the removal of what is left on some
// placements.
type removeLeftovers struct{ traces []uint64 }

// noTask is the task of entries that belong to none.
const noTask = -1

// removeLeftovers adds the entry that removes what nodes store and do not hold.
func (p *sequencePlan) removeLeftovers(m *removeLeftovers) {
	if p.state.deleted || !p.state.created || p.table.Moving() {
		return
	}
	q := params{Traces: m.traces, Leftovers: map[string][]int{}}
	var nodes []string
	for n, node := range p.c.fleet.Nodes() {
		left := p.table.Leftover(n)
		switch {
		case p.c.nodes[n].released.Load(): // nobody will ask it
		case p.table.Has(n) && !left.Empty():
			nodes, q.Leftovers[node.ID] = append(nodes, node.ID), left.Slice()
		case !p.table.Has(n) && p.c.fleet.Was(n, m.traces):
			nodes = append(nodes, node.ID)
		}
	}
	row := &store.Entry{IndexID: p.handle.id, TaskUID: noTask, Kind: kindRemoveLeftovers, Params: mustJSON(q), Nodes: nodes}
	e := &entry{row: row, p: q, table: p.table, need: topology.NewShardSet(p.table.Shards())}
	p.batch.Entries = append(p.batch.Entries, row)
	p.steps = append(p.steps, &planStep{entries: []*entry{e}})
}

// leftoverCall is what a node is asked: to delete documents of shards that it holds
// no longer, or the whole index when it has left the placement.
func leftoverCall(e *entry, h *nodeHandle) *nodeclient.Request {
	path := "/indexes/" + e.row.IndexID
	shards, stays := e.p.Leftovers[h.node.ID]
	if !stays {
		return &nodeclient.Request{Method: http.MethodDelete, Path: path}
	}
	filter := topology.AppendFilter(nil, topology.ShardSetOf(e.table.Shards(), shards...))
	return jsonCall(http.MethodPost, path+"/documents/delete", append(rawjson.AppendString([]byte(`{"filter":`), filter), '}'))
}

// leftoversRemoved takes note in b that nothing is left of an index where it lay
// before. When a node that stays could not remove its part, it is asked again.
func (k *taskKeeper) leftoversRemoved(oe *openEntry, b *store.Batch) {
	for n, p := range oe.parts {
		if p.state != store.DeliveryApplied && k.c.newest.Has(n) {
			return
		}
	}
	id := oe.e.row.IndexID
	place, ok := k.c.registry.placeOf(id)
	if !ok {
		return
	}
	place.Traces = slices.DeleteFunc(slices.Clone(place.Traces), func(v uint64) bool { return slices.Contains(oe.e.p.Traces, v) })
	if b.Values == nil {
		b.Values = map[string]json.RawMessage{}
	}
	b.Values[placedKey(id)] = mustJSON(place)
	if err := k.c.registry.setPlace(id, place); err != nil {
		k.c.log.WithError(err).Error("cannot publish an index")
	}
}
