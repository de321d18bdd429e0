package actors

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miroir-search/miroir/embedded"
	"github.com/miroir-search/miroir/messages"
	"github.com/miroir-search/miroir/store"
	"github.com/miroir-search/miroir/topology"
)

// shape is a configured placement: node ids by group, and copies.
type shape struct {
	groups []string // "a0 a1"
	copies int
}

// park is a fleet whose placement changes.
type park struct {
	*fleet
	all map[string]*embedded.Node
}

func newPark(t *testing.T, first shape, change ...func(*Options)) *park {
	t.Helper()
	p := &park{all: map[string]*embedded.Node{}}
	f := &fleet{t: t, dir: t.TempDir()}
	p.fleet = f
	f.opts = Options{
		System: testSystem, Name: fmt.Sprintf("fleet%d", fleetCount.Add(1)), Shards: 16,
		ProbeInterval: 50 * time.Millisecond, ProbeTimeout: 2 * time.Second, StartWait: 20 * time.Second,
		WriteTimeout: 10 * time.Second, WriteCallTimeout: 5 * time.Second,
	}
	for _, ch := range change {
		ch(&f.opts)
	}
	p.configure(first)
	f.start()
	t.Cleanup(f.stop)
	return p
}

// configure writes another configuration, and starts the nodes that are new in it.
func (p *park) configure(s shape) {
	p.t.Helper()
	p.opts.Nodes, p.opts.ReplicationFactor = nil, s.copies
	for g, ids := range s.groups {
		for _, id := range strings.Fields(ids) {
			n := p.all[id]
			if n == nil {
				n = embedded.RunT(p.t, embedded.Options{Addr: "127.0.0.1:0", Window: -1})
				p.all[id], p.nodes = n, append(p.nodes, n)
			}
			p.opts.Nodes = append(p.opts.Nodes, topology.Node{ID: id, Address: n.URL(), Group: g})
		}
	}
}

// change restarts the cluster with another configuration.
func (p *park) change(s shape) {
	p.t.Helper()
	p.stop()
	p.configure(s)
	p.start()
}

// refused tries to start with another configuration, which must be refused.
func (p *park) refused(s shape, want string) {
	p.t.Helper()
	p.stop()
	was := p.opts
	p.configure(s)
	st, o := p.openStore(), p.opts
	o.Store, o.StartWait = st, 500*time.Millisecond
	c, err := Start(context.Background(), o)
	if err == nil {
		p.t.Errorf("%+v is not refused", s)
		_ = c.Stop(context.Background())
	} else if !strings.Contains(err.Error(), want) {
		p.t.Errorf("%+v: %v, want %s", s, err, want)
	}
	if err := st.Close(); err != nil {
		p.t.Error(err)
	}
	p.opts = was
	p.start()
}

// moved waits until everything is where the configuration says.
func (p *park) moved() {
	p.t.Helper()
	p.eventually("everything has moved", func() bool { return p.c.moves.over() })
}

// on lists the documents that a node stores of an index.
func (p *park) on(id, internal string) map[string]string {
	p.t.Helper()
	return p.stored(slices.Index(p.nodes, p.all[id]), internal)
}

// lies checks that the documents of an index lie on its owners, equal, and nowhere
// else, and that nodes which are not configured have nothing of ours. It returns the
// documents.
func (p *park) lies(index string) map[string]string {
	p.t.Helper()
	p.moved()
	p.idle()
	iv, ok := p.c.registry.lookup(index)
	if !ok {
		p.t.Fatalf("no index %s", index)
	}
	if iv.table != p.c.newest.Table(iv.row.Shards) {
		p.t.Errorf("index %s is still on %d, moving %v", index, iv.table.Snapshot().Version(), iv.table.Moving())
	}
	docs, per := map[string]string{}, map[string]map[string]string{}
	for id := range p.all {
		per[id] = p.on(id, iv.row.ID)
		for doc, text := range per[id] {
			if was, ok := docs[doc]; ok && was != text {
				p.t.Errorf("document %s differs on node %s:\n%s\n%s", doc, id, text, was)
			}
			docs[doc] = text
		}
	}
	for id := range p.all {
		n, configured := p.c.fleet.Lookup(id)
		configured = configured && p.c.newest.Has(n)
		for doc := range docs {
			owned := configured && iv.table.Owned(n).Has(topology.ShardOf([]byte(doc), iv.row.Shards))
			if _, has := per[id][doc]; has != owned {
				p.t.Errorf("document %s on node %s: stored %v, owned %v", doc, id, has, owned)
			}
		}
		if !configured && p.status(id, "/indexes/"+iv.row.ID) != http.StatusNotFound {
			p.t.Errorf("node %s still has the index", id)
		}
		if marked := p.status(id, "/indexes/"+markerIndex) == http.StatusOK; marked != configured {
			p.t.Errorf("node %s, configured %v, bears our mark: %v", id, configured, marked)
		}
	}
	p.eventually("no metric tells of nodes that have left", func() bool {
		for _, id := range p.measured() {
			n, configured := p.c.fleet.Lookup(id)
			if !configured || !p.c.newest.Has(n) {
				return false
			}
		}
		return true
	})
	return docs
}

