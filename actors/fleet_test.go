package actors

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"
	"go.uber.org/goleak"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/embedded"
	"github.com/miroir-search/miroir/messages"
	"github.com/miroir-search/miroir/store"
	"github.com/miroir-search/miroir/topology"
)

// All clusters of the tests live in one actor system, as they may in a program.
var testSystem = newSystem(silentLog())

func silentLog() *logrus.Logger {
	l := logrus.New()
	l.SetOutput(io.Discard)
	return l
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var fleetCount atomic.Int64

// fleet is a cluster over embedded nodes, for tests.
type fleet struct {
	t     *testing.T
	nodes []*embedded.Node
	opts  Options
	dir   string
	base  string // of nodes that keep their data; empty for others
	c     *Cluster
	wrap  func(store.Store) store.Store // nil for the store as it is
	dirs  map[int]string                // where nodes keep their data that do not keep it in memory

	segments int64 // size of the journal's segments; 0 for the usual one

	metrics *prometheus.Registry
}

// newFleet starts groups × perGroup nodes, node "a0" being the first of the first
// group, and a cluster over them.
func newFleet(t *testing.T, groups, perGroup, copies int, change ...func(*Options)) *fleet {
	t.Helper()
	f := &fleet{t: t, dir: t.TempDir(), dirs: map[int]string{}}
	f.startOver(t, groups, perGroup, copies, change, func(string) embedded.Options { return embedded.Options{} })
	return f
}

// startOver starts nodes with options of their own, and the cluster.
func (f *fleet) startOver(t *testing.T, groups, perGroup, copies int, change []func(*Options), node func(id string) embedded.Options) {
	t.Helper()
	o := Options{
		System: testSystem, Name: fmt.Sprintf("fleet%d", fleetCount.Add(1)), ReplicationFactor: copies, Shards: 16,
		ProbeInterval: 50 * time.Millisecond, ProbeTimeout: 2 * time.Second, StartWait: 20 * time.Second,
		WriteTimeout: 10 * time.Second, WriteCallTimeout: 5 * time.Second,
	}
	for g := range groups {
		for i := range perGroup {
			id := fmt.Sprintf("%c%d", 'a'+g, i)
			e := node(id)
			e.Addr, e.Window = "127.0.0.1:0", -1
			n := embedded.RunT(t, e)
			f.nodes = append(f.nodes, n)
			o.Nodes = append(o.Nodes, topology.Node{ID: id, Address: n.URL(), Group: g})
		}
	}
	for _, ch := range change {
		ch(&o)
	}
	f.opts = o
	f.start()
	t.Cleanup(f.stop)
}

func (f *fleet) start() {
	f.t.Helper()
	var err error
	st, o := f.openStore(), f.opts
	if f.wrap != nil {
		st = f.wrap(st)
	}
	f.metrics = prometheus.NewRegistry()
	o.Store, o.Registerer = st, f.metrics
	if f.c, err = Start(context.Background(), o); err != nil {
		_ = st.Close()
		f.t.Fatal(err)
	}
}

func (f *fleet) openStore() store.Store {
	f.t.Helper()
	st, err := store.Open(f.t.Context(), store.Options{Dir: f.dir, SegmentBytes: f.segments})
	if err != nil {
		f.t.Fatal(err)
	}
	return st
}

// stop ends the cluster and checks that none of its actors is left.
func (f *fleet) stop() {
	f.t.Helper()
	if f.c == nil {
		return
	}
	for _, n := range f.nodes {
		n.Faults().Clear()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	if err := f.c.Stop(ctx); err != nil {
		f.t.Error(err)
	}
	if err := f.c.store.Close(); err != nil {
		f.t.Error(err)
	}
	f.noneLeft()
	f.c = nil
}

// noneLeft waits until no actor of the cluster is left.
func (f *fleet) noneLeft() {
	f.t.Helper()
	seen := ""
	f.eventually("no actor of the cluster is left", func() bool {
		for _, part := range testSystem.ProcessRegistry.LocalPIDs.LocalPIDs {
			for _, id := range part.Keys() {
				if id != f.opts.Name && !strings.HasPrefix(id, f.opts.Name+"/") && !strings.HasPrefix(id, f.opts.Name+"-") {
					continue
				}
				if seen != id {
					f.t.Logf("still there: actor %s", id)
				}
				seen = id
				return false
			}
		}
		return true
	})
}

// eventually waits until what is said holds.
func (f *fleet) eventually(what string, holds func() bool) {
	f.t.Helper()
	tick := time.NewTicker(3 * time.Millisecond)
	defer tick.Stop()
	for limit := time.Now().Add(60 * time.Second); !holds(); <-tick.C {
		if time.Now().After(limit) {
			f.t.Fatalf("in vain waited until %s", what)
		}
	}
}

func (f *fleet) write(msg any) *messages.TaskAccepted {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return f.c.Write(ctx, msg)
}

func adding(index, docs string) *messages.AddDocuments {
	return &messages.AddDocuments{
		IndexUID: index, Format: "json", Payload: []byte(docs), WriteOptions: messages.WriteOptions{CreateAllowed: true},
	}
}

func updating(index, docs string) *messages.AddDocuments {
	m := adding(index, docs)
	m.Update = true
	return m
}

func settingsOf(index, patch string) *messages.UpdateSettings {
	return &messages.UpdateSettings{IndexUID: index, Patch: json.RawMessage(patch), WriteOptions: messages.WriteOptions{CreateAllowed: true}}
}

// must writes and returns the ended task, which must have succeeded.
func (f *fleet) must(msg any) *store.Task {
	f.t.Helper()
	t := f.ended(f.accepted(msg))
	if t.Status != api.Succeeded {
		f.t.Fatalf("task %d of %T: %s %s", t.UID, msg, t.Status, t.Error)
	}
	return t
}

// accepted writes and returns the uid of the task.
func (f *fleet) accepted(msg any) int64 {
	f.t.Helper()
	a := f.write(msg)
	if a.Err != nil {
		f.t.Fatalf("%T: %v", msg, a.Err)
	}
	return int64(a.Task.TaskUID)
}

func (f *fleet) ended(uid int64) *store.Task {
	f.t.Helper()
	var t *store.Task
	f.eventually(fmt.Sprintf("task %d ends", uid), func() bool {
		var err error
		t, err = f.c.Task(context.Background(), uid)
		return err == nil && t.Finished()
	})
	return t
}

func (f *fleet) read(msg any) *messages.Answer {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return f.c.Read(ctx, msg)
}

type page struct {
	Hits               []map[string]any
	EstimatedTotalHits *int
	TotalHits          *int
	Total              *int
	Results            []map[string]any
}

func (f *fleet) search(index, body string) (*page, *messages.Answer) {
	f.t.Helper()
	return f.page(f.read(&messages.Search{IndexUID: index, Body: []byte(body)}))
}

func (f *fleet) page(a *messages.Answer) (*page, *messages.Answer) {
	f.t.Helper()
	if a.Err != nil {
		f.t.Fatalf("read: %v", a.Err)
	}
	if bytes.Contains(a.Body, []byte("_miroir_")) || bytes.Contains(a.Body, []byte(indexIDPrefix)) {
		f.t.Errorf("something of ours shows: %s", a.Body)
	}
	p := &page{}
	if err := json.Unmarshal(a.Body, p); err != nil {
		f.t.Fatalf("%v in %s", err, a.Body)
	}
	return p, a
}

func ids(hits []map[string]any) []string {
	out := []string{}
	for _, h := range hits {
		out = append(out, fmt.Sprint(h["id"]))
	}
	return out
}

// idle waits until every node has done everything and every copy is rebuilt.
func (f *fleet) idle() {
	f.t.Helper()
	f.eventually("all nodes have done everything", func() bool {
		st, err := f.c.load(context.Background())
		open, _ := f.c.rebuilds.list()
		return err == nil && len(st.Entries) == 0 && len(st.Tasks) == 0 && len(open) == 0
	})
}

// tasksOf counts the tasks that a node was ever given for an index.
func (f *fleet) tasksOf(n int, internal string) int {
	f.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, f.nodes[n].URL()+"/tasks?indexUids="+internal, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	resp, err := f.nodes[n].Transport().RoundTrip(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer resp.Body.Close()
	var list struct{ Total int }
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil {
		f.t.Fatal(err)
	}
	return list.Total
}

// stored reads all documents of an index from a node, by id.
func (f *fleet) stored(n int, internal string) map[string]string {
	f.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, f.nodes[n].URL()+"/indexes/"+internal+"/documents?limit=100000", nil)
	if err != nil {
		f.t.Fatal(err)
	}
	resp, err := f.nodes[n].Transport().RoundTrip(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	if resp.StatusCode == http.StatusNotFound {
		return map[string]string{}
	}
	var docs struct{ Results []map[string]json.RawMessage }
	if err := json.Unmarshal(raw, &docs); err != nil {
		f.t.Fatalf("%v in %s", err, raw)
	}
	out := map[string]string{}
	for _, d := range docs.Results {
		text, err := json.Marshal(d) // sorted by key
		if err != nil {
			f.t.Fatal(err)
		}
		out[strings.Trim(string(d["id"]), `"`)] = string(text)
	}
	return out
}

// equal checks that every owner of every shard has the same documents, and no
// node has one that is not its own. It returns them.
func (f *fleet) equal(index string) map[string]string {
	f.t.Helper()
	f.idle()
	iv, ok := f.c.registry.lookup(index)
	if !ok {
		f.t.Fatalf("no index %s", index)
	}
	all := map[string]string{}
	per := make([]map[string]string, len(f.nodes))
	for n := range f.nodes {
		per[n] = f.stored(n, iv.row.ID)
		for id, doc := range per[n] {
			if was, ok := all[id]; ok && was != doc {
				f.t.Errorf("document %s differs on node %d:\n%s\n%s", id, n, doc, was)
			}
			all[id] = doc
		}
	}
	for id := range all {
		shard := topology.ShardOf([]byte(id), iv.row.Shards)
		for n := range f.nodes {
			if _, has := per[n][id]; has != iv.table.Held(n).Has(shard) {
				f.t.Errorf("document %s on node %d: stored %v, owned %v", id, n, has, !has)
			}
		}
	}
	return all
}

// documentsOf is the path of the document route of an index on nodes.
func (f *fleet) documentsOf(index string) string {
	f.t.Helper()
	iv, ok := f.c.registry.lookup(index)
	if !ok {
		f.t.Fatalf("no index %s", index)
	}
	return "/indexes/" + iv.row.ID + "/documents"
}

func (f *fleet) nodePID(n int) *nodeHandle { return f.c.nodes[n] }

// crashNode makes the actor of a node panic.
func (f *fleet) crashNode(n int) { f.c.tell(f.nodePID(n).pid, &crash{"test"}) }

func (f *fleet) crashKeeper() { f.c.tell(f.c.keeper, &crash{"test"}) }

func (f *fleet) crashSequencer(index string) {
	if h, ok := f.c.registry.resolve(index); ok {
		f.c.tellSequencer(h.id, &crash{"test"})
	}
}

func (f *fleet) panics(kind string) float64 {
	families, err := f.metrics.Gather()
	if err != nil {
		f.t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != "miroir_actor_panics_total" {
			continue
		}
		for _, m := range family.GetMetric() {
			if m.GetLabel()[0].GetValue() == kind {
				return m.GetCounter().GetValue()
			}
		}
	}
	return 0
}

// measured lists the nodes that metrics tell of.
func (f *fleet) measured() (ids []string) {
	families, err := f.metrics.Gather()
	if err != nil {
		f.t.Fatal(err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "node" {
					ids = append(ids, l.GetValue())
				}
			}
		}
	}
	return ids
}

func (f *fleet) state(n int) nodeState { return f.c.views.load().states[n] }

func (f *fleet) untilState(n int, want nodeState) {
	f.t.Helper()
	f.eventually(fmt.Sprintf("node %d is %s", n, want), func() bool { return f.state(n) == want })
}

// down stops a node and waits until that was noticed; up starts it again.
func (f *fleet) down(n int) {
	f.t.Helper()
	f.nodes[n].Stop()
	f.untilState(n, stateBroken)
}

func (f *fleet) up(n int) {
	f.t.Helper()
	if err := f.nodes[n].Restart(); err != nil {
		f.t.Fatal(err)
	}
}

// documents makes n documents with ids from first on.
func manyDocs(first, n int, tag string) string {
	var b strings.Builder
	b.WriteByte('[')
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":%d,"title":"common %s","n":%d}`, first+i, tag, i)
	}
	b.WriteByte(']')
	return b.String()
}

func sortedKeys(m map[string]string) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

var errTest = errors.New("test")
