package checker

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miroir-search/miroir/tests/compare"
	"github.com/miroir-search/miroir/tests/fleet"
	"github.com/miroir-search/miroir/topology"
)

// nodeIndex is an index as a node holds it, under its internal id.
type nodeIndex struct {
	docs     listing
	settings []byte
}

// compareReplicas reads every node directly: owners of a shard hold the same
// documents, hidden members included, and nobody holds what is not his.
func (r *run) compareReplicas(t testing.TB) {
	t.Helper()
	owners := r.owners(t)
	nodes, ids := map[string]map[string]nodeIndex{}, map[string]bool{}
	visible := len(indexesOf(t, r.fleet.API))
	for _, n := range r.fleet.Nodes {
		// Indexes that were deleted leave the nodes behind the end of their tasks.
		deadline := time.Now().Add(20 * time.Second)
		for nodes[n.ID] = r.nodeIndexes(t, n); len(nodes[n.ID]) > visible && time.Now().Before(deadline); nodes[n.ID] = r.nodeIndexes(t, n) {
			time.Sleep(20 * time.Millisecond)
		}
		if len(nodes[n.ID]) != visible {
			r.violated("%s holds %d indexes (%v), Miroir shows %d", n.ID, len(nodes[n.ID]), slices.Sorted(maps.Keys(nodes[n.ID])), visible)
		}
		for id := range nodes[n.ID] {
			ids[id] = true
		}
	}
	for id := range ids {
		first := r.fleet.Nodes[0].ID
		for _, n := range r.fleet.Nodes {
			if d := compare.JSON(nodes[n.ID][id].settings, nodes[first][id].settings, nil); len(d) > 0 {
				r.violated("settings of %s on %s differ from those on %s: %s", id, n.ID, first, strings.Join(d, "; "))
			}
			r.placed(n.ID, nodes[n.ID][id].docs, owners)
		}
		for shard, list := range owners {
			want := ofShard(nodes[list[0]][id].docs, shard)
			for _, n := range list[1:] {
				for _, d := range differences(ofShard(nodes[n][id].docs, shard), want, n, list[0]) {
					r.violated("replicas of shard %d of %s differ: %s", shard, id, d)
				}
			}
		}
	}
}

// owners lists the nodes that must hold each shard.
func (r *run) owners(t testing.TB) map[int][]string {
	t.Helper()
	var page struct {
		Shards []struct {
			Shard  int
			Owners []struct{ Nodes []string }
		}
	}
	r.fleet.Get(t, "/_miroir/shards", &page)
	out := map[int][]string{}
	for _, s := range page.Shards {
		for _, o := range s.Owners {
			out[s.Shard] = append(out[s.Shard], o.Nodes...)
		}
	}
	if len(out) != shards {
		t.Fatalf("Miroir shows %d shards", len(out))
	}
	return out
}

func (r *run) nodeIndexes(t testing.TB, n *fleet.Node) map[string]nodeIndex {
	t.Helper()
	out := map[string]nodeIndex{}
	for _, row := range indexesOf(t, n.API) {
		if row.UID == "miroir-cluster" {
			continue
		}
		docs := r.listAll(t, n.API, row.UID)
		a := n.Do(t, "GET", "/indexes/"+row.UID+"/settings", "")
		if docs != nil && a.Status == http.StatusOK { // else it was deleted a moment ago
			out[row.UID] = nodeIndex{docs, a.Body}
		}
	}
	return out
}

func ofShard(docs listing, shard int) listing {
	out := listing{}
	for id, text := range docs {
		if topology.ShardOf([]byte(id), shards) == shard {
			out[id] = text
		}
	}
	return out
}

// placed checks what Miroir adds to documents, and that a node owns what it holds.
func (r *run) placed(node string, docs listing, owners map[int][]string) {
	seqs := map[string]string{}
	for id, text := range docs {
		shard := topology.ShardOf([]byte(id), shards)
		if !slices.Contains(owners[shard], node) {
			r.violated("%s holds document %s of shard %d, which belongs to %v", node, id, shard, owners[shard])
		}
		var d struct {
			Shard string `json:"_miroir_shard"`
			Seq   string `json:"_miroir_seq"`
		}
		if err := json.Unmarshal([]byte(text), &d); err != nil || d.Shard != string(topology.AppendShard(nil, shard)) {
			r.violated("%s: document %s is of shard %d and says %q (%v)", node, id, shard, d.Shard, err)
		}
		if other := seqs[d.Seq]; other != "" || d.Seq == "" {
			r.violated("%s: document %s has the insertion number %q, as document %q has", node, id, d.Seq, other)
		}
		seqs[d.Seq] = id
	}
}

// readViolations checks what readers saw against the states that documents had in
// the order of the tasks: an answer shows one of them, and none from before a task
// that had succeeded when it was asked for.
//
// overSwap counts the reads that show what was written behind a swap that had not
// ended when they were asked: they found their index before it and read it after.
func readViolations(reads []*Read, all []carried) (out []string, overSwap int) {
	type place struct{ index, id string }
	type state struct {
		from int64 // the task that made it
		text string
	}
	states := map[place][]state{}
	at := func(p place) []state {
		if states[p] == nil {
			states[p] = []state{{-1, Absent}}
		}
		return states[p]
	}
	var swaps []int64
	m := Model{}
	for _, c := range all {
		if c.task.Status != "succeeded" {
			continue
		}
		if c.write.Kind == kindSwap {
			swaps = append(swaps, c.task.UID)
		}
		m.Apply(c.write.Call)
		for _, index := range []string{"films", "books"} {
			for id := range idsOf(all) {
				p := place{index, id}
				text := shown(m[index][p.id])
				if list := at(p); list[len(list)-1].text != text {
					states[p] = append(list, state{c.task.UID, text})
				}
			}
		}
	}
	for _, q := range reads {
		if q.Error != "" || q.Degraded != "" {
			continue
		}
		list := at(place{q.Index, q.ID})
		oldest := 0 // the state that the floor had made
		for i, s := range list {
			if s.from <= q.Floor {
				oldest = i
			}
		}
		was := func(s state) bool { return s.text == q.State }
		switch {
		case slices.ContainsFunc(list[oldest:], was):
		case slices.ContainsFunc(swaps, func(swap int64) bool {
			return swap > q.Floor && slices.ContainsFunc(at(place{other(q.Index), q.ID}), func(s state) bool { return was(s) && s.from > swap })
		}):
			overSwap++
		case slices.ContainsFunc(list, was):
			out = append(out, fmt.Sprintf("a read of document %s of %s at %v shows %q, which was over before task %d had succeeded", q.ID, q.Index, q.Sent, q.State, q.Floor))
		default:
			out = append(out, fmt.Sprintf("a read of document %s of %s at %v shows %q, which it never was", q.ID, q.Index, q.Sent, q.State))
		}
	}
	return out, overSwap
}

// idsOf lists the ids that calls write.
func idsOf(all []carried) map[string]bool {
	ids := map[string]bool{}
	for _, c := range all {
		for _, d := range c.write.Docs {
			ids[d.id()] = true
		}
	}
	return ids
}

// other is the index that swaps exchange with an index.
func other(index string) string { return map[string]string{"films": "books", "books": "films"}[index] }