func (p *park) status(id, path string) int {
	p.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, p.all[id].URL()+path, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	resp, err := p.all[id].Transport().RoundTrip(req)
	if err != nil {
		p.t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

var (
	oneByOne = shape{[]string{"a0"}, 1}
	oneByTwo = shape{[]string{"a0 a1"}, 1}
	twoByTwo = shape{[]string{"a0 a1", "b0 b1"}, 1}
)

func TestIndexesMoveWhereTheConfigurationSays(t *testing.T) {
	for name, way := range map[string][]shape{
		"a node more and less in each group": {twoByTwo, {[]string{"a0 a1 a2", "b0 b1 b2"}, 1}, twoByTwo},
		"a group more and less":              {oneByTwo, twoByTwo, oneByTwo},
		"the first group goes":               {twoByTwo, {[]string{"", "b0 b1"}, 1}, twoByTwo},
		"copies more and less":               {oneByTwo, {[]string{"a0 a1"}, 2}, oneByTwo},
		"a node for another":                 {oneByTwo, {[]string{"a0 a2"}, 1}},
		"all nodes for others":               {oneByOne, {[]string{"x0 x1", "y0 y1"}, 2}, oneByOne},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPark(t, way[0])
			p.must(settingsOf("films", `{"filterableAttributes":["n"],"sortableAttributes":["n"]}`))
			p.must(adding("films", manyDocs(0, 60, "first")))
			p.must(&messages.CreateIndex{IndexUID: "empty"})
			for i, s := range way[1:] {
				p.change(s)
				p.must(adding("films", manyDocs(100*i+100, 20, "moving")))
				p.must(&messages.DeleteDocuments{IndexUID: "films", IDs: []string{fmt.Sprint(i), "999"}})
				p.must(updating("films", fmt.Sprintf(`[{"id":%d,"more":true}]`, 30+i)))
				p.must(adding(fmt.Sprintf("new%d", i), manyDocs(0, 20, "new")))
				if got := len(p.lies("films")); got != 60+20*(i+1)-(i+1) {
					t.Errorf("%+v: %d documents", s, got)
				}
				p.lies("empty")
				if got := len(p.lies(fmt.Sprintf("new%d", i))); got != 20 {
					t.Errorf("%+v: %d documents of a new index", s, got)
				}
				page, a := p.search("films", `{"filter":"n >= 0","sort":["n:desc"],"limit":1000}`)
				if len(page.Hits) != 60+20*(i+1)-(i+1) || a.Degraded != "" {
					t.Errorf("%+v: %d hits, degraded %q", s, len(page.Hits), a.Degraded)
				}
				if known, err := loadPlacements(t.Context(), p.c.store); err != nil || len(known) != 1 {
					t.Errorf("the store still has %+v, %v", known, err)
				}
			}
		})
	}
}

// Readers and writers do not notice that nodes change.
func TestAMoveUnderLoadFailsNoReadAndLosesNoWrite(t *testing.T) {
	p := newPark(t, oneByTwo)
	const stable = 40
	p.must(adding("films", manyDocs(0, stable, "stable")))
	for _, s := range []shape{{[]string{"a0 a1 a2"}, 1}, {[]string{"a0 a2"}, 2}, oneByTwo} {
		p.change(s)
		var stop atomic.Bool
		var clients sync.WaitGroup
		for w := range 2 {
			clients.Go(func() {
				for i := 0; !stop.Load(); i++ {
					doc := fmt.Sprintf(`[{"id":"w%d","round":%d,"title":"written"}]`, w, i)
					if a := p.write(adding("films", doc)); a.Err != nil {
						t.Errorf("write %d: %v", i, a.Err)
					}
				}
			})
		}
		for range 2 {
			clients.Go(func() {
				for !stop.Load() {
					a := p.read(&messages.Search{IndexUID: "films", Body: []byte(`{"q":"stable","limit":100}`)})
					if a.Err != nil || a.Degraded != "" || strings.Count(string(a.Body), `"stable`) != 0 && strings.Count(string(a.Body), "common stable") != stable {
						t.Errorf("read: %v %q %.300s", a.Err, a.Degraded, a.Body)
						return
					}
					time.Sleep(time.Millisecond)
				}
			})
		}
		p.moved()
		stop.Store(true)
		clients.Wait()
		if got := len(p.lies("films")); got != stable+2 {
			t.Errorf("%+v: %d documents", s, got)
		}
	}
}

