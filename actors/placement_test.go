package actors

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/miroir-search/miroir/embedded"
	"github.com/miroir-search/miroir/messages"
	"github.com/miroir-search/miroir/store"
	"github.com/miroir-search/miroir/topology"
)

// The first start may have a mistake in it; it must not fix the topology before
// any data lies by it.
func TestATopologyBindsOnceThereIsAnIndex(t *testing.T) {
	a, b := embedded.RunT(t), embedded.RunT(t)
	dir := filepath.Join(t.TempDir(), "data")
	run := func(groupOfB int, then func(c *Cluster)) error {
		t.Helper()
		st, err := store.Open(context.Background(), store.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = st.Close() }()
		c, err := Start(context.Background(), Options{System: testSystem, Name: "placement", Store: st, Nodes: []topology.Node{
			{ID: "a", Address: a.URL()}, {ID: "b", Address: b.URL(), Group: groupOfB},
		}})
		if err != nil {
			return err
		}
		then(c)
		return c.Stop(context.Background())
	}
	nothing := func(*Cluster) {}
	if err := run(1, nothing); err != nil {
		t.Fatal(err)
	}
	create := func(c *Cluster) {
		if a := c.Write(context.Background(), &messages.CreateIndex{IndexUID: "films"}); a.Err != nil {
			t.Error(a.Err)
		}
	}
	if err := run(0, create); err != nil {
		t.Fatalf("a topology without data cannot be corrected: %v", err)
	}
	if err := run(0, nothing); err != nil {
		t.Errorf("the same topology is refused: %v", err)
	}
	if err := run(1, nothing); err == nil || !strings.Contains(err.Error(), "node b was in group 0 and is now in group 1") {
		t.Errorf("a topology with data was changed: %v", err)
	}
}

// A store of before versions has one placement, and its indexes lie on it.
func TestThePlacementOfBeforeVersionsIsTheFirst(t *testing.T) {
	st, err := store.Open(t.Context(), store.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = st.Close() }()
	row := &store.Index{ID: newIndexID(), UID: "films", Shards: 8, Settings: json.RawMessage(`{}`)}
	was := json.RawMessage(`{"nodes":[{"id":"a","address":"x","group":0},{"id":"b","address":"y","group":1}],"replicationFactor":1}`)
	if err := st.Commit(t.Context(), &store.Batch{Indexes: []*store.Index{row}, Values: map[string]json.RawMessage{formerPlacementKey: was}}); err != nil {
		t.Fatal(err)
	}
	choose := func(nodes ...topology.Node) (*placements, error) {
		state, err := st.Load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		p, err := choosePlacements(t.Context(), &Options{Store: st, Nodes: nodes, ReplicationFactor: 1}, state)
		if err != nil {
			return nil, err
		}
		return p, st.Commit(t.Context(), p.batch)
	}
	for _, address := range []string{"x", "z"} { // a node may move
		p, err := choose(topology.Node{ID: "b", Address: "y", Group: 1}, topology.Node{ID: "a", Address: address})
		if err != nil {
			t.Fatal(err)
		}
		if p.of[row.ID].On != 1 || len(p.of[row.ID].Traces) != 0 || p.fleet.Newest().Version() != 1 {
			t.Errorf("it lies on %+v, the newest is %d", p.of[row.ID], p.fleet.Newest().Version())
		}
		known, err := loadPlacements(t.Context(), st)
		if err != nil || len(known) != 1 || known[0].ReplicationFactor != 1 {
			t.Fatalf("the store has %+v, %v", known, err)
		}
		for _, n := range known[0].Nodes {
			if n.ID == "a" && n.Address != address {
				t.Errorf("the store has the address %s, not %s", n.Address, address)
			}
		}
		if _, err := st.Value(t.Context(), formerPlacementKey); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the former value is still there: %v", err)
		}
	}
	lost := json.RawMessage(`{"on":7}`)
	if err := st.Commit(t.Context(), &store.Batch{Values: map[string]json.RawMessage{placedKey(row.ID): lost}}); err != nil {
		t.Fatal(err)
	}
	if _, err := choose(topology.Node{ID: "a", Address: "x"}, topology.Node{ID: "b", Address: "y", Group: 1}); err == nil || !strings.Contains(err.Error(), "films lies on placement 7") {
		t.Errorf("an index without a placement is taken: %v", err)
	}
}

