package actors

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miroir-search/miroir/store"
	"github.com/miroir-search/miroir/topology"
)

func testEntry(t testing.TB, snap *topology.Snapshot, kind string, lsn int64, index string) *entry {
	t.Helper()
	e, err := newEntry(&store.Entry{LSN: lsn, Kind: kind, IndexID: index, Params: json.RawMessage(`{}`)}, snap.Table(4))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

const (
	usersFault = `{"code":"invalid_document_id","type":"invalid_request"}`
	nodesOwn   = `{"code":"internal","type":"internal"}`
)

// parts reads one letter per node: a applied, k acked, p pending, d dropped,
// r applied by a copy that is being rebuilt, f failed by the request's fault, n failed
// by the node's own; upper case (K, P) means that the node is out of service.
func testParts(text string) (map[topology.NodeIndex]*part, func(topology.NodeIndex) bool, map[topology.NodeIndex]topology.ShardSet) {
	parts, down := map[topology.NodeIndex]*part{}, map[topology.NodeIndex]bool{}
	rebuilt := map[topology.NodeIndex]topology.ShardSet{}
	for n, c := range text {
		p := &part{}
		switch c {
		case 'a':
			p.state = store.DeliveryApplied
		case 'r':
			p.state, rebuilt[n] = store.DeliveryApplied, topology.FullShardSet(16)
		case 'k', 'K':
			p.state = store.DeliveryAcked
		case 'p', 'P':
			p.state = store.DeliveryPending
		case 'd':
			p.state = store.DeliveryDropped
		case 'f':
			p.state, p.err = store.DeliveryFailed, json.RawMessage(usersFault)
		case 'n':
			p.state, p.err = store.DeliveryFailed, json.RawMessage(nodesOwn)
		}
		parts[n], down[n] = p, c == 'K' || c == 'P'
	}
	return parts, func(n topology.NodeIndex) bool { return !down[n] }, rebuilt
}

func TestFold(t *testing.T) {
	for _, c := range []struct {
		name             string
		groups, per, rf  int
		kind, parts      string
		want             verdict
		behind, mentions string
	}{
		{"all applied", 2, 1, 1, kindClear, "aa", carriedOut, "", ""},
		{"one in service still works on it", 2, 1, 1, kindClear, "ak", undecided, "", ""},
		{"one in service has not got it", 2, 1, 1, kindClear, "ap", undecided, "", ""},
		{"the other is away", 2, 1, 1, kindClear, "aP", carriedOut, "1", ""},
		{"the other went away with it", 2, 1, 1, kindClear, "Ka", carriedOut, "0", ""},
		{"everybody is away", 2, 1, 1, kindClear, "PK", undecided, "", ""},
		{"all refuse", 2, 1, 1, kindClear, "ff", refusedByNodes, "", "invalid_document_id"},
		{"one refuses, the other is away", 2, 1, 1, kindClear, "fP", refusedByNodes, "", "invalid_document_id"},
		{"one refuses documents, a group has them", 2, 1, 1, kindClear, "fa", carriedOut, "0", ""},
		{"one refuses settings", 2, 1, 1, kindSettings, "fa", refusedByNodes, "", "invalid_document_id"},
		{"one refuses an index", 2, 1, 1, kindCreateIndex, "af", refusedByNodes, "", "invalid_document_id"},
		{"one fails at settings by itself", 2, 1, 1, kindSettings, "na", carriedOut, "0", ""},
		{"the request's fault is told before the node's", 2, 1, 1, kindClear, "nf", refusedByNodes, "", "invalid_document_id"},
		{"all fail by themselves", 2, 1, 1, kindSettings, "nn", refusedByNodes, "", "internal"},
		{"dropped everywhere", 2, 1, 1, kindClear, "dd", refusedByNodes, "", "miroir_no_quorum"},
		{"half of the only group is away", 1, 2, 1, kindClear, "aP", undecided, "", ""},
		{"half of the only group failed", 1, 2, 1, kindClear, "af", refusedByNodes, "", "invalid_document_id"},
		{"halves of two groups make no whole when they are the same", 2, 2, 1, kindClear, "aPaP", undecided, "", ""},
		{"a whole group is enough", 2, 2, 1, kindClear, "aaPP", carriedOut, "2 3", ""},
		{"one copy of two is no quorum", 1, 2, 2, kindClear, "aP", undecided, "", ""},
		{"one copy of two holds when the other has failed", 1, 2, 2, kindClear, "af", carriedOut, "1", ""},
		{"two copies of three", 1, 3, 3, kindClear, "aPa", carriedOut, "1", ""},
		{"a copy being rebuilt takes what the healthy one refuses", 2, 1, 1, kindDeleteByFilter, "rf", refusedByNodes, "", "invalid_document_id"},
		{"a copy being rebuilt takes what the healthy one takes too", 2, 1, 1, kindDeleteByFilter, "ra", carriedOut, "", ""},
		{"a copy being rebuilt waits for the healthy one", 2, 1, 1, kindDeleteByFilter, "rP", undecided, "", ""},
		{"settings are taken by a copy being rebuilt alone", 2, 1, 1, kindSettings, "rP", undecided, "", ""},
		{"the healthy copy fails by itself", 2, 1, 1, kindAddDocuments, "rn", refusedByNodes, "", "internal"},
		{"no settings can refuse a clear", 2, 1, 1, kindClear, "rP", carriedOut, "1", ""},
		{"a copy being rebuilt counts for a quorum", 1, 3, 3, kindDeleteByFilter, "raP", carriedOut, "2", ""},
		{"nobody but a copy being rebuilt has taken some shards", 1, 3, 2, kindDeleteByFilter, "rfa", refusedByNodes, "", "invalid_document_id"},
	} {
		snap := testSnapshot(t, c.groups, c.per, c.rf)
		parts, up, rebuilt := testParts(c.parts)
		got, behind, err := fold(testEntry(t, snap, c.kind, 1, "i"), parts, up, rebuilt)
		slices.Sort(behind)
		if got != c.want || got == carriedOut && strings.Trim(strings.ReplaceAll(jsonOf(behind), ",", " "), "[]nul") != c.behind {
			t.Errorf("%s: %d behind %v, want %d behind %s", c.name, got, behind, c.want, c.behind)
		}
		if (got == refusedByNodes) != (len(err) > 0) || !strings.Contains(string(err), c.mentions) {
			t.Errorf("%s: error %s", c.name, err)
		}
	}
}

func jsonOf(v any) string { return string(mustJSON(v)) }

func TestDocumentsAreCountedOnce(t *testing.T) {
	for _, c := range []struct {
		name            string
		groups, per, rf int
		parts           string
		counts          []string
		want            int64
		known           bool
	}{
		{"one node", 1, 1, 1, "a", []string{`{"n":5}`}, 5, true},
		{"the group that is whole", 2, 2, 1, "aPaa", []string{`{"n":3}`, `{}`, `{"n":3}`, `{"n":4}`}, 7, true},
		{"copies are divided", 1, 3, 2, "aaa", []string{`{"n":4}`, `{"n":4}`, `{"n":2}`}, 5, true},
		{"a node with everything suffices", 1, 2, 2, "Pa", []string{`{}`, `{"n":6}`}, 6, true},
		{"no group is whole", 2, 2, 1, "aPPa", []string{`{"n":3}`, `{}`, `{}`, `{"n":4}`}, 0, false},
		{"a node that does not say", 1, 1, 1, "a", []string{`{"n":null,"m":2}`}, 0, true},
		{"details that are none", 1, 1, 1, "a", []string{`7`}, 0, false},
	} {
		parts, _, _ := testParts(c.parts)
		for n, raw := range c.counts {
			parts[n].details = []json.RawMessage{json.RawMessage(raw)}
		}
		got, known := countOnce(testEntry(t, testSnapshot(t, c.groups, c.per, c.rf), kindClear, 1, "i"), parts, "n")
		if got != c.want || known != c.known {
			t.Errorf("%s: %d %v, want %d %v", c.name, got, known, c.want, c.known)
		}
	}
}

func TestANodeIsBehindUntilItHasAppliedTheLastEntry(t *testing.T) {
	snap := testSnapshot(t, 1, 2, 1)
	v := newViews(2)
	v.setState(0, stateReady)
	v.setState(1, stateReady)
	l := lagTable{views: v}
	one, two, other := testEntry(t, snap, kindClear, 1, "i"), testEntry(t, snap, kindClear, 2, "i"), testEntry(t, snap, kindClear, 3, "j")
	usable := func(index string) bool { return v.load().usable(one.table, index)[0].Equal(one.table.Held(0)) }
	l.add(one, 0)
	l.add(one, 0) // counts once
	l.add(two, 0)
	l.add(other, 0)
	l.remove(one, 0)
	l.remove(one, 0)
	if usable("i") || !v.load().usable(one.table, "i")[0].Empty() {
		t.Error("usable with an entry missing")
	}
	l.remove(two, 0)
	if !usable("i") || usable("j") {
		t.Error("after the last entry of the index")
	}
	l.remove(other, 0)
	if !usable("j") || len(l.counts) != 0 {
		t.Error("something is left")
	}
	before := v.load()
	l.remove(other, 0)
	v.setState(0, stateReady)
	if v.load() != before {
		t.Error("what changes nothing made a new view")
	}
}

func TestALaneKeepsItsOrderAndItsDeliveries(t *testing.T) {
	snap := testSnapshot(t, 1, 1, 1)
	var l lane
	for _, lsn := range []int64{5, 3, 9, 4} {
		if !l.add(&delivery{entry: testEntry(t, snap, kindClear, lsn, "i")}) {
			t.Errorf("%d was not added", lsn)
		}
	}
	l.find(3).uncertain = true
	if l.add(&delivery{entry: testEntry(t, snap, kindClear, 3, "i")}) || !l.find(3).uncertain {
		t.Error("a repetition replaced the delivery")
	}
	l.remove(4)
	l.remove(4)
	var order []int64
	for _, d := range l.queue {
		order = append(order, d.entry.row.LSN)
	}
	if !slices.Equal(order, []int64{3, 5, 9}) || l.find(4) != nil {
		t.Errorf("order %v", order)
	}
	a := &nodeActor{h: &nodeHandle{newest: map[string]int64{}}}
	for _, c := range []struct {
		lsn      int64
		index    string
		repeated bool
	}{{5, "i", false}, {5, "i", true}, {4, "i", true}, {4, "j", false}, {6, "i", false}} {
		if got := a.seen(testEntry(t, snap, kindClear, c.lsn, c.index)); got != c.repeated {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

func TestHealthAndQuarantineBackOffWithACap(t *testing.T) {
	none := func() float64 { return 0 }
	most := func() float64 { return 0.999999 }
	h := health{}
	now := time.Unix(1000, 0)
	if h.fail(now, "x") {
		t.Error("a node that never was in service went out of it")
	}
	var waits []time.Duration
	for range 70 {
		waits = append(waits, h.nextProbe(none))
	}
	if waits[0] != probeFirst || waits[1] != 2*probeFirst || waits[len(waits)-1] != probeCap || !slices.IsSorted(waits) {
		t.Errorf("probes after %v", waits)
	}
	h.recover(now, true)
	if h.state != stateCatchingUp || h.reason == "" || h.nextProbe(most) < probeFirst*3/4 {
		t.Errorf("%+v", h)
	}
	if !h.caughtUp(now) || h.caughtUp(now) || h.state != stateReady {
		t.Errorf("%+v", h)
	}
	if !h.fail(now, "y") || h.fail(now, "z") || h.reason != "z" {
		t.Errorf("%+v", h)
	}
	var q quarantine
	waits = nil
	for i := range 70 {
		waits = append(waits, q.next(now.Add(time.Duration(i)*time.Second), none))
	}
	if waits[0] != quarantineFirst || waits[len(waits)-1] != quarantineCap || !slices.IsSorted(waits) {
		t.Errorf("restarts after %v", waits)
	}
	if got := q.next(now.Add(time.Hour), most); got < quarantineFirst/2 || got > quarantineFirst {
		t.Errorf("after a quiet hour: %v", got)
	}
}

func TestDegradationHeader(t *testing.T) {
	d := &degradation{}
	d.add(nil, topology.NewShardSet(8))
	if d.header() != "" {
		t.Errorf("nothing missing: %q", d.header())
	}
	given := topology.ShardSetOf(8, 5, 1)
	d.add([]int{1}, given)
	d.add([]int{1, 2}, topology.ShardSetOf(8, 7))
	if got := d.header(); got != "groups=1,2; shards=1,5,7" {
		t.Error(got)
	}
	if given.Len() != 2 {
		t.Error("the caller's set was changed")
	}
	only := &degradation{}
	only.add(nil, topology.FullShardSet(100))
	if got := only.header(); !strings.HasPrefix(got, "shards=0,1,") || !strings.HasSuffix(got, "63,+36") && !strings.HasSuffix(got, "+36") {
		t.Error(got)
	}
}

func testFleet(t testing.TB, ps ...topology.Placement) *topology.Fleet {
	t.Helper()
	f, err := topology.NewFleet(ps...)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestRegistry(t *testing.T) {
	r := newRegistry(testFleet(t, topology.Placement{Version: 1, ReplicationFactor: 1, Nodes: []topology.Node{{ID: "a", Address: "x"}}}), nil)
	h := r.reserve("films", 4)
	if again := r.reserve("films", 8); again != h || again.shards != 4 {
		t.Error("a second handle for one uid")
	}
	if _, ok := r.lookup("films"); ok {
		t.Error("visible before it was made")
	}
	row := &store.Index{ID: h.id, UID: "films", Shards: 4, Settings: json.RawMessage(`{}`)}
	put := func(rows ...*store.Index) {
		t.Helper()
		if err := r.put(rows...); err != nil {
			t.Fatal(err)
		}
	}
	put(row)
	visible := *row
	visible.Visible = true
	put(&visible)
	if v, ok := r.lookup("films"); !ok || v.row.ID != h.id || len(r.list()) != 1 || len(r.publicIndexes()) != 1 {
		t.Error("not visible")
	}
	for text, want := range map[string]string{
		"no id":                              "no id",
		"Index `" + h.id + "` is " + h.id:    "Index `films` is films",
		"unknown " + newIndexID() + " there": "unknown miroir there",
		"cut off " + indexIDPrefix + "00":    "cut off miroir",
	} {
		if got := string(r.clientText([]byte(text))); got != want {
			t.Errorf("%s: %s", text, got)
		}
	}
	r.release("films", &indexHandle{}) // of somebody else
	if got, ok := r.resolve("films"); !ok || got != h {
		t.Error("released by somebody else")
	}
	r.release("films", h)
	next := r.reserve("films", 4)
	if next == h || next.id == h.id {
		t.Error("an internal id was used again")
	}
	gone := visible
	gone.Deleted = true
	put(&gone)
	if _, ok := r.lookup("films"); ok {
		t.Error("visible after its deletion")
	}
	if uid, ok := r.uidOf(h.id); !ok || uid != "films" {
		t.Error("the texts of its nodes can no longer be read")
	}
	r.forget(h.id)
	if _, ok := r.uidOf(h.id); ok {
		t.Error("not forgotten")
	}
}