// The former configuration, or a third one, may be taken while a move is under way.
func TestAMoveMayBeGivenUpForAnother(t *testing.T) {
	p := newPark(t, oneByTwo)
	p.must(adding("films", manyDocs(0, 60, "first")))
	hold := func(id string) { // so that nothing can be copied there
		p.all[id].Faults().Add(embedded.Fault{Path: "/indexes/*", Method: "POST", Status: 503})
	}
	p.configure(shape{[]string{"a0 a1 a2 a3"}, 1})
	hold("a2")
	p.change(shape{[]string{"a0 a2"}, 1})
	p.must(adding("films", manyDocs(100, 10, "during")))
	if p.c.registry.unsettled() == nil {
		t.Fatal("it has moved although the new node takes nothing")
	}
	p.change(oneByTwo)
	p.all["a2"].Faults().Clear()
	p.must(adding("films", manyDocs(200, 10, "back")))
	if got := len(p.lies("films")); got != 80 {
		t.Errorf("%d documents", got)
	}
	hold("a3")
	p.change(shape{[]string{"a1 a3"}, 1})
	p.must(adding("films", manyDocs(300, 10, "again")))
	p.change(shape{[]string{"a1 a2"}, 2})
	p.all["a3"].Faults().Clear()
	p.must(adding("films", manyDocs(400, 10, "elsewhere")))
	if got := len(p.lies("films")); got != 100 {
		t.Errorf("%d documents", got)
	}
}

func TestPlacementsThatWouldLoseShardsAreRefused(t *testing.T) {
	p := newPark(t, oneByTwo)
	p.must(adding("films", manyDocs(0, 30, "first")))
	p.all["a1"].Stop()
	p.refused(shape{[]string{"a0 a2"}, 1}, "index films: no node that has shards")
	p.refused(shape{[]string{"a0", "a1"}, 1}, "node a1 was in group 0 and is now in group 1")
	if err := p.all["a1"].Restart(); err != nil {
		t.Fatal(err)
	}
	p.change(shape{[]string{"a0 a2"}, 1}) // it answers at its former address
	if got := len(p.lies("films")); got != 30 {
		t.Errorf("%d documents", got)
	}
}

// A node that leaves and does not answer is forgotten when nothing is needed of it.
func TestANodeThatIsGoneIsReplaced(t *testing.T) {
	p := newPark(t, shape{[]string{"a0 a1"}, 2})
	p.must(adding("films", manyDocs(0, 30, "first")))
	p.down(1)
	p.stop()
	gone := p.all["a1"]
	p.configure(shape{[]string{"a0 a2"}, 2})
	delete(p.all, "a1")
	p.start()
	p.moved() // until then a quorum of the former owners is wanted
	p.must(adding("films", manyDocs(50, 10, "second")))
	if got := len(p.lies("films")); got != 40 {
		t.Errorf("%d documents", got)
	}
	if values, err := p.c.store.Values(t.Context(), nodeKey("")); err != nil || values[nodeKey("a1")] != nil {
		t.Errorf("the store remembers %v, %v", values, err)
	}
	// It comes back under its id with what it had, and has that no longer.
	if err := gone.Restart(); err != nil {
		t.Fatal(err)
	}
	p.all["a1"] = gone
	p.change(shape{[]string{"a0 a1"}, 1})
	if got := len(p.lies("films")); got != 40 {
		t.Errorf("%d documents", got)
	}
}

// Every crash during a move is survived: the process stops after each commit in turn.
func TestAMoveGoesOnAfterARestart(t *testing.T) {
	p := newPark(t, oneByTwo)
	p.must(adding("films", manyDocs(0, 30, "first")))
	p.stop()
	p.configure(shape{[]string{"a1 a2"}, 1})
	for i := 0; ; i++ {
		var commits atomic.Int64
		st, o := p.openStore(), p.opts
		o.Store = &failingStore{Store: st, commits: &commits, after: int64(i)}
		c, err := Start(t.Context(), o)
		done := false
		if err == nil {
			p.eventually("it has moved, or cannot", func() bool {
				done = c.moves.over()
				return done || commits.Load() > int64(i)
			})
			if err := c.Stop(context.Background()); err != nil {
				t.Error(err)
			}
		}
		if err := st.Close(); err != nil {
			t.Error(err)
		}
		if done {
			break
		}
	}
	p.start()
	if got := len(p.lies("films")); got != 30 {
		t.Errorf("%d documents", got)
	}
}

// failingStore takes some commits and then no more.
type failingStore struct {
	store.Store
	commits *atomic.Int64
	after   int64
}

func (s *failingStore) Commit(ctx context.Context, b *store.Batch) error {
	if b.Values != nil && s.commits.Add(1) > s.after {
		return store.ErrUnavailable
	}
	return s.Store.Commit(ctx, b)
}