// movingTable is the table of an index that moves from nodes a and b to c and d,
// and has once been on e.
func movingTable(t *testing.T) *topology.Table {
	t.Helper()
	p := func(v uint64, ids ...string) topology.Placement {
		out := topology.Placement{Version: v, ReplicationFactor: 1}
		for _, id := range ids {
			out.Nodes = append(out.Nodes, topology.Node{ID: id, Address: id})
		}
		return out
	}
	r := newRegistry(testFleet(t, p(1, "a", "b"), p(2, "e"), p(3, "b", "c", "d")), map[string]placed{"films": {On: 1, Traces: []uint64{2, 3}}})
	return r.tableOf("films", 12)
}

func TestWritesGoToOwnersAndOwnersToBe(t *testing.T) {
	table := movingTable(t)
	if got := targetIDs(table, table.All(), true); !slices.Equal(got, []string{"a", "b", "c", "d"}) {
		t.Errorf("everyone is %v", got)
	}
	for s := range table.Shards() {
		var want []string
		for n, node := range table.Snapshot().Nodes() {
			if table.Owned(n).Has(s) || table.Joining(n).Has(s) {
				want = append(want, node.ID)
			}
		}
		need := topology.ShardSetOf(table.Shards(), s)
		got := targetIDs(table, need, false)
		if !slices.Equal(got, want) || len(got) > 2 || slices.Contains(got, "e") {
			t.Errorf("a write to shard %d goes to %v, want %v", s, got, want)
		}
		// After a restart on another placement, who has left is not asked any more.
		row := &store.Entry{LSN: 1, Kind: kindAddDocuments, Nodes: []string{"a", "b", "c", "d", "e"}, Params: mustJSON(params{Shards: []int{s}})}
		e, err := newEntry(row, table)
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, n := range e.targets() {
			ids = append(ids, table.Snapshot().Node(n).ID)
		}
		if !slices.Equal(ids, want) {
			t.Errorf("a stored write to shard %d concerns %v, want %v", s, ids, want)
		}
	}
}

func TestAnIndexThatMovesIsReadFromItsOwners(t *testing.T) {
	table := movingTable(t)
	v := newViews(len(table.Snapshot().Nodes()))
	for n := range table.Snapshot().Nodes() {
		v.setState(n, stateReady)
	}
	for n, usable := range v.load().usable(table, "films") {
		if !usable.Equal(table.Owned(n)) {
			t.Errorf("node %d is read for %v, and serves %v", n, usable.Slice(), table.Owned(n).Slice())
		}
	}
}

// Nodes that store more than they own count too much: another group is asked, or
// the count stays unknown.
func TestCountsAreNotTakenFromNodesThatStoreMore(t *testing.T) {
	nodes := func(ids ...string) (out []topology.Node) {
		for _, id := range ids {
			out = append(out, topology.Node{ID: id, Address: id, Group: int(id[0] - 'a')})
		}
		return out
	}
	f := testFleet(t,
		topology.Placement{Version: 1, ReplicationFactor: 1, Nodes: nodes("a0", "a1", "b0", "b1")},
		topology.Placement{Version: 2, ReplicationFactor: 1, Nodes: nodes("a0", "a2", "b0", "b1")})
	for name, c := range map[string]struct {
		table *topology.Table
		b     string // counts of group b; "-" for one that has not applied it
		want  int64
		known bool
	}{
		"before":                      {f.Snapshot(1).Table(16), "5 6", 10, true},
		"while a0 gets shards of a1":  {f.Snapshot(1).Between(16, f.Snapshot(2)), "5 6", 11, true},
		"and the other group is away": {f.Snapshot(1).Between(16, f.Snapshot(2)), "- -", 0, false},
	} {
		e := &entry{row: &store.Entry{Kind: kindClear}, table: c.table, need: c.table.All()}
		parts := map[topology.NodeIndex]*part{}
		for i, text := range strings.Fields("3 7 " + c.b) {
			n, _ := f.Lookup([]string{"a0", "a1", "b0", "b1"}[i])
			parts[n] = &part{state: store.DeliveryApplied, details: []json.RawMessage{json.RawMessage(`{"deletedDocuments":` + text + `}`)}}
			if text == "-" {
				parts[n] = &part{state: store.DeliveryPending}
			}
		}
		if got, known := countOnce(e, parts, "deletedDocuments"); got != c.want || known != c.known {
			t.Errorf("%s: %d, known %v", name, got, known)
		}
	}
}
